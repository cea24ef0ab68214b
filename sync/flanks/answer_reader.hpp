// The body of a transactions answer: recognised when it is the expected one, read otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sync/answer_digest.hpp"
#include "sync/flanks/parse.hpp"
#include "sync/flanks_api.hpp"

namespace flanks {

class answer_reader {
 public:
  // `question`: as answer_hasher says; `seed`: for an answer that nobody expects.
  answer_reader(call_info call, std::string_view question, std::uint64_t seed,
                std::optional<known_answer> expected);

  // Reads on. Throws failure when the body cannot be what was asked for.
  void feed(std::string_view bytes);
  // The body has ended. Throws failure unless it is a whole answer.
  void finish();

  // A batch is to be handed on, in the order of arrival.
  [[nodiscard]] bool ready() const { return parser_.ready(); }
  [[nodiscard]] transaction_batch next() { return parser_.next(); }

  // After finish(), without the times.
  [[nodiscard]] response_summary summary() const;

 private:
  void read_held();

  std::optional<known_answer> expected_;
  answer_hasher hasher_;
  transaction_parser parser_;
  std::string held_;  // what has come, while it may be the expected answer
  bool holding_;
  std::int64_t bytes_ = 0;
};

}  // namespace flanks
