// Products and transactions of one credential (contract, section 3).
#include <boost/json.hpp>

#include "tests/sandbox/provider.hpp"

namespace sandbox {
namespace {

namespace json = boost::json;

std::string text_id(const generator& data, std::uint32_t ledger, unsigned n) {
  char id[24];
  data.write_product_id(ledger, n, id);
  return {id, sizeof id};
}

std::string iban_of(std::uint64_t bits) {
  std::string out = "ES" + std::to_string(10 + bits % 89);
  out += std::to_string(1000000000ULL + (bits >> 8) % 9000000000ULL);
  out += std::to_string(1000000000ULL + (bits >> 24) % 9000000000ULL);
  return out;
}

// Balances as text with two digits: a double would print 2413.43 as it likes.
std::string money(std::uint64_t bits) {
  return std::to_string(bits % 50000) + "." + std::to_string(10 + (bits >> 20) % 90);
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out += ",\"";
  out += name;
  out += "\":";
  append_quoted(out, text);
}

void append_raw(std::string& out, std::string_view name, std::string_view value) {
  out += ",\"";
  out += name;
  out += "\":";
  out += value;
}

void append_account(std::string& out, std::uint64_t bits, std::int64_t updated) {
  append_member(out, "iban", iban_of(bits));
  append_member(out, "alias", "Nómina");
  append_raw(out, "balance", money(bits));
  append_member(out, "currency", "EUR");
  append_member(out, "description", "Cuenta nómina");
  append_raw(out, "isOwner", "true");
  append_raw(out, "numOwners", "2");
  append_raw(out, "owners", R"(["Ana Ejemplo","Luisa Ejemplo"])");
  append_raw(out, "type", "100");
  append_raw(out, "updated_at_timestamp", std::to_string(updated));
}

void append_investment(std::string& out, std::uint64_t bits, const std::string& portfolio) {
  append_member(out, "portfolio_id", portfolio);
  append_member(out, "isin", "ES0" + std::to_string(100000000 + bits % 900000000));
  append_raw(out, "cusip", "null");
  append_member(out, "symbol", "EJM");
  append_raw(out, "amount", std::to_string(bits % 1000) + ".123456");
  append_raw(out, "balance", money(bits));
  append_member(out, "currency", "EUR");
  append_member(out, "type", "fund");
}

void append_liability(std::string& out, std::uint64_t bits) {
  append_member(out, "type", "mortgage");
  append_raw(out, "balance", "-" + money(bits));
  append_raw(out, "availableBalance", "0.00");
  append_raw(out, "limit", "150000.00");
  append_member(out, "currency", "EUR");
}

void append_card(std::string& out, std::uint64_t bits) {
  append_member(out, "pan", "4548********" + std::to_string(1000 + bits % 9000));
  append_raw(out, "balance", "-" + money(bits));
  append_raw(out, "limit", "1500.00");
  append_member(out, "currency", "EUR");
}

}  // namespace

void append_product(const world& from, std::uint32_t credential, product p, unsigned n,
                    std::string& out) {
  const auto ledger = from.ledger_number(credential, p);
  const auto id = text_id(from.data(), ledger, n);
  const auto bits = mix(mix(from.options().seed, ledger), n);
  out += "{\"_id\":\"" + id + "\"";
  append_member(out, std::string(name_of(p)) + "_id", id);
  append_member(out, "entity", from.bank_of(credential));
  switch (p) {
    case product::account:
      append_account(out, bits, from.at(credential).last_update);
      break;
    case product::card:
      append_card(out, bits);
      break;
    case product::investment:
      append_investment(out, bits, text_id(from.data(), ledger, 100));
      break;
    case product::liability:
      append_liability(out, bits);
      break;
  }
  out += '}';
}

// Pending or never extracted: the old style, 200 with an object. Extraction failed: 500, unless the
// client asked to see the data all the same.
std::optional<reply> provider::unavailable(const call& c, std::string_view part,
                                           std::string_view name) {
  const json::object status = world_.status_of(*c.credential);
  const auto flag = [&](const char* which) {
    const auto* group = status.if_contains(which);
    const auto* section = group != nullptr ? group->if_object() : nullptr;
    const auto* inner =
        section != nullptr ? section->if_contains({part.data(), part.size()}) : nullptr;
    const auto* object = inner != nullptr ? inner->if_object() : nullptr;
    const auto* value =
        object != nullptr ? object->if_contains({name.data(), name.size()}) : nullptr;
    return value != nullptr ? *value == true : std::string_view(which) == "created";
  };
  if (status.at("pending") == true || !flag("created"))
    return text_reply(200, R"({"message": "credentials are being processed"})");
  const auto* ignore = c.body.if_contains("ignore_data_error");
  const bool ignored = ignore != nullptr && *ignore == true;
  if (flag("errored") && !ignored) return text_reply(500, R"({"error": "Internal Error"})");
  return std::nullopt;
}

template <product P>
reply provider::transactions(const call& c) {
  auto wrong = unknown_members(c.body, {"credentials_token", "query", "ignore_data_error"});
  const auto* ignore = c.body.if_contains("ignore_data_error");
  if (ignore != nullptr && !ignore->is_bool())
    wrong.push_back({"type_error.bool", "ignore_data_error"});
  query filter;
  if (const auto* asked = c.body.if_contains("query")) {
    auto read = query::read(*asked);
    if (auto* complaints = std::get_if<1>(&read))
      wrong.insert(wrong.end(), complaints->begin(), complaints->end());
    else
      filter = std::move(std::get<0>(read));
  }
  if (c.broken && c.broken->refuses(filter.days(), world_.today()))
    wrong.push_back({"value_error.date.range", c.broken->refused_field()});
  if (!wrong.empty()) return invalid(wrong);
  if (auto no = unavailable(c, "transactions", name_of(P))) return std::move(*no);
  reply out;
  const ledger asked = world_.ledger_of(*c.credential, P);
  if (c.broken) {
    out.body = std::make_unique<transactions_body>(world_.data(), asked, std::move(filter),
                                                   c.broken->additions());
  } else {
    out.body = arrays_.body(world_.data(), asked, std::move(filter));
  }
  return out;
}

void provider::changed(std::uint32_t credential) {
  for (const product p : all_products)
    if (world_.has(p)) arrays_.make_anew(world_.data(), world_.ledger_of(credential, p));
}

template <product P>
reply provider::products(const call& c) {
  const auto wrong = unknown_members(c.body, {"credentials_token", "query", "ignore_data_error"});
  if (!wrong.empty()) return invalid(wrong);
  if (auto no = unavailable(c, "product", name_of(P))) return std::move(*no);
  std::string body = "[";
  if (const script* shows = world_.script_of(*c.credential)) {
    for (const auto& text : shows->products[static_cast<std::size_t>(P)]) {
      if (body.size() > 1) body += ",\n";
      body += text;
    }
    return text_reply(200, body + "]");
  }
  for (unsigned n = 0; world_.has(P) && n < generator::products_in_ledger; ++n) {
    if (n > 0) body += ",\n";
    append_product(world_, *c.credential, P, n, body);
  }
  return text_reply(200, body + "]");
}

reply provider::portfolio(const call& c) {
  if (auto no = unavailable(c, "product", "portfolio")) return std::move(*no);
  if (!world_.has(product::investment) || world_.script_of(*c.credential) != nullptr)
    return text_reply(200, "[]");
  const auto ledger = world_.ledger_number(*c.credential, product::investment);
  const auto accounts = world_.ledger_number(*c.credential, product::account);
  std::string body = "[{\"_id\":\"" + text_id(world_.data(), ledger, 100) + "\"";
  append_member(body, "portfolio_id", text_id(world_.data(), ledger, 100));
  append_member(body, "type", "discretionary");
  append_raw(body, "balance", money(mix(ledger)));
  append_member(body, "refAccount", text_id(world_.data(), accounts, 0));
  return text_reply(200, body + "}]");
}

// One object, not an array.
reply provider::identity(const call& c) {
  if (auto no = unavailable(c, "product", "auth")) return std::move(*no);
  if (world_.script_of(*c.credential) != nullptr) return text_reply(200, "{}");
  const json::object body{
      {"_id", "identity-" + std::to_string(*c.credential + 1)},
      {"name", "Ana Ejemplo"},
      {"contactInfo", {{"email", "ana@example.org"}, {"phone", "+34 600 000 000"}}},
      {"address", "C/ Alcalá 1, 28014 Madrid"}};
  return text_reply(200, json::serialize(body));
}

reply provider::holder(const call& c) {
  if (auto no = unavailable(c, "product", "holders")) return std::move(*no);
  if (world_.script_of(*c.credential) != nullptr) return text_reply(200, "[]");
  json::array body;
  for (const auto p : world_.options().products)
    body.push_back(json::object{
        {"product_id", text_id(world_.data(), world_.ledger_number(*c.credential, p), 0)},
        {"rel", "Titular"},
        {"name", "Ana Ejemplo"},
        {"document", "00000000T"}});
  return text_reply(200, json::serialize(body));
}

template reply provider::transactions<product::account>(const call&);
template reply provider::transactions<product::card>(const call&);
template reply provider::transactions<product::investment>(const call&);
template reply provider::transactions<product::liability>(const call&);
template reply provider::products<product::account>(const call&);
template reply provider::products<product::card>(const call&);
template reply provider::products<product::investment>(const call&);
template reply provider::products<product::liability>(const call&);

}  // namespace sandbox
