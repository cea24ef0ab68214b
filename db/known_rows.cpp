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

std::size_t known_rows::bucket_of(const row& r) const {
  return bits_ == 0 ? 0 : static_cast<std::size_t>(r.high_ >> (64 - bits_));
}

void known_rows::add(std::string_view id, const content_hash& content, bool doubtful, bool joint) {
  const row key = key_of(id);
  rows_.emplace_back(key.high_, key.low_, content, doubtful);
  if (joint) rows_.back().low_ |= row::joint_bit;
  if (!doubtful) ++live_;
}

void known_rows::seal() {
  const auto before = [](const row& a, const row& b) {
    return a.high_ != b.high_ ? a.high_ < b.high_ : (a.low_ & ~row::flags) < (b.low_ & ~row::flags);
  };
  std::sort(rows_.begin(), rows_.end(), before);
  // About eight rows a bucket: a lookup is one jump and a short walk.
  bits_ = static_cast<int>(std::bit_width(rows_.size() / 8));
  first_.assign((std::size_t{1} << bits_) + 1, rows_.size());
  for (std::size_t i = rows_.size(); i-- > 0;)
    first_[bucket_of(rows_[i])] = i;
  // An empty bucket begins where the next one does.
  for (std::size_t b = first_.size() - 1; b-- > 0;)
    first_[b] = std::min(first_[b], first_[b + 1]);
}

bool known_rows::all_seen() const {
  return std::all_of(rows_.begin(), rows_.end(),
                     [](const row& r) { return r.seen() || r.doubtful(); });
}

known_rows::row* known_rows::find(std::string_view id) {
  const row key = key_of(id);
  const std::size_t bucket = bucket_of(key);
  for (std::size_t i = first_[bucket]; i < first_[bucket + 1]; ++i) {
    row& candidate = rows_[i];
    if (candidate.high_ == key.high_ && ((candidate.low_ ^ key.low_) & ~row::flags) == 0) {
      return &candidate;
    }
  }
  return nullptr;
}

}  // namespace flanks
