// Routing, access tokens, faults. The answers themselves are in provider_*.cpp.
#include "tests/sandbox/provider.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace sandbox {
namespace {

namespace json = boost::json;
using clock = std::chrono::steady_clock;

std::string text_member(const json::object& body, std::string_view name) {
  const auto* value = body.if_contains({name.data(), name.size()});
  const auto* found = value != nullptr ? value->if_string() : nullptr;
  return found != nullptr ? std::string(found->data(), found->size()) : std::string();
}

reply not_found() {
  return text_reply(404, R"({"error": "Not found"})");
}

}  // namespace

std::vector<complaint> unknown_members(const json::object& body,
                                       std::initializer_list<std::string_view> known) {
  std::vector<complaint> out;
  for (const auto& member : body) {
    const std::string_view key{member.key().data(), member.key().size()};
    if (std::find(known.begin(), known.end(), key) == known.end())
      out.push_back({"value_error.extra", std::string(key)});
  }
  return out;
}

provider::provider(world& state, faults& broken, counters& counted, provider_options options)
    : world_(state),
      faults_(broken),
      counters_(counted),
      options_(std::move(options)),
      arrays_(options_.remember) {
  for (const auto* user : {"user-link-1", "user-link-2"})
    add_link({"", "", user, "", world_.options().transactions});
}

const std::vector<provider::route>& provider::routes() {
  using p = provider;
  static const std::vector<route> all{
      {"POST", "/v0/token", "token", &p::token, false},
      {"POST", "/v0/bank/credentials/list", "list", &p::list_credentials, false},
      {"POST", "/v0/bank/credentials/status", "status", &p::status, true},
      {"PUT", "/v0/bank/credentials/status", "force", &p::force, true},
      {"DELETE", "/v0/bank/credentials", "delete", &p::remove, true},
      {"POST", "/v0/bank/credentials/data", "account", &p::transactions<product::account>, true},
      {"POST", "/v0/bank/credentials/card/transaction", "card", &p::transactions<product::card>,
       true},
      {"POST", "/v0/bank/credentials/investment/transaction", "investment",
       &p::transactions<product::investment>, true},
      {"POST", "/v0/bank/credentials/liability/transaction", "liability",
       &p::transactions<product::liability>, true},
      {"POST", "/v0/bank/credentials/account", "products/account", &p::products<product::account>,
       true},
      {"POST", "/v0/bank/credentials/card", "products/card", &p::products<product::card>, true},
      {"POST", "/v0/bank/credentials/investment", "products/investment",
       &p::products<product::investment>, true},
      {"POST", "/v0/bank/credentials/liability", "products/liability",
       &p::products<product::liability>, true},
      {"POST", "/v0/bank/credentials/portfolio", "products/portfolio", &p::portfolio, true},
      {"POST", "/v0/bank/credentials/auth/", "products/auth", &p::identity, true},
      {"POST", "/v0/bank/credentials/holder", "products/holder", &p::holder, true},
      {"GET", "/v0/bank/available", "available", &p::available, false},
      {"GET", "/v0/platform/link", "links", &p::list_links, false},
      {"POST", "/v0/platform/link", "link", &p::exchange_link, false},
      {"POST", "/connect/v2/sessions/list-sessions", "sessions", &p::list_sessions, false},
      {"POST", "/aggregation/v2/list-transactions", "v2/transactions", &p::aggregation_transactions,
       false},
      {"POST", "/aggregation/v2/list-products", "v2/products", &p::aggregation_products, false},
  };
  return all;
}

reply provider::answer(const request& asked) {
  const route* found = nullptr;
  bool path_exists = false;
  for (const auto& one : routes()) {
    if (one.path != asked.path) continue;
    path_exists = true;
    if (one.method == asked.method) found = &one;
  }
  counters_.called(found != nullptr ? found->endpoint : "unknown");
  if (found == nullptr)
    return path_exists ? text_reply(405, R"({"error": "Method Not Allowed"})") : not_found();
  std::optional<fault> broken;
  std::shared_ptr<void> in_flight;
  reply out = dispatch(*found, asked, broken, in_flight);
  out.in_flight = std::move(in_flight);
  if (broken) {
    counters_.faulty();
    broken->bend(out);
  }
  return out;
}

reply provider::dispatch(const route& to, const request& asked, std::optional<fault>& broken,
                         std::shared_ptr<void>& in_flight) {
  const bool open = to.endpoint == "token";
  if (!open && !authorized(asked)) {
    counters_.refused_token();
    return text_reply(401, R"({"error": "Invalid credentials"})");
  }
  json::object body;
  if (asked.method != "GET") {
    if (!asked.content_type.starts_with("application/json"))
      return invalid({{"value_error.content_type", "Content-Type"}});
    json::error_code error;
    json::value parsed = json::parse(asked.body, error);
    if (error) return invalid({{"value_error.jsondecode", "body"}});
    if (!parsed.is_object()) return invalid({{"type_error.dict", "body"}});
    body = std::move(parsed.as_object());
  }
  const auto token = text_member(body, "credentials_token");
  call c{asked, body, to.needs_credential ? world_.find(token) : std::nullopt, std::nullopt};
  if (c.credential) in_flight = counters_.begin(token, to.endpoint);
  broken = faults_.take(token, to.endpoint);
  c.broken = broken;
  if (broken)
    if (auto other = broken->instead()) return std::move(*other);
  if (to.needs_credential) {
    const auto* given = body.if_contains("credentials_token");
    if (given == nullptr) return invalid({{"missing", "credentials_token"}});
    if (!given->is_string()) return invalid({{"type_error.str", "credentials_token"}});
    if (!c.credential) return not_found();
  }
  return (this->*to.answer)(c);
}

bool provider::authorized(const request& asked) {
  constexpr std::string_view scheme = "Bearer ";
  if (!asked.authorization.starts_with(scheme)) return false;
  const auto found = expires_.find(asked.authorization.substr(scheme.size()));
  if (found == expires_.end()) return false;
  if (clock::now() < found->second) return true;
  expires_.erase(found);
  return false;
}

std::string provider::fresh(std::string_view prefix) {
  std::string out{prefix};
  const auto bits = mix(mix(world_.options().seed + 11), ++given_out_);
  append_hex(out, bits, 16);
  append_hex(out, mix(bits), 16);
  return out;
}

reply provider::invalid(const std::vector<complaint>& complaints) {
  json::array details;
  for (const auto& one : complaints)
    details.push_back(json::object{{"error_type", one.error_type}, {"field", one.field}});
  const json::object body{{"success", false},
                          {"error", {{"code", "ValidationError"}, {"details", details}}},
                          {"trace_id", fresh("")}};
  return text_reply(400, json::serialize(body));
}

// Section 1 of the contract. An app has exactly one valid grant.
reply provider::token(const call& c) {
  const bool password = options_.grant_type == "password";
  std::vector<complaint> wrong =
      unknown_members(c.body, {"client_id", "client_secret", "grant_type", "username", "password"});
  std::vector<std::string_view> needed{"client_id", "client_secret", "grant_type"};
  if (password) needed.insert(needed.end(), {"username", "password"});
  for (const auto name : needed) {
    const auto* value = c.body.if_contains({name.data(), name.size()});
    if (value == nullptr) wrong.push_back({"missing", std::string(name)});
    if (value != nullptr && !value->is_string())
      wrong.push_back({"type_error.str", std::string(name)});
  }
  if (!wrong.empty()) return invalid(wrong);
  if (text_member(c.body, "grant_type") != options_.grant_type)
    return invalid({{"value_error.const", "grant_type"}});
  const bool right = text_member(c.body, "client_id") == options_.client_id &&
                     text_member(c.body, "client_secret") == options_.client_secret &&
                     (!password || (text_member(c.body, "username") == options_.username &&
                                    text_member(c.body, "password") == options_.password));
  if (!right) return text_reply(403, R"({"error": "Invalid client credentials"})");
  const auto now = clock::now();
  std::erase_if(expires_, [&](const auto& entry) { return entry.second <= now; });
  const auto access = fresh("at-");
  expires_.emplace(access, now + options_.token_lifetime);
  counters_.issued_token();
  json::object body{{"access_token", access},
                    {"expires_in", options_.token_lifetime.count()},
                    {"token_type", "Bearer"},
                    {"scope", "read write aggregation"}};
  if (password) body["refresh_token"] = fresh("rt-");
  return text_reply(200, json::serialize(body));
}

const link& provider::add_link(link one) {
  if (one.code.empty()) one.code = fresh("lc-");
  if (one.link_token.empty()) one.link_token = "lt-sandbox";
  return links_.emplace_back(std::move(one));
}

}  // namespace sandbox
