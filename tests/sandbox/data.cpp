#include "tests/sandbox/data.hpp"

#include <cstring>

#include "tests/sandbox/texts.hpp"

namespace sandbox {
namespace {

constexpr std::array<std::string_view, 4> product_names{"account", "card", "investment",
                                                        "liability"};
constexpr std::array<std::string_view, 4> id_fields{
    ",\"account_id\":\"", ",\"card_id\":\"", ",\"investment_id\":\"", ",\"liability_id\":\""};

void write_hex(char* out, std::uint64_t value, int width) {
  constexpr char digits[] = "0123456789abcdef";
  for (int i = width - 1; i >= 0; --i, value >>= 4)
    out[i] = digits[value & 15U];
}

std::string_view view(const std::array<char, 24>& id) {
  return {id.data(), id.size()};
}

// Cents as "-12.34".
void assign_cents(decimal_text& out, std::int64_t cents) {
  char text[32];
  char* at = text;
  if (cents < 0) *at++ = '-';
  const auto absolute = static_cast<std::uint64_t>(cents < 0 ? -cents : cents);
  at = std::to_chars(at, text + sizeof text, absolute / 100).ptr;
  *at++ = '.';
  *at++ = static_cast<char>('0' + absolute % 100 / 10);
  *at++ = static_cast<char>('0' + absolute % 10);
  out.assign({text, static_cast<std::size_t>(at - text)});
}

const text& pick(std::span<const text> from, std::uint64_t bits) {
  return from[bits % from.size()];
}

void render_value_date(const record& from, std::string& out) {
  if (from.value_date_shape == shape::missing) return;
  if (from.value_date_shape == shape::null) {
    out += ",\"valueDate\":null";
    return;
  }
  out += ",\"valueDate\":\"";
  append_day(out, from.value_date);
  out += from.value_date_shape == shape::with_time ? "T00:00:00\"" : "\"";
}

void render_decimal(std::string_view field, const decimal_text& value, std::string& out) {
  out += field;
  if (value.quoted) out += '"';
  out += value.view();
  if (value.quoted) out += '"';
}

// Missing when there is none.
void render_member(std::string_view field, const text* value, std::string& out) {
  if (value == nullptr) return;
  out += field;
  out += value->json;
  out += '"';
}

void render_description(const record& from, std::string& out) {
  out += ",\"description\":\"";
  out += from.description->json;
  if (from.reference != 0) {
    out += ' ';
    append_number(out, from.reference);
  }
  if (from.version != 0) {
    out += " (RECT. ";
    append_number(out, static_cast<unsigned>(from.version));
    out += ')';
  }
  out += '"';
}

void render_card_and_shop(const record& from, std::string& out) {
  if (from.what == product::card) {
    out += ",\"cardNumber\":\"4548********";
    append_number(out, 1000U + static_cast<unsigned char>(from.product_id[22]));
    out += '"';
  } else {
    out += ",\"cardNumber\":null";
  }
  if (from.shop_shape == shape::null) out += ",\"shop\":null";
  if (from.shop_shape == shape::empty) out += ",\"shop\":\"\"";
  render_member(",\"shop\":\"", from.shop, out);
}

void render_transfer(const record& from, std::string& out) {
  if (!from.transfer) return;
  out += ",\"transfer\":{\"beneficiary\":\"";
  out += pick(people(), from.salt >> 3).json;
  out += "\",\"ibanBeneficiary\":\"ES91";
  append_number(out, 10000000000000000000ULL | (from.salt >> 1) % 8000000000000000000ULL);
  out += "\",\"payer\":\"";
  out += pick(people(), from.salt >> 11).json;
  out += "\",\"ibanPayer\":";
  if (from.salt % 8 == 0)
    out += "null}";
  else
    out += "\"ES7921000813610123456789\"}";
}

// Fields that no public page names: they must survive digit for digit.
void render_extra(const record& from, std::string& out) {
  if (from.extra == 0) return;
  if ((from.extra & 1) != 0) out += ",\"someFieldOfTomorrow\":{\"k\":[1,2.50,\"x\"]}";
  if ((from.extra & 2) != 0) {
    out += ",\"enrichment\":{\"score\":0.";
    append_number(out, from.salt % 900 + 100);
    out +=
        "0,\"tags\":[\"súper\",\"\\t\",\"\"],\"big\":123456789012345678901234567890,"
        "\"tiny\":1.0E-9,\"nothing\":null,\"ok\":true,\"empty\":{}}";
  }
  if ((from.extra & 4) != 0) out += ",\"mcc\":null,\"labels\":{},\"isRecurring\":false";
  if ((from.extra & 8) != 0) out += ",\"exchangeRate\":1.100,\"clave con espacios y ñ\":\"\\\\N\"";
}

}  // namespace

std::string_view name_of(product p) {
  return product_names[static_cast<std::size_t>(p)];
}

std::optional<product> product_from(std::string_view name) {
  for (const auto p : all_products)
    if (name_of(p) == name) return p;
  return std::nullopt;
}

void decimal_text::assign(std::string_view value) {
  size = static_cast<std::uint8_t>(std::min(value.size(), digits.size()));
  std::memcpy(digits.data(), value.data(), size);
}

std::string record::description_text() const {
  std::string out = description->raw;
  if (reference != 0) out += " " + std::to_string(reference);
  if (version != 0) out += " (RECT. " + std::to_string(version) + ")";
  return out;
}

generator::generator(std::uint64_t seed, bool oddities) : seed_(seed), oddities_(oddities) {}

void generator::write_id(const operation& which, char* out) const {
  const std::uint64_t key =
      (std::uint64_t{which.ledger} << 32) ^ (std::uint64_t{which.id_version} << 56) ^ which.ordinal;
  write_hex(out, mix(seed_, which.ledger) >> 36 | 0x60000000U, 8);
  write_hex(out + 8, mix(key ^ mix(seed_)), 16);
}

void generator::write_product_id(std::uint32_t ledger, unsigned n, char* out) const {
  write_hex(out, 0x65F0A1B2U, 8);
  write_hex(out + 8, mix((std::uint64_t{ledger} << 8 | n) ^ mix(seed_ + 1)), 16);
}

void generator::make(const operation& which, record& out) const {
  const std::uint64_t bits = mix(mix(seed_ ^ (std::uint64_t{which.ledger} << 32)), which.ordinal);
  write_id(which, out.id.data());
  const auto n = static_cast<unsigned>(bits >> 60) % products_in_ledger;
  write_product_id(which.ledger, n, out.product_id.data());
  write_product_id(which.ledger, 100, out.portfolio_id.data());
  out.what = which.what;
  out.version = which.version;
  out.entity = which.entity;
  out.salt = mix(bits);
  // A correction changes the content: the amount always, the description by its suffix.
  make_amounts(which.version == 0 ? mix(bits + 1) : mix(bits + 1, which.version), out);
  make_dates(mix(bits + 2), which, out);
  make_texts(mix(bits + 3), which, out);
}

void generator::make_amounts(std::uint64_t bits, record& out) const {
  const auto cents = static_cast<std::int64_t>(bits % 300000) + 1;
  out.amount.quoted = false;
  out.balance.quoted = false;
  assign_cents(out.amount, (bits >> 20) % 8 == 0 ? cents : -cents);
  assign_cents(out.balance, static_cast<std::int64_t>(bits >> 24) % 2000000 - 100000);
  out.balance_shape = shape::plain;
  if (!oddities_) return;
  switch ((bits >> 48) % 96) {
    case 0:
      out.amount.assign("0.1");
      break;
    case 1:
      out.amount.assign("1E+2");
      break;
    case 2:
      out.amount.assign("1e-7");
      break;
    case 3:
      out.amount.assign("123456789012345678.123456789012345678");
      break;
    case 4:
      out.amount.assign("-0.123456789012345678");
      break;
    case 5:
      out.amount.assign("1500.10");
      out.amount.quoted = true;
      break;
    case 6:
      out.amount.assign("-0.00");
      break;
    case 7:
      out.amount.assign("-1500");
      break;
    case 8:
      out.amount.assign("-1.5E3");
      break;
    case 9:
      out.amount.assign("100.0000");
      break;
    case 10:
      out.amount.assign("0");
      break;
    case 11:
      out.amount.assign("9007199254740993");
      break;
    case 12:
      out.amount.assign("-42.195");
      out.amount.quoted = true;
      break;
    case 13:
      out.amount.assign("12.5e-1");
      break;
    default:
      break;
  }
  switch ((bits >> 56) % 24) {
    case 0:
      out.balance_shape = shape::null;
      break;
    case 1:
      out.balance_shape = shape::missing;
      break;
    case 2:
      out.balance.quoted = true;
      break;
    case 3:
      out.balance.assign("-0.0");
      break;
    case 4:
      out.balance.assign("1.00E+6");
      break;
    default:
      break;
  }
}

void generator::make_dates(std::uint64_t bits, const operation& which, record& out) const {
  out.date = which.date;
  out.date_shape = shape::plain;
  out.value_date = which.date + std::chrono::days(bits % 3);
  out.value_date_shape = shape::plain;
  if (!oddities_) return;
  if ((bits >> 8) % 16 == 0) out.date_shape = shape::with_time;
  switch ((bits >> 16) % 16) {
    case 0:
      out.value_date_shape = shape::with_time;
      break;
    case 1:
      out.value_date_shape = shape::null;
      break;
    case 2:
      out.value_date_shape = shape::missing;
      break;
    default:
      break;
  }
}

void generator::make_texts(std::uint64_t bits, const operation& which, record& out) const {
  out.description = &pick(plain_descriptions(), bits);
  out.reference = static_cast<std::uint32_t>((bits >> 8) % 900000) + 100000;
  out.currency = "EUR";
  out.category = &pick(categories(), bits >> 16);
  const auto kind = static_cast<std::size_t>(which.what) * 2;
  out.product_description = &product_descriptions()[kind + (out.product_id[23] & 1)];
  out.shop = which.what == product::card ? &pick(shops(), bits >> 24) : nullptr;
  out.shop_shape = out.shop != nullptr ? shape::plain : shape::null;
  out.transfer = which.what == product::account && (bits >> 32) % 4 == 0;
  out.extra = 0;
  if (!oddities_) return;
  if ((bits >> 36) % 8 == 0) {
    out.description = &pick(odd_descriptions(), bits >> 40);
    if ((bits >> 46) % 2 == 0) out.reference = 0;
  }
  if ((bits >> 47) % 10 == 0) out.currency = "USD";
  if ((bits >> 50) % 16 == 0) out.category = nullptr;
  if (out.shop == nullptr && (bits >> 52) % 4 == 0) out.shop_shape = shape::empty;
  if (out.shop == nullptr && (bits >> 52) % 4 == 1) out.shop_shape = shape::missing;
  if ((bits >> 54) % 8 == 0) out.extra = static_cast<std::uint8_t>(bits >> 58 & 15U);
}

void generator::render(const record& from, std::string& out) {
  out += "{\"_id\":\"";
  out += view(from.id);
  out += '"';
  out += id_fields[static_cast<std::size_t>(from.what)];
  out += view(from.product_id);
  if (from.what == product::investment) {
    out += "\",\"portfolio_id\":\"";
    out += view(from.portfolio_id);
  }
  out += '"';
  render_decimal(",\"amount\":", from.amount, out);
  if (from.balance_shape == shape::plain) render_decimal(",\"balance\":", from.balance, out);
  if (from.balance_shape == shape::null) out += ",\"balance\":null";
  out += ",\"currency\":\"";
  out += from.currency;
  out += "\",\"operationDate\":\"";
  append_day(out, from.date);
  out += from.date_shape == shape::with_time ? "T00:00:00\"" : "\"";
  render_value_date(from, out);
  render_description(from, out);
  render_member(",\"productDescription\":\"", from.product_description, out);
  render_member(",\"category\":\"", from.category, out);
  out += ",\"entity\":\"";
  out += from.entity;
  out += '"';
  render_card_and_shop(from, out);
  render_transfer(from, out);
  render_extra(from, out);
  out += '}';
}

}  // namespace sandbox
