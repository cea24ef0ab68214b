// Bytes of a transactions response -> batches of transactions, incrementally: the array is never
// held whole. Memory is bounded by the largest record and the size of a batch, whatever comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "sync/flanks/element_scanner.hpp"
#include "sync/flanks/errors.hpp"
#include "sync/flanks/record.hpp"
#include "sync/transaction.hpp"

namespace flanks {

struct parse_limits {
  std::size_t batch_records = 128;  // of common ones, about what fits into batch_bytes
  // One chunk of text, so that a record of up to 4 KiB does not begin another one.
  std::size_t batch_bytes = text_arena::chunk_size - std::size_t{4} * 1024;
  std::size_t record_bytes = 1024 * 1024;  // a longer one goes to quarantine as "too_long"
};

class transaction_parser {
 public:
  transaction_parser(call_info call, parse_limits limits);

  // Reads on. Throws failure when the body cannot be what was asked for (API contract, section 3:
  // an array of objects).
  void feed(std::string_view bytes);
  // The body has ended. Throws failure unless the array was closed.
  void finish();

  // A batch is full; or, after finish(), something is left.
  [[nodiscard]] bool ready() const { return !full_.empty(); }
  // The next batch, in the order of arrival. Only when ready().
  [[nodiscard]] transaction_batch next();

  // Array elements handed on or waiting in a batch.
  [[nodiscard]] std::int64_t elements() const { return elements_; }
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }

 private:
  enum class place : std::uint8_t { before, not_an_array, inside, after };

  void begin(std::string_view& bytes);
  void read_elements(std::string_view& bytes);
  bool read_plain(std::string_view& bytes);
  void read_unusual(std::string_view& bytes);
  void keep(std::string_view piece);
  void end_carried(std::string_view last_piece, bool closing);
  void read_element(std::string_view element, bool closing, bool maybe_plain);
  void reject_long_element();
  void count_element();
  void start_batch();
  void finish_batch();

  call_info call_;
  parse_limits limits_;
  place place_ = place::before;
  element_scanner scanner_;
  record_reader reader_;
  bool suspect_ = false;  // one of our secrets stands in the bytes in hand
  transaction_batch batch_;
  std::size_t batch_raw_ = 0;  // bytes of rejected records in batch_
  std::deque<transaction_batch> full_;
  std::string carry_;        // the beginning of an element that has not ended yet
  std::size_t carried_ = 0;  // its bytes so far, also those that were too many to keep
  std::int64_t elements_ = 0;
  std::int64_t no_objects_ = 0;  // of them
  std::int64_t bytes_ = 0;
};

}  // namespace flanks
