#include "db/known_rows.hpp"

#include <xxhash.h>

#include <algorithm>
#include <bit>

namespace flanks {

known_rows::row known_rows::key_of(std::string_view id) const {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(id.data(), id.size(), seed_);
  return {hash.high64, hash.low64, content_hash{}, false};
}

std::uint64_t known_rows::short_key_of(std::string_view id) const {
  return XXH3_64bits_withSeed(id.data(), id.size(), seed_);
}

void known_rows::add(std::string_view id, const content_hash& content, bool doubtful, bool joint) {
  const row key = key_of(id);
  rows_.emplace_back(key.high_, key.low_, content, doubtful);
  if (joint) rows_.back().low_ |= row::joint_bit;
  if (!doubtful) ++live_;
}

// Open addressing over the rows, which stay where they are: at least half of the slots are free.
void known_rows::seal() {
  slots_.assign(std::bit_ceil(rows_.size() * 2 + 1), free_slot);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t n = 0; n < rows_.size(); ++n) {
    std::size_t i = rows_[n].high_ & mask;
    while (slots_[i] != free_slot)
      i = (i + 1) & mask;
    slots_[i] = static_cast<std::uint32_t>(n);
  }
}

bool known_rows::all_seen() const {
  return std::all_of(rows_.begin(), rows_.end(),
                     [](const row& r) { return r.seen() || r.doubtful(); });
}

known_rows::row* known_rows::find(std::string_view id) {
  const row key = key_of(id);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = key.high_ & mask; slots_[i] != free_slot; i = (i + 1) & mask) {
    row& candidate = rows_[slots_[i]];
    if (candidate.high_ == key.high_ && ((candidate.low_ ^ key.low_) & ~row::flags) == 0) {
      return &candidate;
    }
  }
  return nullptr;
}

}  // namespace flanks
