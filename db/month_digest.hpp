// Which operations of a month are shown, and with what content, in 16 bytes: the sum of their
// hashes, in whatever order they come. The keys in it are seeded, so nobody can make up two months
// that have the same; by chance they have it once in 2^128. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "db/known_rows.hpp"

namespace flanks {

class month_digest {
 public:
  // One that is not removed.
  void add(const known_rows::row& r);
  [[nodiscard]] std::int64_t count() const { return count_; }
  // As it is stored: 16 bytes, the lowest first.
  [[nodiscard]] std::string bytes() const;

 private:
  std::uint64_t high_ = 0, low_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace flanks
