// The bytes of one array element -> one transaction, or the reason why not (API contract, section
// 3; design, section 5). It knows the names of the provider's fields; it knows nothing of streams.
//
// How fields become columns:
// - A text column takes a string, or the digits of a number. Anything else (true, an object, a
//   list) stays whole in `extra` under its own name and the column is null.
// - operationDate, valueDate: the first ten characters are the day. When a time follows, the
//   original stays in `extra` too.
// - amount, balance: plain_decimal() of a number or a string.
// - transfer: an object, as compact JSON with its digits as sent.
// - A value that does not fit its column, or is blank where an id, a day or a number belongs, is
//   null there and stays in `extra` as it came; a warning says so unless it is blank. For _id,
//   operationDate and amount it is the record that cannot be stored.
// - Every other field, null included, goes to `extra` in its order, with its digits as sent; a
//   number that jsonb cannot hold as its text, with a warning.
// - U+0000 and half a surrogate pair, which Postgres cannot hold, become U+FFFD, with a warning.
// - A value that is one of our secrets, or holds one, is masked (secret_mask.hpp).
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "sync/secret.hpp"
#include "sync/transaction.hpp"

namespace flanks {

class record_reader {
 public:
  // The secrets must outlive it.
  explicit record_reader(const std::vector<const secret*>& secrets = {});
  // Of records of Aggregation v2 (API contract, section 5) of one product.
  record_reader(const std::vector<const secret*>& secrets, product listed);
  ~record_reader();
  record_reader(const record_reader&) = delete;
  record_reader& operator=(const record_reader&) = delete;

  // Whether a record as nearly all are begins `bytes`: how many of them it is made of; 0 when it is
  // not, or when its end has not come yet. The batch keeps its rows.
  [[nodiscard]] std::size_t find_plain(std::string_view bytes, transaction_batch& batch);
  // Adds the record that find_plain() has just found; its bytes must still be there.
  void take_plain(transaction_batch& batch);

  // Adds what `element` is to the batch: a transaction (its text copied into the batch once), a
  // rejected record, or both for a warning. False when it is not JSON in valid UTF-8: then the
  // response as a whole cannot be trusted, and the batch is as it was.
  [[nodiscard]] bool read(std::string_view element, transaction_batch& batch);
  // Whether a secret stands in `bytes` as it is: then nothing in them is plain.
  [[nodiscard]] bool holds_secret(std::string_view bytes) const;
  [[nodiscard]] std::string masked(std::string_view bytes) const;
  // The same as read() without trying find_plain() first.
  [[nodiscard]] bool read_unusual(std::string_view element, transaction_batch& batch);
  // The fields without a column of what was read since the last call.
  [[nodiscard]] std::vector<unknown_record_field> take_unknown();

 private:
  struct parser;
  std::unique_ptr<parser> parser_;
};

// A rejected record with its bytes, cut to rejected_record::raw_limit.
[[nodiscard]] rejected_record reject(std::string_view reason, std::string_view detail,
                                     std::string_view id, std::string_view bytes);

// Of a list of which nothing else came.
[[nodiscard]] bool nothing_is_an_object(const std::vector<rejected_record>& rejected);

inline constexpr std::size_t longest_id = 256;  // bytes: _id and the ids of products
inline constexpr int deepest_record = 32;       // levels of nesting inside of one record

}  // namespace flanks
