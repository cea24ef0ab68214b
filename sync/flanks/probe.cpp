#include "sync/flanks/probe.hpp"

#include <fmt/format.h>

#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "sync/flanks/connection.hpp"
#include "sync/flanks/errors.hpp"
#include "sync/flanks/http_client.hpp"
#include "sync/flanks/query.hpp"
#include "sync/flanks/resolver.hpp"
#include "sync/flanks/token.hpp"
#include "sync/types.hpp"

namespace flanks {

namespace asio = boost::asio;
namespace chr = std::chrono;
using asio::awaitable;

namespace {

constexpr std::size_t answer_limit = 1024 * 1024;  // bytes of a token answer
constexpr int warn_days = 21;                      // of a certificate's life that are left

std::string_view check_of(stage s) {
  return s == stage::resolve   ? "dns"
         : s == stage::connect ? "tcp"
         : s == stage::tls     ? "tls"
                               : "token";
}

finding certificate_finding(const origin& where, const certificate_facts& seen) {
  const auto left = chr::floor<chr::days>(seen.until - chr::system_clock::now());
  finding f{"tls", grade::ok, "", "", ""};
  f.says = fmt::format("{} with {}; its certificate is good until {}, {} days", seen.protocol,
                       where.authority(), to_string(day{chr::floor<chr::days>(seen.until)}),
                       left.count());
  if (left.count() < warn_days) {
    f.how = grade::warn;
    f.hint = fmt::format(
        "whoever runs {} must renew it; without that nothing can be fetched from that day on",
        where.host);
  }
  return f;
}

class probe {
 public:
  probe(asio::any_io_executor executor, const api_options& options)
      : executor_(std::move(executor)), options_(options), where_(origin_of(options.base_url)) {
    if (where_.tls) tls_.emplace(where_, options.ca_file);
  }

  awaitable<void> connect(std::vector<finding>& found) {
    address_book names(executor_, where_);
    awaitable<address_book::addresses> finding_them = names.find(options_.timeouts.resolve);
    address_book::addresses addresses = co_await std::move(finding_them);
    std::string list;
    for (const auto& a : addresses)
      list += (list.empty() ? "" : ", ") + a.address().to_string();
    found.push_back({"dns", grade::ok, fmt::format("{} is {}", where_.host, list), "", ""});
    connection wire(executor_, where_, tls_ ? &*tls_ : nullptr, options_.timeouts);
    wire.begin_request();
    awaitable<void> opening = wire.open(std::move(addresses));
    co_await std::move(opening);
    found.push_back({"tcp", grade::ok, fmt::format("connected to {}", where_.authority()), "", ""});
    if (const auto certificate = wire.certificate())
      found.push_back(certificate_finding(where_, *certificate));
    else
      found.push_back({"tls", grade::warn,
                       fmt::format("none: flanks.base_url is http, to {}", where_.host),
                       "only for trying things out: production needs https", ""});
    const chr::milliseconds limit{2000};
    awaitable<void> closing = wire.shutdown(limit);
    co_await std::move(closing);
  }

  awaitable<void> authenticate(std::vector<finding>& found) {
    http_client client(executor_, where_, options_);
    std::optional<failure> trouble;
    try {
      awaitable<void> asking = ask_for_token(client, found);
      co_await std::move(asking);
    } catch (const failure& f) {
      trouble.emplace(f);
    }
    co_await client.close();
    if (trouble) throw failure{*trouble};
  }

 private:
  awaitable<void> ask_for_token(http_client& client, std::vector<finding>& found) {
    const std::unique_ptr<http_place> place = co_await client.enter();
    const http_place& held = *place;
    awaitable<provider_keys> asking = options_.keys->current();
    const provider_keys keys = co_await std::move(asking);
    http_request request;
    request.target = token_endpoint;
    request.body = token_body(options_, keys);
    awaitable<std::unique_ptr<http_response>> sending = client.send(held, std::move(request));
    const std::unique_ptr<http_response> response = co_await std::move(sending);
    const auto came = chr::floor<chr::seconds>(chr::system_clock::now());
    answer a;
    a.status = response->head().status;
    a.retry_after = response->head().retry_after;
    a.date = response->head().date;
    a.location = response->head().location;
    while (a.body.size() < answer_limit) {
      const std::string_view piece = co_await response->read();
      if (piece.empty()) break;
      a.body_bytes += static_cast<std::int64_t>(piece.size());
      a.body.append(piece.substr(0, answer_limit - a.body.size()));
    }
    if (const auto theirs = http_date(a.date))
      found.push_back(clock_finding("provider_clock", "the provider", *theirs - came));
    const call_info who{
        fmt::format("POST {}{} at {}", where_.path_prefix, token_endpoint, where_.authority()),
        {&keys.client_secret, &keys.password}};
    if (a.status != 200) throw from_token_status(a, who, options_.client_id);
    const granted_token token = read_token(a, who);
    found.push_back(
        {"token", grade::ok,
         token.lifetime
             ? fmt::format("the provider takes client_id {} and gives access tokens for {} s",
                           options_.client_id, token.lifetime->count())
             : fmt::format("the provider takes client_id {}", options_.client_id),
         "", ""});
  }

  asio::any_io_executor executor_;
  const api_options& options_;
  origin where_;
  std::optional<tls_client> tls_;
};

}  // namespace

awaitable<std::vector<finding>> probe_provider(asio::any_io_executor executor,
                                               const api_options& options) {
  std::vector<finding> found;
  std::optional<failure> trouble;
  try {
    probe steps(executor, options);
    co_await steps.connect(found);
    co_await steps.authenticate(found);
  } catch (const failure& f) {
    trouble.emplace(f);
  }
  if (trouble) {
    const bool connected = !found.empty() && found.back().check != "dns";
    // A connection made for the token may fail at any of the steps that went well before.
    const std::string_view check = connected ? "token"
                                   : trouble->stage == stage::configuration
                                       ? "tls"
                                       : check_of(trouble->stage);
    found.push_back(failed(std::string(check), *trouble));
  }
  co_return found;
}

}  // namespace flanks
