#include "sync/flanks/status.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <initializer_list>

#include "sync/blank.hpp"
#include "sync/flanks/secret_mask.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace json = boost::json;

namespace {

const json::value* find(const json::object* object, std::string_view key) {
  if (object == nullptr) return nullptr;
  return object->if_contains(json::string_view{key.data(), key.size()});
}

// Booleans are JSON booleans (API contract, section 2): anything else says nothing.
std::optional<bool> bool_at(const json::object* object, std::string_view key) {
  const json::value* const value = find(object, key);
  if (value == nullptr || !value->is_bool()) return std::nullopt;
  return value->get_bool();
}

// One group of flags: {"account": true, ...}; `path` for messages.
struct flag_group {
  std::string path;
  const json::value* value = nullptr;  // absent when null

  [[nodiscard]] bool unreadable(std::string_view key) const {
    if (value == nullptr) return false;
    const json::object* const object = value->if_object();
    if (object == nullptr) return true;
    const json::value* const flag = find(object, key);
    return flag != nullptr && !flag->is_bool();
  }
  [[nodiscard]] std::optional<bool> at(std::string_view key) const {
    return value == nullptr ? std::nullopt : bool_at(value->if_object(), key);
  }
};

// "errored" -> "transactions"; one page of the docs spells that key "transaction". A group that is
// no object has no readable part.
flag_group group_at(const json::object& status, std::string_view name,
                    std::initializer_list<std::string_view> parts) {
  flag_group group{std::string(name) + "." + std::string(*parts.begin()), find(&status, name)};
  if (group.value == nullptr || !group.value->is_object()) return group;
  const json::object& outer = group.value->get_object();
  group.value = nullptr;
  for (const std::string_view part : parts) {
    if (group.value == nullptr) group.value = find(&outer, part);
  }
  return group;
}

product_status flags_of(const flag_group& created, const flag_group& errored, std::string_view key,
                        std::vector<std::string>& oddities) {
  product_status flags{created.at(key), errored.at(key), false};
  for (const flag_group* const group : {&created, &errored}) {
    if (!group->unreadable(key)) continue;
    flags.unreadable = true;
    oddities.push_back(fmt::format("{}.{} is no boolean", group->path, key));
  }
  return flags;
}

// A token that the end user must act on. Any value but null, false and "" says so: a wrong guess
// here only asks a person to look.
bool is_set(const json::object& object, std::string_view key) {
  const json::value* const value = find(&object, key);
  if (value == nullptr || value->is_null()) return false;
  if (value->is_bool()) return value->get_bool();
  return !value->is_string() || !value->get_string().empty();
}

std::string storable_text_at(const json::object& object, std::string_view key) {
  const json::value* const value = find(&object, key);
  if (value == nullptr || !value->is_string()) return {};
  // Postgres text holds no U+0000, and a name needs none.
  std::string text{value->get_string().data(), value->get_string().size()};
  std::erase(text, '\0');
  return text;
}

// Unix seconds; larger than 1e11 means milliseconds (1e11 s is the year 5138).
std::optional<instant> instant_at(const json::object& object, std::string_view key) {
  const json::value* const value = find(&object, key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  double seconds = value->to_number<double>();
  if (seconds > 1e11) seconds /= 1000;
  if (!(seconds > 0 && seconds <= 1e11)) return std::nullopt;
  return instant{std::chrono::seconds{static_cast<std::int64_t>(seconds)}};
}

// The provider's names of the kinds in its status.
std::string_view status_name_of(product_kind kind) {
  if (kind == product_kind::identity) return "auth";
  if (kind == product_kind::holder) return "holders";
  return to_string(kind);
}

// A key here: of a longer one only the beginning is used.
std::string bank_name(const json::object& status, const call_info& call, int most,
                      std::vector<std::string>& oddities) {
  std::string name = storable_text_at(status, "name");
  secret_mask(call.secrets).apply(name);
  if (is_blank(name)) return {};
  const std::string_view beginning = clipped(name, static_cast<std::size_t>(most));
  if (beginning.size() < name.size()) {
    oddities.push_back(fmt::format("name has more than {} bytes (limits.bank_name_bytes)", most));
    name.resize(beginning.size());
  }
  return name;
}

}  // namespace

credential_status read_status(const answer& a, const call_info& call, int bank_name_bytes) {
  json::error_code bad;
  const json::value body = json::parse(json::string_view{a.body.data(), a.body.size()}, bad);
  const json::object* const object = bad ? nullptr : body.if_object();
  if (object == nullptr) throw from_body(a, call, "an object");
  const std::optional<bool> pending = bool_at(object, "pending");
  if (!pending) {
    const bool error = object->contains("error") || object->contains("message");
    if (error) throw from_body(a, call, "a status");
    failure f{stage::answer, verdict::later, "bad_status",
              fmt::format("{} answered {} with a status that does not say whether it is pending",
                          call.what, a.status)};
    f.http_status = a.status;
    throw f;
  }
  credential_status status;
  status.pending = *pending;
  status.blocked = bool_at(object, "blocked").value_or(false);
  status.reset_required = is_set(*object, "reset_token");
  status.sca_required = is_set(*object, "sca_token");
  status.transaction_token_required = is_set(*object, "transaction_token");
  status.bank = bank_name(*object, call, bank_name_bytes, status.oddities);
  status.last_update = instant_at(*object, "last_update_timestamp");
  status.created_at = instant_at(*object, "created_at_timestamp");
  status.last_transaction_date =
      day_from(storable_text_at(*object, "last_transaction_date").substr(0, 10));
  const flag_group created = group_at(*object, "created", {"transactions", "transaction"});
  const flag_group errored = group_at(*object, "errored", {"transactions", "transaction"});
  for (const product p : all_products) {
    status.transactions[static_cast<std::size_t>(p)] =
        flags_of(created, errored, to_string(p), status.oddities);
  }
  const flag_group made = group_at(*object, "created", {"product"});
  const flag_group broken = group_at(*object, "errored", {"product"});
  for (const product_kind k : all_product_kinds) {
    status.products[static_cast<std::size_t>(k)] =
        flags_of(made, broken, status_name_of(k), status.oddities);
  }
  const json::value* const blocked = find(object, "blocked");
  if (blocked != nullptr && !blocked->is_bool()) status.oddities.push_back("blocked is no boolean");
  return status;
}

}  // namespace flanks
