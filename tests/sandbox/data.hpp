// The bank data: makes the n-th operation of a ledger from the seed, the same every time, so that a
// million of them need no memory. Knows nothing of credentials or HTTP.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/sandbox/json_text.hpp"

namespace sandbox {

enum class product : std::uint8_t { account, card, investment, liability };
inline constexpr std::array all_products{product::account, product::card, product::investment,
                                         product::liability};
[[nodiscard]] std::string_view name_of(product p);
[[nodiscard]] std::optional<product> product_from(std::string_view name);

// Well mixed bits of a number and of a pair (splitmix64). mix(x) is a bijection: ids cannot
// collide.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  return mix(mix(a) ^ b);
}

// Which operation: the n-th of a ledger, in some version of its content and of its id.
struct operation {
  product what = product::account;
  std::uint32_t ledger = 0;
  std::uint64_t ordinal = 0;
  std::uint8_t version = 0;     // content: the provider corrected it so many times
  std::uint8_t id_version = 0;  // the provider gave it a new _id so many times
  day date;
  std::string_view entity;  // bank id, no characters that need escaping
};

// A string in two spellings: as it is, and as the inside of a JSON string.
struct text {
  std::string raw;
  std::string json;
};

// The decimal as it is written, at most 47 characters.
struct decimal_text {
  std::array<char, 48> digits{};
  std::uint8_t size = 0;
  bool quoted = false;  // sent as a string

  [[nodiscard]] std::string_view view() const { return {digits.data(), size}; }
  void assign(std::string_view value);
};

enum class shape : std::uint8_t { plain, with_time, null, missing, empty };

// The fields of one operation, before they become text.
struct record {
  std::array<char, 24> id{};
  std::array<char, 24> product_id{};  // account_id, card_id, ...
  std::array<char, 24> portfolio_id{};
  product what = product::account;
  day date;
  shape date_shape = shape::plain;
  day value_date;
  shape value_date_shape = shape::plain;
  decimal_text amount;
  decimal_text balance;
  shape balance_shape = shape::plain;
  std::string_view currency;
  const text* description = nullptr;
  std::uint32_t reference = 0;  // makes descriptions differ; 0: none is shown
  std::uint8_t version = 0;
  const text* category = nullptr;
  const text* shop = nullptr;  // null: see shop_shape
  shape shop_shape = shape::missing;
  const text* product_description = nullptr;
  std::string_view entity;
  bool transfer = false;
  std::uint8_t extra = 0;  // which unknown fields it has; 0: none
  std::uint64_t salt = 0;  // bits for names and numbers inside the nested parts

  [[nodiscard]] std::string description_text() const;  // unescaped
};

class generator {
 public:
  generator(std::uint64_t seed, bool oddities);

  // Fills every field; the same operation always gives the same record.
  void make(const operation& which, record& out) const;
  // The JSON object, on one line.
  static void render(const record& from, std::string& out);

  // 24 hexadecimal digits, different for every (ledger, ordinal, id version).
  void write_id(const operation& which, char* out) const;
  // The n-th product (account, card, ...) of a ledger.
  void write_product_id(std::uint32_t ledger, unsigned n, char* out) const;
  static constexpr unsigned products_in_ledger = 2;
  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] bool oddities() const { return oddities_; }

 private:
  void make_amounts(std::uint64_t bits, record& out) const;
  void make_dates(std::uint64_t bits, const operation& which, record& out) const;
  void make_texts(std::uint64_t bits, const operation& which, record& out) const;

  std::uint64_t seed_;
  bool oddities_;
};

}  // namespace sandbox
