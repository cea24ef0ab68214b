#include "sync/transaction.hpp"

// Compiled in, with the vectors that every machine of the kind has: for half a KiB at a time wider
// ones cost more than they bring, to all that runs after them as well (measured: AVX-512).
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace flanks {

namespace {

constexpr std::size_t slack = 32;

std::uintptr_t address_of(std::string_view text) {
  return reinterpret_cast<std::uintptr_t>(text.data());
}

std::uint64_t length_of(std::string_view value) {
  return value.data() == nullptr ? ~std::uint64_t{0} : value.size();
}

// memcpy() of a length that only the run knows costs more than most values are long: two copies of
// known length that may overlap, wherever the value has so many bytes. The builtin, because a
// fortified memcpy() into the image is a call again; that it all fits is checked before.
template <std::size_t Half>
char* append_halves(char* out, std::string_view value) {
  const std::size_t second = value.size() - Half;
  __builtin_memcpy(out, value.data(), Half);
  __builtin_memcpy(out + second, value.data() + second, Half);
  return out + value.size();
}

// `text`: bytes that may be read, whosever they are. A value of them needs no look at its length,
// which nobody can guess: what is copied too much is overwritten by the next one.
char* append(char* out, std::string_view value, std::string_view text) {
  const std::size_t offset = address_of(value) - address_of(text);  // huge: outside
  if (value.size() <= slack && offset < text.size() && text.size() - offset >= slack) {
    __builtin_memcpy(out, value.data(), slack);
    return out + value.size();
  }
  if (value.size() > 64) {
    __builtin_memcpy(out, value.data(), value.size());
    return out + value.size();
  }
  if (value.size() > 32) return append_halves<32>(out, value);
  if (value.size() >= 16) return append_halves<16>(out, value);
  if (value.size() >= 8) return append_halves<8>(out, value);
  if (value.size() >= 4) return append_halves<4>(out, value);
  for (const char c : value)
    *out++ = c;
  return out;
}

// The same image, piece by piece.
content_hash hash_of_huge(const transaction& t, const content_key& key) {
  XXH3_state_t state;
  XXH3_128bits_reset_withSecret(&state, key.data(), content_key::size);
  for (std::size_t i = 1; i < column_count; ++i) {
    const std::string_view value = t.values[i];
    const std::uint64_t length = length_of(value);
    XXH3_128bits_update(&state, &length, sizeof length);
    if (!value.empty()) XXH3_128bits_update(&state, value.data(), value.size());
  }
  const XXH128_hash_t hash = XXH3_128bits_digest(&state);
  return {hash.high64, hash.low64};
}

}  // namespace

content_key::content_key(std::string_view bytes) {
  if (bytes.size() != size) throw std::length_error("a content key has 192 bytes");
  std::memcpy(bytes_.data(), bytes.data(), size);
}

content_hash hash_of(const transaction& t, const content_key& key, std::string_view text) {
  // One pass over a length-prefixed image: a length of 2^64-1 stands for null, so no two contents
  // share an image. A record that is not huge is put together on the stack first: many small
  // updates cost more than the hash itself.
  constexpr std::size_t prefixes = (column_count - 1) * sizeof(std::uint64_t);
  std::array<char, 4096> image;
  static_assert(prefixes >= slack, "what is copied too much needs no room of its own");
  const char* const last = image.data() + image.size() - prefixes;
  char* end = image.data();
  for (std::size_t i = 1; i < column_count; ++i) {
    const std::string_view value = t.values[i];
    const std::uint64_t length = length_of(value);
    __builtin_memcpy(end, &length, sizeof length);
    end += sizeof length;
    if (value.empty()) continue;
    if (value.size() > static_cast<std::size_t>(std::max(last - end, std::ptrdiff_t{0}))) {
      return hash_of_huge(t, key);
    }
    end = append(end, value, text);
  }
  const auto size = static_cast<std::size_t>(end - image.data());
  const XXH128_hash_t hash =
      XXH3_128bits_withSecret(image.data(), size, key.data(), content_key::size);
  return {hash.high64, hash.low64};
}

std::string_view text_arena::copy(std::string_view text) {
  char* const at = reserve(text.size());
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return {at, text.size()};
}

void text_arena::add_chunk(std::size_t at_least) {
  const std::size_t room = std::max(at_least, chunk_size);
  chunks_.push_back(std::make_unique_for_overwrite<char[]>(room));
  next_ = chunks_.back().get();
  left_ = room;
}

std::int64_t transaction_batch::elements() const {
  const auto refused = std::count_if(rejected.begin(), rejected.end(),
                                     [](const rejected_record& r) { return !r.stored_anyway; });
  return static_cast<std::int64_t>(transactions.size()) + refused;
}

std::size_t transaction_batch::bytes() const {
  std::size_t bytes = text.bytes() + transactions.size() * sizeof(transaction);
  for (const rejected_record& r : rejected)
    bytes += sizeof r + r.raw.size() + r.detail.size();
  return bytes;
}

void transaction_batch::hash_content(const content_key& key) {
  const std::string_view where = text.newest();
  for (transaction& t : transactions)
    t.hash = hash_of(t, key, where);
}

}  // namespace flanks
