// How credentials arrive, what their status is, how they leave (contract, sections 2 and 5).
#include <algorithm>
#include <boost/json.hpp>

#include "tests/sandbox/provider.hpp"

namespace sandbox {
namespace {

namespace json = boost::json;
constexpr std::uint32_t sessions_page_size = 100;

// The numbers of the credentials of one page that are still there. Without deletions no credential
// before the page need be looked at.
std::vector<std::uint32_t> page_of(const world& from, std::uint64_t first, std::uint32_t size) {
  std::vector<std::uint32_t> out;
  std::uint64_t seen = from.deleted() == 0 ? first : 0;
  for (auto n = static_cast<std::uint32_t>(std::min<std::uint64_t>(seen, from.size()));
       n < from.size() && out.size() < size; ++n) {
    if (from.at(n).deleted) continue;
    if (seen++ >= first) out.push_back(n);
  }
  return out;
}

std::string_view status_word(const json::object& status) {
  if (status.at("pending") == true) return "pending";
  if (status.at("blocked") == true) return "blocked";
  if (!status.at("sca_token").is_null() || !status.at("reset_token").is_null()) return "action";
  return "ok";
}

}  // namespace

reply provider::list_credentials(const call& c) {
  auto wrong = unknown_members(c.body, {"page"});
  const auto* asked = c.body.if_contains("page");
  const auto* page = asked != nullptr ? asked->if_int64() : nullptr;
  if (asked != nullptr && (page == nullptr || *page < 1))
    wrong.push_back({"type_error.int", "page"});
  if (!wrong.empty()) return invalid(wrong);
  const auto number = static_cast<std::uint64_t>(page != nullptr ? *page : 1);
  const std::uint32_t alive = world_.size() - world_.deleted();
  json::array items;
  for (const auto n : page_of(world_, (number - 1) * sessions_page_size, sessions_page_size)) {
    const auto external_id = world_.external_id_of(n);
    json::object item{{"credentials_token", world_.token_of(n)},
                      {"external_id", external_id ? json::value(*external_id) : nullptr},
                      {"bank", std::string(world_.bank_of(n))}};
    // Fields other than the token may be missing or null.
    if (world_.data().oddities() && n % 7 == 6 && world_.script_of(n) == nullptr)
      item["external_id"] = nullptr;
    else
      item["status"] = std::string(status_word(world_.status_of(n)));
    items.push_back(std::move(item));
  }
  const json::object body{{"items", std::move(items)},
                          {"page", number},
                          {"pages", std::max(1U, (alive + sessions_page_size - 1) / sessions_page_size)}};
  return text_reply(200, json::serialize(body));
}

reply provider::status(const call& c) {
  const auto wrong = unknown_members(c.body, {"credentials_token"});
  if (!wrong.empty()) return invalid(wrong);
  return text_reply(200, json::serialize(world_.status_of(*c.credential)));
}

reply provider::force(const call& c) {
  auto wrong = unknown_members(c.body, {"credentials_token", "force"});
  const auto* what = c.body.if_contains("force");
  if (what == nullptr)
    wrong.push_back({"missing", "force"});
  else if (*what != "sca" && *what != "reset" && *what != "transaction")
    wrong.push_back({"value_error.const", "force"});
  if (!wrong.empty()) return invalid(wrong);
  const std::string name = std::string(what->as_string()) + "_token";
  const json::object body{{name, fresh("ft-")}};
  return text_reply(200, json::serialize(body));
}

reply provider::remove(const call& c) {
  const auto wrong = unknown_members(c.body, {"credentials_token"});
  if (!wrong.empty()) return invalid(wrong);
  world_.erase(*c.credential);
  return text_reply(200, R"({"message": "Credentials deleted"})");
}

reply provider::available(const call&) {
  json::array body;
  for (const auto& one : banks())
    body.push_back(json::object{{"id", std::string(one.id)},
                                {"name", std::string(one.name)},
                                {"country", "ES"},
                                {"status", "active"}});
  return text_reply(200, json::serialize(body));
}

reply provider::list_links(const call& c) {
  constexpr std::string_view prefix = "link_token=";
  std::string only;
  if (c.asked.parameters.starts_with(prefix)) only = c.asked.parameters.substr(prefix.size());
  json::array body;
  for (const auto& one : links_)
    if (only.empty() || only == one.link_token)
      body.push_back(json::object{{"code", one.code},
                                  {"link_token", one.link_token},
                                  {"extra", {{"external_id", one.external_id}}}});
  return text_reply(200, json::serialize(body));
}

reply provider::exchange_link(const call& c) {
  auto wrong = unknown_members(c.body, {"code"});
  const auto* code = c.body.if_contains("code");
  if (code == nullptr) wrong.push_back({"missing", "code"});
  if (code != nullptr && !code->is_string()) wrong.push_back({"type_error.str", "code"});
  if (!wrong.empty()) return invalid(wrong);
  const auto found = std::find_if(links_.begin(), links_.end(),
                                  [&](const link& one) { return code->as_string() == one.code; });
  if (found == links_.end()) return text_reply(404, R"({"error": "Not found"})");
  const link one = *found;
  links_.erase(found);  // once
  custom_credential who;
  who.external_id = one.external_id;
  who.bank = one.bank;
  const auto n = *world_.add(std::move(who), one.transactions);
  const json::object body{{"credentials_token", world_.token_of(n)},
                          {"link_token", one.link_token},
                          {"extra", {{"external_id", one.external_id}}},
                          {"message", "Credentials created"}};
  return text_reply(200, json::serialize(body));
}

reply provider::list_sessions(const call& c) {
  auto wrong = unknown_members(c.body, {"query", "page_token"});
  bool finished = true;
  const auto* query = c.body.if_contains("query");
  const auto* filters = query != nullptr ? query->if_object() : nullptr;
  if (query != nullptr && filters == nullptr) wrong.push_back({"type_error.dict", "query"});
  const auto* words = filters != nullptr ? filters->if_contains("status_in") : nullptr;
  if (words != nullptr && !words->is_array()) wrong.push_back({"type_error.list", "status_in"});
  if (words != nullptr && words->is_array()) {
    const auto& list = words->as_array();
    finished = std::find(list.begin(), list.end(), json::value("Finished:OK")) != list.end();
  }
  std::uint64_t first = 0;
  const auto* page = c.body.if_contains("page_token");
  if (page != nullptr && !page->is_null()) {
    const auto* text = page->if_string();
    const bool good =
        text != nullptr && text->starts_with("s-") &&
        std::from_chars(text->data() + 2, text->data() + text->size(), first).ec == std::errc{};
    if (!good) wrong.push_back({"value_error", "page_token"});
  }
  if (!wrong.empty()) return invalid(wrong);
  json::array items;
  if (finished)
    for (const auto n : page_of(world_, first, sessions_page_size))
      items.push_back(json::object{{"session_id", "session-" + std::to_string(n + 1)},
                                   {"status", "Finished:OK"},
                                   {"connection_id", world_.token_of(n)},
                                   {"error_code", nullptr}});
  json::object body{{"items", items}, {"next_page_token", nullptr}};
  if (finished && first + sessions_page_size < world_.size() - world_.deleted())
    body["next_page_token"] = "s-" + std::to_string(first + sessions_page_size);
  return text_reply(200, json::serialize(body));
}

}  // namespace sandbox
