// What the database holds of one window, small enough to keep: 32 bytes a row, whatever the row's
// size. Pure.
//
// A row is known by 125 bits of XXH3 over its _id, seeded anew by each table so that nobody can
// prepare two ids that meet. A meeting by chance has a probability below 2^-64 for a billion rows;
// and it could only make a row be taken for unchanged when the 128 bits of the content meet as
// well. Everything that writes names the _id itself.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "sync/transaction.hpp"

namespace flanks {

class known_rows {
 public:
  // A stored row, and what this response has done with it.
  class row {
   public:
    row(std::uint64_t high, std::uint64_t low, const content_hash& content, bool doubtful)
        : content_(content), high_(high), low_((low & ~flags) | (doubtful ? doubtful_bit : 0)) {}

    [[nodiscard]] const content_hash& content() const { return content_; }
    // Equal content is not enough to leave it alone: it is removed, or its owner is.
    [[nodiscard]] bool doubtful() const { return (low_ & doubtful_bit) != 0; }
    // Another credential's row that ours shows too.
    [[nodiscard]] bool joint() const { return (low_ & joint_bit) != 0; }
    [[nodiscard]] bool seen() const { return (low_ & seen_bit) != 0; }
    // This response shows it, and it is (or is about to be) stored with this content.
    void see(const content_hash& content) {
      content_ = content;
      low_ = (low_ | seen_bit) & ~doubtful_bit;
    }

   private:
    friend class known_rows;
    static constexpr std::uint64_t doubtful_bit = 1, seen_bit = 2, joint_bit = 4, flags = 7;
    content_hash content_;
    std::uint64_t high_, low_;  // the key; the three lowest bits are flags
  };

  explicit known_rows(std::uint64_t seed) : seed_(seed) {}

  void add(std::string_view id, const content_hash& content, bool doubtful, bool joint);
  // Call once, after the last add() and before the first find().
  void seal();
  // Null when there is none.
  [[nodiscard]] row* find(std::string_view id);
  [[nodiscard]] std::size_t size() const { return rows_.size(); }
  // Rows that the provider showed when they were read back.
  [[nodiscard]] std::int64_t live() const { return live_; }
  // Whether this response has shown all of those.
  [[nodiscard]] bool all_seen() const;
  // 64 bits of XXH3 over any _id, stored or not, with the same seed.
  [[nodiscard]] std::uint64_t short_key_of(std::string_view id) const;

 private:
  [[nodiscard]] row key_of(std::string_view id) const;

  std::uint64_t seed_;
  std::int64_t live_ = 0;
  std::deque<row> rows_;  // grows without copying what it holds; below 2^32 of them
  static constexpr std::uint32_t free_slot = UINT32_MAX;
  std::vector<std::uint32_t> slots_;  // a power of two of them, each the number of a row
};

}  // namespace flanks
