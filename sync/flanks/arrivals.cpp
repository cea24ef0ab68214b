#include "sync/flanks/arrivals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "sync/flanks/json_text.hpp"

namespace flanks {

namespace json = boost::json;
using boost::asio::awaitable;

namespace {

constexpr const char* list_endpoint = "/v0/bank/credentials/list";
constexpr const char* delete_endpoint = "/v0/bank/credentials";
constexpr const char* link_endpoint = "/v0/platform/link";
constexpr const char* sessions_endpoint = "/connect/v2/sessions/list-sessions";

json::value parse(const answer& a, const call_info& call, std::string_view wanted) {
  json::error_code bad;
  json::value body = json::parse(json::string_view{a.body.data(), a.body.size()}, bad);
  if (bad) throw from_body(a, call, wanted);
  return body;
}

const json::value* member(const json::object& object, std::string_view key) {
  return object.if_contains(json::string_view{key.data(), key.size()});
}

// Text, or a whole number as text: clients name their users either way. Empty for anything else.
std::string text_at(const json::object& object, std::string_view key) {
  const json::value* const value = member(object, key);
  if (value == nullptr) return {};
  if (value->is_int64()) return std::to_string(value->get_int64());
  if (!value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

// What register_credential would refuse is no token.
secret token_at(const json::object& object, std::string_view key) {
  const json::value* const value = member(object, key);
  if (value == nullptr || !value->is_string()) return {};
  const json::string& text = value->get_string();
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '\x7f';
  });
  return plain && text.size() <= 4096 ? secret{std::string{text.data(), text.size()}} : secret{};
}

// The array under "items".
const json::array& items_of(const json::value& body, const answer& a, const call_info& call) {
  const json::object* const object = body.if_object();
  const json::value* const items = object != nullptr ? member(*object, "items") : nullptr;
  if (items == nullptr || !items->is_array()) throw from_body(a, call, "a page of items");
  return items->get_array();
}

secret field(std::string_view key, std::string_view value) {
  std::string text;
  text.reserve(key.size() + 6 * value.size() + 16);
  text.push_back('{');
  append_json_string(text, key, true);
  text.push_back(':');
  append_json_string(text, value, false);
  text.push_back('}');
  return secret{std::move(text)};
}

secret sessions_body(const std::string& page_token) {
  std::string text = R"({"query":{"status_in":["Finished:OK"]},"page_token":)";
  if (page_token.empty()) {
    text += "null";
  } else {
    append_json_string(text, page_token, false);
  }
  return secret{text + "}"};
}

class https_source final : public credential_source {
 public:
  explicit https_source(json_caller& caller) : caller_(caller) {}

  awaitable<listed_page> list(std::int64_t page) override {
    json_call asked;
    asked.endpoint = list_endpoint;
    asked.body = secret{fmt::format("{{\"page\":{}}}", page)};
    listed_page read;
    const call_info who = asked.info(caller_.authority());
    asked.read = [&](const answer& a) { read = read_list(a, who); };
    auto asking = caller_.ask_json(std::move(asked));
    co_await std::move(asking);
    co_return read;
  }

  awaitable<bool> forget(const secret& token) override {
    json_call asked;
    asked.method = "DELETE";
    asked.endpoint = delete_endpoint;
    asked.body = field("credentials_token", token.reveal());
    asked.secrets.push_back(&token);
    asked.read = [](const answer&) {};
    bool known = true;
    try {
      auto asking = caller_.ask_json(std::move(asked));
      co_await std::move(asking);
    } catch (const failure& f) {
      if (f.http_status != 404) throw;
      known = false;
    }
    co_return known;
  }

  awaitable<std::vector<link_code>> links() override {
    json_call asked;
    asked.method = "GET";
    asked.endpoint = link_endpoint;
    std::vector<link_code> read;
    const call_info who = asked.info(caller_.authority());
    asked.read = [&](const answer& a) { read = read_links(a, who); };
    auto asking = caller_.ask_json(std::move(asked));
    co_await std::move(asking);
    co_return read;
  }

  awaitable<std::optional<secret>> exchange(const secret& code) override {
    json_call asked;
    asked.endpoint = link_endpoint;
    asked.body = field("code", code.reveal());
    asked.secrets.push_back(&code);
    asked.once = true;
    const call_info who = asked.info(caller_.authority());
    std::optional<secret> token;
    asked.read = [&](const answer& a) { token = read_exchange(a, who); };
    try {
      auto asking = caller_.ask_json(std::move(asked));
      co_await std::move(asking);
    } catch (const failure& f) {
      if (f.http_status != 404) throw;
    }
    co_return token;
  }

  awaitable<session_page> sessions(const std::string& page_token) override {
    json_call asked;
    asked.endpoint = sessions_endpoint;
    asked.body = sessions_body(page_token);
    session_page read;
    const call_info who = asked.info(caller_.authority());
    asked.read = [&](const answer& a) { read = read_sessions(a, who); };
    auto asking = caller_.ask_json(std::move(asked));
    co_await std::move(asking);
    co_return read;
  }

 private:
  json_caller& caller_;
};

}  // namespace

listed_page read_list(const answer& a, const call_info& call) {
  const json::value body = parse(a, call, "a page of credentials");
  listed_page page;
  for (const json::value& item : items_of(body, a, call)) {
    const json::object* const object = item.if_object();
    listed_credential one;
    if (object != nullptr) one.token = token_at(*object, "credentials_token");
    if (one.token.empty()) {
      ++page.unusable;
      continue;
    }
    one.external_id = text_at(*object, "external_id");
    page.items.push_back(std::move(one));
  }
  const json::value* const pages = member(body.get_object(), "pages");
  if (pages != nullptr && pages->is_int64()) page.pages = pages->get_int64();
  return page;
}

std::vector<link_code> read_links(const answer& a, const call_info& call) {
  const json::value body = parse(a, call, "a list of link codes");
  if (!body.is_array()) throw from_body(a, call, "a list of link codes");
  std::vector<link_code> codes;
  for (const json::value& item : body.get_array()) {
    const json::object* const object = item.if_object();
    if (object == nullptr) continue;
    link_code code;
    code.code = secret{text_at(*object, "code")};
    if (code.code.empty()) continue;
    const json::value* const extra = member(*object, "extra");
    if (extra != nullptr && extra->is_object()) {
      for (const auto& member : extra->get_object()) {
        const std::string key{member.key().data(), member.key().size()};
        code.extra.emplace_back(key, text_at(extra->get_object(), key));
      }
    }
    codes.push_back(std::move(code));
  }
  return codes;
}

secret read_exchange(const answer& a, const call_info& call) {
  const json::value body = parse(a, call, "a credentials_token");
  const json::object* const object = body.if_object();
  secret token;
  if (object != nullptr) token = token_at(*object, "credentials_token");
  if (token.empty()) throw from_body(a, call, "a credentials_token");
  return token;
}

session_page read_sessions(const answer& a, const call_info& call) {
  const json::value body = parse(a, call, "a page of sessions");
  session_page page;
  for (const json::value& item : items_of(body, a, call)) {
    const json::object* const object = item.if_object();
    const std::string status = object != nullptr ? text_at(*object, "status") : "";
    if (!status.empty() && status != "Finished:OK") continue;
    secret connection = object != nullptr ? token_at(*object, "connection_id") : secret{};
    if (connection.empty()) {
      ++page.unusable;
    } else {
      page.connections.push_back(std::move(connection));
    }
  }
  page.next_page_token = text_at(body.get_object(), "next_page_token");
  return page;
}

std::unique_ptr<credential_source> make_credential_source(json_caller& caller) {
  return std::make_unique<https_source>(caller);
}

}  // namespace flanks
