#include "sync/flanks/answer_reader.hpp"

#include <utility>

namespace flanks {

answer_reader::answer_reader(call_info call, std::string_view question, std::uint64_t seed,
                             std::optional<known_answer> expected)
    : expected_(expected),
      hasher_(expected ? expected->digest.seed : seed, question),
      parser_(std::move(call), parse_limits{}),
      holding_(expected && expected->digest.bytes <= recognised_at_most) {}

void answer_reader::feed(std::string_view bytes) {
  bytes_ += static_cast<std::int64_t>(bytes.size());
  if (bytes_ <= recognised_at_most) hasher_.add(bytes);
  if (holding_ && bytes_ <= expected_->digest.bytes) {
    if (held_.empty()) held_.reserve(static_cast<std::size_t>(expected_->digest.bytes));
    held_.append(bytes);
    return;
  }
  read_held();
  parser_.feed(bytes);
}

void answer_reader::finish() {
  if (holding_ && hasher_.digest() == expected_->digest) {
    held_ = {};
    return;
  }
  read_held();
  parser_.finish();
}

void answer_reader::read_held() {
  holding_ = false;
  if (!held_.empty()) parser_.feed(std::exchange(held_, {}));
}

response_summary answer_reader::summary() const {
  response_summary summary;
  summary.bytes = bytes_;
  if (holding_) {
    summary.as_expected = true;
    summary.answer = expected_;
    summary.elements = expected_->records;
    return summary;
  }
  summary.elements = parser_.elements();
  summary.not_as_expected = expected_ && hasher_.asks_as(expected_->digest);
  if (bytes_ <= recognised_at_most) summary.answer = {hasher_.digest(), parser_.elements()};
  return summary;
}

}  // namespace flanks
