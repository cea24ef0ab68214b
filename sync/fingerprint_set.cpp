#include "sync/fingerprint_set.hpp"

#include "sync/stored_text.hpp"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace flanks {

namespace {

constexpr unsigned flag_bits = 8;
// Days are counted from before the year 1, so that there are no negative ones; the year 9999 fits
// into 24 bits.
constexpr std::int64_t day_offset = 800'000;

std::uint32_t packed_day(day on) {
  return static_cast<std::uint32_t>(on.time_since_epoch().count() + day_offset) << flag_bits;
}

// The lowest byte first, on any machine.
template <class Number>
Number little_endian(Number n) {
  if constexpr (std::endian::native == std::endian::little) return n;
  if constexpr (sizeof n == 8) return static_cast<Number>(__builtin_bswap64(n));
  return static_cast<Number>(__builtin_bswap32(static_cast<std::uint32_t>(n)));
}

template <class Number>
void put_number(char*& at, Number n) {
  n = little_endian(n);
  std::memcpy(at, &n, sizeof n);
  at += sizeof n;
}

template <class Number>
Number take_number(const char*& at) {
  Number n = 0;
  std::memcpy(&n, at, sizeof n);
  at += sizeof n;
  return little_endian(n);
}

}  // namespace

day fingerprint::on() const {
  return day{
      std::chrono::days{static_cast<std::int64_t>(day_and_flags_ >> flag_bits) - day_offset}};
}

fingerprint fingerprint_set::key_of(std::string_view id) const {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(id.data(), id.size(), seed_);
  fingerprint r;
  r.high_ = hash.high64;
  r.low_ = static_cast<std::uint32_t>(hash.low64);
  return r;
}

fingerprint fingerprint_set::make(std::string_view id, const content_hash& content, day on) const {
  fingerprint r = key_of(id);
  r.content_ = content;
  r.day_and_flags_ = packed_day(on);
  return r;
}

std::uint64_t fingerprint_set::short_key_of(std::string_view id) const {
  return XXH3_64bits_withSeed(id.data(), id.size(), seed_);
}

void fingerprint_set::add(std::string_view id, const content_hash& content, day on, bool gone,
                          bool joint, std::uint64_t values) {
  fingerprint r = make(id, content, on);
  if (joint) r.day_and_flags_ |= fingerprint::joint_bit;
  if (gone) r.day_and_flags_ |= fingerprint::gone_bit;
  add(r, values);
}

void fingerprint_set::add(const fingerprint& f, std::uint64_t values) {
  if (values != 0) {
    values_.resize(rows_.size());
    values_.push_back(values);
  }
  fingerprint& r = rows_.emplace_back(f);
  if (!days_.contains(r.on())) return;
  r.day_and_flags_ |= fingerprint::inside_bit;
  if (!r.gone()) ++live_;
}

std::array<char, fingerprint_set::packed_size> fingerprint_set::pack(const fingerprint& r) {
  std::array<char, packed_size> packed;
  char* at = packed.data();
  put_number(at, r.content_.high);
  put_number(at, r.content_.low);
  put_number(at, r.high_);
  put_number(at, r.low_);
  put_number(at, (r.day_and_flags_ >> flag_bits << flag_bits) |
                     (r.day_and_flags_ & fingerprint::gone_bit));
  return packed;
}

void fingerprint_set::add_packed(std::string_view packed) {
  const char* at = packed.data();
  for (std::size_t n = packed.size() / packed_size; n > 0; --n) {
    fingerprint r;
    r.content_.high = take_number<std::uint64_t>(at);
    r.content_.low = take_number<std::uint64_t>(at);
    r.high_ = take_number<std::uint64_t>(at);
    r.low_ = take_number<std::uint32_t>(at);
    r.day_and_flags_ = take_number<std::uint32_t>(at);
    add(r, 0);
  }
}

// Open addressing over the rows, which stay where they are: at least half of the slots are free.
void fingerprint_set::seal() {
  slots_.assign(std::bit_ceil(rows_.size() * 2 + 1), free_slot);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t n = 0; n < rows_.size(); ++n) {
    std::size_t i = rows_[n].high_ & mask;
    while (slots_[i] != free_slot)
      i = (i + 1) & mask;
    slots_[i] = static_cast<std::uint32_t>(n);
  }
}

bool fingerprint_set::all_seen() const {
  return std::all_of(rows_.begin(), rows_.end(),
                     [](const fingerprint& r) { return r.seen() || r.gone() || !r.inside(); });
}

std::size_t fingerprint_set::index_of(std::string_view id) const {
  const fingerprint key = key_of(id);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = key.high_ & mask; slots_[i] != free_slot; i = (i + 1) & mask) {
    const fingerprint& candidate = rows_[slots_[i]];
    if (candidate.high_ == key.high_ && candidate.low_ == key.low_) return slots_[i];
  }
  return none;
}

const fingerprint* fingerprint_set::find(std::string_view id) const {
  const std::size_t i = index_of(id);
  return i == none ? nullptr : &rows_[i];
}

bool fingerprint_set::says(std::size_t i, const transaction& t) const {
  if (!(rows_[i].content() == t.hash)) return false;
  const std::uint64_t values = i < values_.size() ? values_[i] : 0;
  return values == 0 || values == values_hash_of_record(t, key_);
}

void fingerprint_set::see(std::size_t i, const content_hash& content) {
  fingerprint& r = rows_[i];
  r.content_ = content;
  r.day_and_flags_ = (r.day_and_flags_ | fingerprint::seen_bit) & ~fingerprint::gone_bit;
  if (i < values_.size()) values_[i] = 0;
}

}  // namespace flanks
