#include "tests/sandbox/control.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <stdexcept>

namespace sandbox {
namespace {

namespace json = boost::json;
using std::invalid_argument;

std::string string_of(const json::object& from, std::string_view name, std::string_view otherwise) {
  const auto* value = from.if_contains({name.data(), name.size()});
  if (value == nullptr || value->is_null()) return std::string(otherwise);
  const auto* found = value->if_string();
  if (found == nullptr) throw invalid_argument(std::string(name) + " is not a string");
  return {found->data(), found->size()};
}

std::uint64_t count(const json::object& from, std::string_view name, std::uint64_t otherwise) {
  const auto* value = from.if_contains({name.data(), name.size()});
  if (value == nullptr) return otherwise;
  const auto* found = value->if_int64();
  if (found == nullptr || *found < 0)
    throw invalid_argument(std::string(name) + " is not a whole number");
  return static_cast<std::uint64_t>(*found);
}

void allow(const json::object& order, std::initializer_list<std::string_view> known) {
  const auto extra = unknown_members(order, known);
  if (!extra.empty()) throw invalid_argument("unknown key: " + extra.front().field);
}

// Every credential that is still there, as a JSON array.
class credentials_body final : public body_source {
 public:
  explicit credentials_body(const world& from) : world_(from) {}

  bool fill(std::string& out) override {
    const auto enough = out.size() + piece_size;
    if (next_ == 0) out += '[';
    for (; next_ < world_.size() && out.size() < enough; ++next_)
      if (!world_.at(next_).deleted) append(out);
    if (next_ < world_.size()) return true;
    out += "]\n";
    return false;
  }

 private:
  void append(std::string& out) {
    out += any_ ? ",\n{\"credentials_token\":" : "{\"credentials_token\":";
    any_ = true;
    append_quoted(out, world_.token_of(next_));
    out += ",\"external_id\":";
    if (const auto id = world_.external_id_of(next_))
      append_quoted(out, *id);
    else
      out += "null";
    out += ",\"bank\":";
    append_quoted(out, world_.bank_of(next_));
    out += ",\"products\":[";
    for (const auto p : world_.options().products) {
      if (out.back() != '[') out += ',';
      append_quoted(out, name_of(p));
    }
    out += "]}";
  }

  const world& world_;
  std::uint32_t next_ = 0;
  bool any_ = false;
};

// One line an operation, exactly as it would be served.
class ledger_body final : public body_source {
 public:
  ledger_body(const world& from, std::vector<std::uint32_t> credentials)
      : world_(from), credentials_(std::move(credentials)) {}

  bool fill(std::string& out) override {
    const auto enough = out.size() + piece_size;
    while (out.size() < enough) {
      if (walk_ && walk_->next(operation_)) {
        append_generated(out);
      } else if (scripted_ != nullptr && next_scripted_ < scripted_->size()) {
        append_scripted((*scripted_)[next_scripted_++], out);
      } else if (!open_next()) {
        return false;
      }
    }
    return true;
  }

 private:
  bool open_next() {
    if (credential_ == credentials_.size()) return false;
    if (rank_ == all_products.size()) {
      rank_ = 0;
      ++credential_;
      walk_.reset();
      scripted_.reset();
      return credential_ < credentials_.size();
    }
    const auto n = credentials_[credential_];
    ledger of = world_.ledger_of(n, all_products[rank_++]);
    what_ = of.what;
    scripted_ = of.scripted;
    next_scripted_ = 0;
    walk_.emplace(std::move(of), day_range{first_day, last_day});
    token_.clear();
    append_quoted(token_, world_.token_of(n));
    return true;
  }

  void append_generated(std::string& out) {
    world_.data().make(operation_, record_);
    append_head(std::string_view(record_.id.data(), record_.id.size()), out);
    generator::render(record_, out);
    out += "}\n";
  }

  // On one line, whatever the script's spaces.
  void append_scripted(const std::string& text, std::string& out) {
    append_head(member_text(text, "_id").value_or(""), out);
    for (const char c : text)
      if (c != '\n' && c != '\r') out += c;
    out += "}\n";
  }

  void append_head(std::string_view id, std::string& out) {
    out += "{\"credentials_token\":";
    out += token_;
    out += ",\"product\":\"";
    out += name_of(what_);
    out += "\",\"_id\":";
    append_quoted(out, id);
    out += ",\"record\":";
  }

  const world& world_;
  std::vector<std::uint32_t> credentials_;
  std::size_t credential_ = 0;
  std::size_t rank_ = 0;
  product what_ = product::account;
  std::optional<cursor> walk_;
  std::shared_ptr<const json_texts> scripted_;
  std::size_t next_scripted_ = 0;
  std::string token_;
  operation operation_;
  record record_;
};

reply streamed(std::unique_ptr<body_source> body) {
  reply out;
  out.body = std::move(body);
  return out;
}

reply done() {
  return text_reply(200, "{\"ok\": true}\n");
}

json::object described(const world& from, const refresh_event& event) {
  json::object out{{"credentials_token", from.token_of(event.credential)},
                   {"product", std::string(name_of(event.what))},
                   {"_id", event.id}};
  if (!event.previous_id.empty()) out["previous_id"] = event.previous_id;
  return out;
}

refresh_orders read_refresh(const json::object& order) {
  allow(order, {"credentials_token", "add", "correct", "back_date", "remove", "move_date",
                "renumber", "reappear", "lose_fraction", "product", "advance"});
  refresh_orders out;
  out.add = count(order, "add", 0);
  out.correct = count(order, "correct", 0);
  out.back_date = count(order, "back_date", 0);
  out.remove = count(order, "remove", 0);
  out.move_date = count(order, "move_date", 0);
  out.renumber = count(order, "renumber", 0);
  out.reappear = count(order, "reappear", 0);
  out.advance = static_cast<std::int64_t>(count(order, "advance", 3600));
  if (const auto* fraction = order.if_contains("lose_fraction"))
    out.lose_fraction = fraction->to_number<double>();
  if (out.lose_fraction < 0 || out.lose_fraction > 1)
    throw invalid_argument("lose_fraction is not between 0 and 1");
  const auto only = string_of(order, "product", "");
  out.only = product_from(only);
  if (!only.empty() && !out.only) throw invalid_argument("unknown product: " + only);
  return out;
}

}  // namespace

reply control::answer(const request& asked) {
  try {
    return route(asked);
  } catch (const std::exception& error) {
    return text_reply(400, json::serialize(json::object{{"error", error.what()}}) + "\n");
  }
}

reply control::route(const request& asked) {
  const auto what = std::string_view(asked.path).substr(prefix.size());
  const bool get = asked.method == "GET";
  if (get && what == "credentials") return credentials();
  if (get && what == "ledger") return ledger_lines(asked.parameters);
  if (get && what == "requests") return text_reply(200, json::serialize(counters_.report()) + "\n");
  if (get && what == "faults") return list_faults();
  if (asked.method == "DELETE" && what == "requests") return counters_.reset(), done();
  if (asked.method == "DELETE" && what == "faults") return faults_.clear(), done();
  if (asked.method != "POST") return text_reply(404, "{\"error\": \"no such control\"}\n");
  const json::value parsed = asked.body.empty() ? json::object() : json::parse(asked.body);
  const object& order = parsed.as_object();
  if (what == "faults") return faults_.add(fault(order)), done();
  if (what == "refresh") return refresh(order);
  if (what == "status") return status(order);
  if (what == "script") return apply_scripts(asked.body);
  if (what == "withhold") return withhold(order);
  if (what == "time") return time(order);
  if (what == "aggregation") return aggregation(order);
  if (what == "credentials") return add_credential(order);
  if (what == "links") return add_link(order);
  if (what == "expire-tokens") return provider_.expire_tokens(), done();
  return text_reply(404, "{\"error\": \"no such control\"}\n");
}

reply control::credentials() const {
  return streamed(std::make_unique<credentials_body>(world_));
}

std::vector<std::uint32_t> control::chosen(const object& order) const {
  const auto token = string_of(order, "credentials_token", "*");
  std::vector<std::uint32_t> out;
  if (token != "*") {
    const auto n = world_.find(token);
    if (!n) throw invalid_argument("unknown credentials_token: " + token);
    return {*n};
  }
  for (std::uint32_t n = 0; n < world_.size(); ++n)
    if (!world_.at(n).deleted) out.push_back(n);
  return out;
}

reply control::ledger_lines(const std::string& parameters) const {
  object order;
  constexpr std::string_view name = "credentials_token=";
  if (parameters.starts_with(name))
    order["credentials_token"] = parameters.substr(name.size());
  else if (!parameters.empty())
    throw invalid_argument("unknown parameter: " + parameters);
  reply out = streamed(std::make_unique<ledger_body>(world_, chosen(order)));
  out.content_type = "application/x-ndjson";
  return out;
}

reply control::list_faults() const {
  json::array out;
  for (const auto& one : faults_.all())
    out.push_back(one.order());
  return text_reply(200, json::serialize(out) + "\n");
}

reply control::refresh(const object& order) {
  const auto orders = read_refresh(order);
  if (orders.only && !world_.has(*orders.only)) throw invalid_argument("no such product here");
  std::vector<refresh_event> events;
  for (const auto n : chosen(order)) {
    world_.refresh(n, orders, events);
    provider_.changed(n);
  }
  object out;
  for (const auto* kind :
       {"added", "corrected", "back_dated", "removed", "moved", "lost", "renumbered", "reappeared"})
    out[kind] = json::array();
  for (const auto& event : events)
    out[{event.kind.data(), event.kind.size()}].as_array().push_back(described(world_, event));
  return text_reply(200, json::serialize(out) + "\n");
}

reply control::status(const object& order) {
  object fields = order;
  fields.erase("credentials_token");
  if (fields.empty()) throw invalid_argument("no status field is named");
  for (const auto n : chosen(order))
    world_.override_status(n, fields);
  return done();
}

// All of them, or none when one is wrong.
reply control::apply_scripts(std::string_view order) {
  for (auto& one : read_scripts(order))
    world_.apply(std::move(one));
  return done();
}

reply control::withhold(const object& order) {
  allow(order, {"credentials_token", "product", "ids"});
  const auto n = world_.find(string_of(order, "credentials_token", ""));
  if (!n) throw invalid_argument("unknown credentials_token");
  const auto what = product_from(string_of(order, "product", ""));
  if (!what || !world_.has(*what)) throw invalid_argument("no such product here");
  std::unordered_set<std::string> ids;
  for (const json::value& id : order.at("ids").as_array())
    ids.emplace(id.as_string());
  if (!world_.withhold(*n, *what, ids))
    throw invalid_argument("this credential does not show all of these ids");
  return done();
}

reply control::time(const object& order) {
  allow(order, {"today"});
  const auto today = read_day(string_of(order, "today", ""));
  if (!today) throw invalid_argument("today is not YYYY-MM-DD");
  world_.set_today(*today);
  return done();
}

reply control::aggregation(const object& order) {
  allow(order, {"dates", "last_page", "type_key", "type"});
  const auto one_of = [&](std::string_view name, const std::vector<std::string>& words) {
    const auto said = string_of(order, name, words.front());
    const auto found = std::find(words.begin(), words.end(), said);
    if (found == words.end()) throw invalid_argument(std::string(name) + " cannot be " + said);
    return static_cast<std::size_t>(found - words.begin());
  };
  using filter = aggregation_style::dates_filter;
  constexpr std::array filters{filter::take, filter::refuse, filter::ignore};
  aggregation_style how;
  how.dates = filters.at(one_of("dates", {"take", "refuse", "ignore"}));
  how.absent_end = one_of("last_page", {"null", "absent"}) == 1;
  how.type_key = one_of("type_key", {"type", "product_type"}) == 1 ? "product_type" : "type";
  how.capital = one_of("type", {"account", "Account"}) == 1;
  provider_.speak(std::move(how));
  return done();
}

reply control::add_credential(const object& order) {
  allow(order, {"credentials_token", "external_id", "bank", "transactions"});
  custom_credential who;
  who.token = string_of(order, "credentials_token", "");
  who.external_id = string_of(order, "external_id", "");
  who.bank = string_of(order, "bank", "");
  if (!is_plain_identifier(who.bank)) throw invalid_argument("bank is not a plain identifier");
  const auto n =
      world_.add(std::move(who), count(order, "transactions", world_.options().transactions));
  if (!n) throw invalid_argument("this credentials_token exists");
  return text_reply(200, json::serialize(object{{"credentials_token", world_.token_of(*n)},
                                                {"external_id", *world_.external_id_of(*n)},
                                                {"bank", std::string(world_.bank_of(*n))}}));
}

reply control::add_link(const object& order) {
  allow(order, {"external_id", "bank", "transactions", "link_token"});
  const link& made = provider_.add_link(
      {"", string_of(order, "link_token", ""), string_of(order, "external_id", ""),
       string_of(order, "bank", ""), count(order, "transactions", world_.options().transactions)});
  return text_reply(200,
                    json::serialize(object{{"code", made.code}, {"link_token", made.link_token}}));
}

}  // namespace sandbox
