// The fingerprints of the stored rows of one window: 32 bytes a row, whatever the row's size. Pure.
//
// A row is known by 96 bits of XXH3 over its _id, seeded so that nobody can prepare two ids that
// collide. Among a million rows of one product of one credential a collision by chance has a
// probability below 2^-56, and it could only make a row be taken for unchanged when the 128 bits of
// the content collide as well. Everything that writes names the _id itself.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "sync/transaction.hpp"

namespace flanks {

// A stored row, and what this answer has done with it.
class fingerprint {
 public:
  [[nodiscard]] const content_hash& content() const { return content_; }
  // Its operation_date.
  [[nodiscard]] day on() const;
  // It is removed, or its owner is: equal content is not enough to leave it alone.
  [[nodiscard]] bool gone() const { return (day_and_flags_ & gone_bit) != 0; }
  // Another credential's row that ours shows too.
  [[nodiscard]] bool joint() const { return (day_and_flags_ & joint_bit) != 0; }
  [[nodiscard]] bool seen() const { return (day_and_flags_ & seen_bit) != 0; }
  // Its day is one of the window's.
  [[nodiscard]] bool inside() const { return (day_and_flags_ & inside_bit) != 0; }

 private:
  friend class fingerprint_set;
  static constexpr std::uint32_t gone_bit = 1, seen_bit = 2, joint_bit = 4, inside_bit = 8;
  content_hash content_;
  std::uint64_t high_ = 0;  // the key
  std::uint32_t low_ = 0;
  std::uint32_t day_and_flags_ = 0;
};

class fingerprint_set {
 public:
  // `seed` of the keys; `days` of the window.
  fingerprint_set(std::uint64_t seed, const content_key& key, window days)
      : seed_(seed), key_(key), days_(days) {}

  // `values`: of a row that was read from the table, values_hash_of_row(); 0 for none.
  void add(std::string_view id, const content_hash& content, day on, bool gone, bool joint,
           std::uint64_t values = 0);
  // The form in which a row is kept (flanks_internal.fingerprint_months): its content, key and day,
  // and whether it is gone; all numbers with the lowest byte first.
  static constexpr std::size_t packed_size = 32;
  static std::array<char, packed_size> pack(const fingerprint& f);
  // Adds all of them: `packed` has a multiple of packed_size bytes.
  void add_packed(std::string_view packed);
  // Call once, after the last add() and before the first find().
  void seal();
  // `none` when there is none.
  static constexpr std::size_t none = SIZE_MAX;
  [[nodiscard]] std::size_t index_of(std::string_view id) const;
  [[nodiscard]] fingerprint& at(std::size_t i) { return rows_[i]; }
  [[nodiscard]] const fingerprint* find(std::string_view id) const;
  // Whether the row is stored as the record says: by its content hash, and by its values where they
  // were read.
  [[nodiscard]] bool says(std::size_t i, const transaction& t) const;
  // This answer shows it, and it is (or is about to be) stored with this content.
  void see(std::size_t i, const content_hash& content);
  // Of a row that is not added.
  [[nodiscard]] fingerprint make(std::string_view id, const content_hash& content, day on) const;
  [[nodiscard]] const std::deque<fingerprint>& all() const { return rows_; }
  // Rows of the window's days that are not gone, as they were loaded.
  [[nodiscard]] std::int64_t live() const { return live_; }
  // Whether this answer has shown all of those.
  [[nodiscard]] bool all_seen() const;
  // 64 bits of XXH3 over any _id, stored or not, with the same seed.
  [[nodiscard]] std::uint64_t short_key_of(std::string_view id) const;

 private:
  [[nodiscard]] fingerprint key_of(std::string_view id) const;
  void add(const fingerprint& f, std::uint64_t values);

  std::uint64_t seed_;
  content_key key_;  // of the values' hashes
  window days_;
  std::int64_t live_ = 0;
  std::deque<fingerprint> rows_;      // grows without copying what it holds; below 2^32 of them
  std::deque<std::uint64_t> values_;  // of those, as far as any was read from the table
  static constexpr std::uint32_t free_slot = UINT32_MAX;
  std::vector<std::uint32_t> slots_;  // a power of two of them, each the number of a row
};

}  // namespace flanks
