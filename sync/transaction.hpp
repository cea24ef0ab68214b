// One operation as the provider sent it, mapped to the columns of flanks.transactions: text all the
// way, no binary float anywhere. A batch owns the text of its transactions. This file knows neither
// JSON nor SQL.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sync/column.hpp"
#include "sync/types.hpp"

namespace flanks {

// The columns of flanks.transactions that come from the provider. The table may hold
// them in another order: a migration adds a column at the end.
enum class column : std::uint8_t {
  id,
  account_id,
  card_id,
  investment_id,
  liability_id,
  portfolio_id,
  operation_date,
  value_date,
  amount,
  currency,
  balance,
  description,
  product_description,
  category,
  shop,
  entity,
  card_number,
  transfer,  // a JSON object as sent
  extra,     // a JSON object of every field that has no column; null when there is none
};
// The same, with their SQL names: every statement takes them from here.
inline constexpr std::array transaction_columns{
    table_column{"_id"},
    table_column{"account_id"},
    table_column{"card_id"},
    table_column{"investment_id"},
    table_column{"liability_id"},
    table_column{"portfolio_id"},
    table_column{"operation_date", column_type::date},
    table_column{"value_date", column_type::date},
    table_column{"amount", column_type::decimal},
    table_column{"currency"},
    table_column{"balance", column_type::decimal},
    table_column{"description"},
    table_column{"product_description"},
    table_column{"category"},
    table_column{"shop"},
    table_column{"entity"},
    table_column{"card_number"},
    table_column{"transfer", column_type::json},
    table_column{"extra", column_type::json},
};
inline constexpr std::size_t column_count = transaction_columns.size();
static_assert(static_cast<std::size_t>(column::extra) + 1 == column_count);
[[nodiscard]] constexpr std::string_view name_of(column c) {
  return transaction_columns[static_cast<std::size_t>(c)].name;
}
// Names the operation or a product; at most 256 bytes (sync/flanks/record.hpp).
[[nodiscard]] constexpr bool is_id(column c) {
  return c <= column::portfolio_id;
}
// Takes any string as it is.
[[nodiscard]] constexpr bool is_free_text(column c) {
  return c > column::value_date && c < column::transfer && c != column::amount &&
         c != column::balance;
}
constexpr bool kinds_fit_the_columns() {
  for (std::size_t i = 0; i < column_count; ++i) {
    const auto c = static_cast<column>(i);
    const table_column& t = transaction_columns[i];
    if (is_id(c) != t.name.ends_with("_id")) return false;
    if (is_free_text(c) != (t.type == column_type::text && !is_id(c))) return false;
  }
  return true;
}
static_assert(kinds_fit_the_columns(),
              "a column is out of place; sync/flanks/plain_record and record_handler go by these");

// 128 bits of XXH3 over the provider's columns (id excluded: it is the key), under the content key
// of the database. Equal content, equal hash.
struct content_hash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  bool operator==(const content_hash&) const = default;
};

// SQL null is a view whose data() is nullptr; the empty string is not null.
struct transaction {
  std::array<std::string_view, column_count> values{};
  content_hash hash;  // set by transaction_batch::hash_content()

  [[nodiscard]] std::string_view operator[](column c) const {
    return values[static_cast<std::size_t>(c)];
  }
  [[nodiscard]] bool is_null(column c) const { return (*this)[c].data() == nullptr; }
  [[nodiscard]] std::string_view id() const { return (*this)[column::id]; }
};

// A random value of the database (flanks_internal.secrets): who does not know it cannot make two
// contents with one hash, which would hide a correction. (Without a key XXH3 is no obstacle:
// tests/unit/content_hash_test.cpp makes two printable texts that have one.)
class content_key {
 public:
  static constexpr std::size_t size = 192;  // bytes
  // Throws std::length_error for any other number of bytes.
  explicit content_key(std::string_view bytes);
  [[nodiscard]] const char* data() const { return bytes_.data(); }

 private:
  std::array<char, size> bytes_;
};
// Hashes every column but `id`, nulls told apart from empty strings. `text`: where most of the
// values lie, so that what is beside them may be read too; it changes nothing but the time.
[[nodiscard]] content_hash hash_of(const transaction& t, const content_key& key,
                                   std::string_view text = {});

// Why a record could not be stored as it came (flanks.quarantine).
struct rejected_record {
  std::string reason;      // short and stable: "missing_id", "bad_amount", "impossible_date",
                           // "nul_character", ...
  std::string detail;      // for people: which field, what is wrong; never longer than 500 bytes
  std::string id;          // its _id when it has a usable one, else empty
  std::string raw;         // the bytes of the record, at most `raw_limit`; the rest is cut
  bool truncated = false;  // raw was cut
  bool stored_anyway = false;  // a warning: the row is stored with U+FFFD in place of U+0000
  static constexpr std::size_t raw_limit = 64 * 1024;
};

// A field that has no column and is not in the API contract (flanks.unknown_fields).
struct unknown_record_field {
  std::string path;
  std::string_view json_type;  // string, number, boolean, null, object or array: a literal
  std::int64_t count = 0;      // records that had it
};

// Append-only text with stable addresses: what it hands out lives as long as it does.
class text_arena {
 public:
  static constexpr std::size_t chunk_size = 64 * 1024;  // bytes; a longer text has its own

  // Copies `text`; the view is never null, also for the empty string.
  std::string_view copy(std::string_view text);
  // Room for `size` bytes to be written by the caller.
  char* reserve(std::size_t size) {
    if (left_ < size || next_ == nullptr) add_chunk(size);
    char* const at = next_;
    next_ += size;
    left_ -= size;
    bytes_ += size;
    return at;
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // What was written into the chunk that is being filled.
  [[nodiscard]] std::string_view newest() const {
    if (chunks_.empty()) return {};
    return {chunks_.back().get(), static_cast<std::size_t>(next_ - chunks_.back().get())};
  }

 private:
  void add_chunk(std::size_t at_least);

  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t bytes_ = 0;
};

// Some records of one response, in the order in which they came. Move only.
struct transaction_batch {
  text_arena text;
  std::vector<transaction> transactions;
  std::vector<rejected_record> rejected;
  std::vector<unknown_record_field> unknown;  // of these records; each one once

  [[nodiscard]] bool empty() const { return transactions.empty() && rejected.empty(); }
  // Array elements that this batch stands for (a warning belongs to a stored transaction).
  [[nodiscard]] std::int64_t elements() const;
  // What it holds in memory, about.
  [[nodiscard]] std::size_t bytes() const;
  // Hashes all transactions.
  void hash_content(const content_key& key);
};

}  // namespace flanks
