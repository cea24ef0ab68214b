// What a whole answer is recognised by, so that one that says the same as the one before need not
// be read again. Equal bytes to an equal question: nothing is interpreted.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "sync/transaction.hpp"

namespace flanks {

// A larger one is not recognised: it would have to be held whole until its last byte.
inline constexpr std::int64_t recognised_at_most = std::int64_t{1024} * 1024;

// 128 bits of XXH3 over question and answer. The seed is random, so that nobody can prepare two
// answers that meet.
struct answer_digest {
  std::uint64_t seed = 0;
  content_hash hash;
  std::int64_t bytes = 0;  // of the answer
  // 64 bits of the question alone: enough to guess that another answer is one to the same question.
  std::uint64_t question = 0;
  bool operator==(const answer_digest&) const = default;
};

// An answer that the database holds exactly: nothing of the list was touched since.
struct known_answer {
  answer_digest digest;
  std::int64_t records = 0;
  bool operator==(const known_answer&) const = default;
};

// Makes a digest while the answer comes in.
class answer_hasher {
 public:
  // `question`: all that the answer, and what we make of it, depends on.
  answer_hasher(std::uint64_t seed, std::string_view question);
  ~answer_hasher();
  answer_hasher(const answer_hasher&) = delete;
  answer_hasher& operator=(const answer_hasher&) = delete;

  void add(std::string_view piece);
  // Of the question that `other` is for.
  [[nodiscard]] bool asks_as(const answer_digest& other) const {
    return question_ == other.question;
  }
  [[nodiscard]] answer_digest digest() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
  std::uint64_t seed_;
  std::uint64_t question_;
  std::int64_t bytes_ = 0;
};

}  // namespace flanks
