#include "db/month_digest.hpp"

#include <xxhash.h>

namespace flanks {

void month_digest::add(const known_rows::row& r) {
  const auto entry = known_rows::pack(r);
  const XXH128_hash_t hash = XXH3_128bits(entry.data(), entry.size());
  low_ += hash.low64;
  high_ += hash.high64 + (low_ < hash.low64 ? 1 : 0);
  ++count_;
}

std::string month_digest::bytes() const {
  std::string out;
  for (const std::uint64_t half : {low_, high_})
    for (unsigned i = 0; i < 8; ++i)
      out.push_back(static_cast<char>(half >> (8 * i)));
  return out;
}

}  // namespace flanks
