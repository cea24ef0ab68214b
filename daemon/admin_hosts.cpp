#include "daemon/admin_hosts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace flanks {

namespace {

namespace ip = boost::asio::ip;

// The host of "host[:port]" in lower case; nothing when a port is no number.
std::optional<std::string> host_of(std::string_view field) {
  const std::size_t bracket = field.starts_with('[') ? field.find(']') : 0;
  const std::size_t colon = field.find(':', bracket);
  if (colon != std::string_view::npos &&
      field.find_first_not_of("0123456789", colon + 1) != std::string_view::npos)
    return std::nullopt;
  std::string host(field.substr(0, colon));
  std::transform(host.begin(), host.end(), host.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return host;
}

// An IPv6 address stands in brackets.
std::optional<ip::address> address_in(std::string_view host) {
  const bool in_brackets = host.starts_with('[') && host.ends_with(']');
  if (in_brackets) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const ip::address found = ip::make_address(host, error);
  if (error || found.is_v6() != in_brackets) return std::nullopt;
  return found;
}

}  // namespace

std::string repeatable(std::string_view from_request) {
  constexpr std::size_t longest = 100;
  std::string text(from_request.substr(0, longest));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

admin_hosts::admin_hosts(const config::admin_settings& settings)
    : all_(settings.listen.starts_with("unix:")) {
  for (const std::string_view host : {"localhost", "127.0.0.1", "[::1]"})
    add(host);
  if (!all_) add(host_of(settings.listen).value_or(""));
  for (const std::string& host : settings.hosts)
    add(host);
}

void admin_hosts::add(std::string_view host) {
  const auto address = address_in(host);
  if (address) {
    addresses_.insert(*address);
  } else {
    names_.emplace(host);
  }
}

bool admin_hosts::is_ours(std::string_view field) const {
  if (all_) return true;
  const auto host = host_of(field);
  if (!host) return false;
  const auto address = address_in(*host);
  return address ? addresses_.contains(*address) : names_.contains(*host);
}

std::optional<admin_answer> admin_hosts::objection(bool is_http_1_0,
                                                   const std::vector<std::string>& fields) const {
  if (fields.size() > 1) return admin_answer{400, "the request names more than one Host\n"};
  if (fields.empty() && !is_http_1_0)
    return admin_answer{400, "a request of HTTP/1.1 names its Host; this one does not\n"};
  if (fields.empty() || is_ours(fields.front())) return std::nullopt;
  return admin_answer{
      421, fmt::format("this is asked for at the host \"{}\", which is none of this daemon: it "
                       "answers for localhost, 127.0.0.1, [::1], the address of admin.listen and "
                       "the names in admin.hosts of its configuration\n",
                       repeatable(fields.front()))};
}

}  // namespace flanks
