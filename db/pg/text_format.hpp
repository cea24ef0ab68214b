// The text formats of PostgreSQL that we write: COPY rows, array literals, bytea, uuid. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sync/transaction.hpp"

namespace flanks {

// Appends one field of COPY text format (PostgreSQL 15, sql-copy "Text Format"); null when data()
// is nullptr.
void append_copy_field(std::string& out, std::string_view value);

// Appends one transaction as a line of COPY: credential_id, product, content_hash, then the
// provider's columns in table order.
void append_copy_row(std::string& out, credential_id credential, product what,
                     const transaction& t);

// 128 bits as a uuid, 8-4-4-4-12, and back from the 16 bytes of the binary format.
void append_uuid(std::string& out, const content_hash& hash);
[[nodiscard]] std::string uuid_text(const content_hash& hash);
[[nodiscard]] content_hash uuid_from_bytes(const char* bytes);
// As PostgreSQL prints it.
[[nodiscard]] content_hash uuid_from_text(std::string_view text);

// Well-formed UTF-8 without U+0000, at most `limit` bytes: what is not becomes '?'.
[[nodiscard]] std::string storable_text(std::string_view text, std::size_t limit);

// What is said of a failure, whoever's words they are: recording it must not fail of them.
[[nodiscard]] inline std::string storable_words(std::string_view words) {
  return storable_text(words, 4000);
}

// A random (version 4) uuid.
[[nodiscard]] std::string random_uuid();

// One JSON object of the transaction's columns, null ones left out: what quarantine shows of a
// conflict.
[[nodiscard]] std::string to_json(const transaction& t);

// An array literal, element after element: {"a",NULL,"b"}.
class array_literal {
 public:
  // Null when data() is nullptr.
  void add(std::string_view value);
  void add_bytes(std::string_view bytes);  // bytea, as "\\x..."
  void add(std::int64_t value);
  [[nodiscard]] bool empty() const { return text_.size() == 1; }
  // Ends the literal.
  [[nodiscard]] std::string take();

 private:
  void separate();
  std::string text_ = "{";
};

}  // namespace flanks
