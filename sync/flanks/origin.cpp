#include "sync/flanks/origin.hpp"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <boost/url.hpp>

#include "sync/failure.hpp"

namespace flanks {

namespace {

[[noreturn]] void refuse(std::string_view why) {
  throw failure{stage::configuration, verdict::stop, "bad_base_url",
                fmt::format("flanks.base_url {}", why)};
}

std::string bracketed(const origin& o) {
  return o.host.find(':') != std::string::npos ? "[" + o.host + "]" : o.host;
}

}  // namespace

std::string origin::authority() const {
  return fmt::format("{}:{}", bracketed(*this), port);
}

std::string origin::host_header() const {
  return port == (tls ? 443 : 80) ? bracketed(*this) : authority();
}

origin origin_of(std::string_view base_url) {
  const auto url = boost::urls::parse_uri({base_url.data(), base_url.size()});
  if (!url) refuse("is not a URL");
  if (url->scheme() != "https" && url->scheme() != "http") refuse("must begin with https://");
  if (url->has_userinfo() || url->has_query() || url->has_fragment()) {
    refuse("must have no user, query or fragment");
  }
  origin o;
  o.tls = url->scheme() == "https";
  o.host = url->host_address();
  o.port = url->port_number() != 0 ? url->port_number() : (o.tls ? 443 : 80);
  if (o.host.empty()) refuse("names no host");
  if (url->has_port() && url->port_number() == 0) refuse("has no usable port");
  o.path_prefix = url->encoded_path();
  while (!o.path_prefix.empty() && o.path_prefix.back() == '/')
    o.path_prefix.pop_back();
  boost::system::error_code not_an_address;
  const auto address = boost::asio::ip::make_address(o.host, not_an_address);
  o.is_address = !not_an_address;
  const bool loopback = o.is_address ? address.is_loopback() : o.host == "localhost";
  if (!o.tls && !loopback) refuse("may use plain http:// for loopback only");
  return o;
}

}  // namespace flanks
