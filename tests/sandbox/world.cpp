#include "tests/sandbox/world.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace sandbox {
namespace {

namespace json = boost::json;
constexpr std::int64_t extraction_time = (4 * 60 + 12) * 60;  // 04:12 UTC, as in the examples

std::int64_t seconds_of(day d) {
  return std::chrono::duration_cast<std::chrono::seconds>(d.time_since_epoch()).count();
}

json::object flags(std::initializer_list<std::string_view> names, bool value) {
  json::object out;
  for (const auto name : names)
    out[{name.data(), name.size()}] = value;
  return out;
}

json::object per_product(bool value) {
  json::object out;
  out["product"] =
      flags({"auth", "account", "card", "portfolio", "investment", "liability", "holders"}, value);
  out["transactions"] = flags({"account", "card", "investment", "liability"}, value);
  return out;
}

void merge(json::object& into, const json::object& from) {
  for (const auto& [key, value] : from) {
    auto* inner = into.if_contains(key);
    if (inner != nullptr && inner->is_object() && value.is_object())
      merge(inner->as_object(), value.as_object());
    else
      into[key] = value;
  }
}

}  // namespace

const std::array<bank, 6>& banks() {
  static constexpr std::array<bank, 6> all{{{"testbank", "Banco de Pruebas"},
                                            {"otherbank", "Otro Banco"},
                                            {"cajanorte", "Caja del Norte"},
                                            {"bancosur", "Banco del Sur"},
                                            {"neobanco", "Neobanco Ñ"},
                                            {"cajarural", "Caja Rural Ejemplo"}}};
  return all;
}

day months_before(day d, unsigned months) {
  const std::chrono::year_month_day date{d};
  auto back = date - std::chrono::months{months};
  if (!back.ok()) back = back.year() / back.month() / std::chrono::last;
  return day{back};
}

world::world(world_options options)
    : options_(std::move(options)),
      data_(options_.seed, options_.oddities),
      today_(options_.today),
      all_(options_.credentials) {
  for (auto& one : all_) {
    one.transactions = options_.transactions;
    one.last_update = seconds_of(today_ - std::chrono::days(1)) + extraction_time;
  }
}

std::string world::token_of(std::uint32_t n) const {
  const auto& own = all_[n].custom;
  if (own && !own->token.empty()) return own->token;
  std::string number = std::to_string(n + 1);
  number.insert(0, number.size() < 4 ? 4 - number.size() : 0, '0');
  std::string out = "ct-" + number + "-";
  append_hex(out, mix(options_.seed + 7, n), 16);
  return out;
}

std::optional<std::uint32_t> world::find(std::string_view token) const {
  const auto own = by_token_.find(std::string(token));
  std::uint32_t n = 0;
  if (own != by_token_.end()) {
    n = own->second;
  } else {
    if (!token.starts_with("ct-")) return std::nullopt;
    const auto read = std::from_chars(token.data() + 3, token.data() + token.size(), n);
    if (read.ec != std::errc{} || n == 0 || n > all_.size() || token_of(n - 1) != token)
      return std::nullopt;
    --n;
  }
  if (all_[n].deleted) return std::nullopt;
  return n;
}

std::optional<std::string> world::external_id_of(std::uint32_t n) const {
  if (const script* shows = script_of(n)) return shows->external_id;
  const auto& own = all_[n].custom;
  if (own && !own->external_id.empty()) return own->external_id;
  // Two, two, one: most users own two credentials.
  return "user-" + std::to_string(std::uint64_t{n} * 3 / 5 + 1);
}

std::string_view world::bank_of(std::uint32_t n) const {
  if (const script* shows = script_of(n)) return *scripted_banks_.find(shows->bank);
  const auto& own = all_[n].custom;
  if (own && !own->bank.empty()) return own->bank;
  return banks()[n % banks().size()].id;
}

bool world::has(product p) const {
  return std::find(options_.products.begin(), options_.products.end(), p) !=
         options_.products.end();
}

custom_credential& world::customize(std::uint32_t n) {
  if (!all_[n].custom) all_[n].custom = std::make_unique<custom_credential>();
  return *all_[n].custom;
}

std::optional<std::uint32_t> world::add(custom_credential who, std::uint64_t transactions) {
  if (!who.token.empty() && (find(who.token) || by_token_.contains(who.token))) return std::nullopt;
  const auto n = size();
  credential& one = all_.emplace_back();
  one.transactions = transactions;
  one.last_update = seconds_of(today_ - std::chrono::days(1)) + extraction_time;
  one.custom = std::make_unique<custom_credential>(std::move(who));
  if (!one.custom->token.empty()) by_token_.emplace(one.custom->token, n);
  return n;
}

void world::erase(std::uint32_t n) {
  all_[n].deleted = true;
  ++deleted_;
}

void world::apply(script what) {
  const auto known = by_token_.find(what.token);
  auto n = known != by_token_.end() ? known->second : find(what.token);
  if (!n) {
    custom_credential who;
    who.token = what.token;
    n = add(std::move(who), 0);
    all_[*n].last_update = 0;
  }
  by_token_.emplace(what.token, *n);
  scripted_banks_.insert(what.bank);
  credential& one = all_[*n];
  if (one.deleted) --deleted_;
  one.deleted = false;
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  one.last_update = what.last_update.value_or(
      std::max<std::int64_t>(now.time_since_epoch().count(), one.last_update + 1));
  custom_credential& custom = customize(*n);
  custom.status.clear();
  const bool unknown = what.unknown;
  custom.shows = std::make_unique<const script>(std::move(what));
  if (unknown) erase(*n);
}

const script* world::script_of(std::uint32_t n) const {
  return all_[n].custom ? all_[n].custom->shows.get() : nullptr;
}

void world::override_status(std::uint32_t n, const json::object& fields) {
  merge(customize(n).status, fields);
}

json::object world::status_of(std::uint32_t n) const {
  const credential& one = all_[n];
  const auto day_part = std::chrono::floor<std::chrono::days>(
      std::chrono::sys_seconds(std::chrono::seconds(one.last_update)));
  const auto minutes = (one.last_update - seconds_of(day_part)) / 60;
  std::string time = std::to_string(100 + minutes / 60).substr(1) + ":" +
                     std::to_string(100 + minutes % 60).substr(1);
  json::object out{{"pending", false},
                   {"blocked", false},
                   {"reset_token", nullptr},
                   {"sca_token", nullptr},
                   {"transaction_token", nullptr},
                   {"name", json::string_view(bank_of(n).data(), bank_of(n).size())},
                   {"last_update", day_text(day_part)},
                   {"time", time},
                   {"last_update_timestamp", one.last_update},
                   {"created_at_timestamp", seconds_of(options_.today) - 300 * 86400},
                   {"last_transaction_date", day_text(options_.today)}};
  out["errored"] = per_product(false);
  out["created"] = per_product(true);
  if (one.custom) merge(out, one.custom->status);
  return out;
}

bool world::withhold(std::uint32_t n, product p, const std::unordered_set<std::string>& ids) {
  const auto ordinals = std::make_shared<std::set<std::uint64_t>>();
  ledger whole = ledger_of(n, p);
  whole.withheld = nullptr;
  cursor all(whole, {first_day, last_day});
  for (operation one; all.next(one);) {
    char id[24];
    data_.write_id(one, id);
    if (ids.contains(std::string(id, sizeof id))) ordinals->insert(one.ordinal);
  }
  if (ordinals->size() != ids.size()) return false;
  withheld_[{n, p}] = ordinals;
  return true;
}

std::uint32_t world::owner_of(std::uint32_t n, product p) const {
  const bool joint = options_.joint && p == product::account && n < options_.credentials;
  return joint && n % 4 == 1 ? n - 1 : n;
}

std::uint32_t world::ledger_number(std::uint32_t n, product p) const {
  return owner_of(n, p) * 4 + static_cast<std::uint32_t>(p);
}

ledger world::ledger_of(std::uint32_t n, product p) const {
  ledger out;
  out.what = p;
  out.number = ledger_number(n, p);
  out.from = months_before(options_.today, options_.months);
  out.to = options_.today;
  if (const script* shows = script_of(n)) {
    out.entity = bank_of(n);
    out.changed = untouched_;
    out.scripted = shows->transactions[static_cast<std::size_t>(p)];
    return out;
  }
  out.entity = bank_of(owner_of(n, p));
  const auto known = changed_.find(out.number);
  out.changed = known == changed_.end() ? untouched_ : known->second;
  if (const auto kept = withheld_.find({n, p}); kept != withheld_.end())
    out.withheld = kept->second;
  const auto place = std::find(options_.products.begin(), options_.products.end(), p);
  if (place == options_.products.end()) return out;
  const auto products = options_.products.size();
  const auto total = all_[owner_of(n, p)].transactions;
  const auto rank = static_cast<std::size_t>(place - options_.products.begin());
  out.count = total / products + (rank < total % products ? 1 : 0);
  return out;
}

}  // namespace sandbox
