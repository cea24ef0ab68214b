#include "sync/answer_digest.hpp"

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>
#ifdef __x86_64__
#include <xxh_x86dispatch.h>  // the same hash by the widest vectors that the machine has
#endif

namespace flanks {

struct answer_hasher::state {
  XXH3_state_t xxh;
};

answer_hasher::answer_hasher(std::uint64_t seed, std::string_view question)
    : state_(std::make_unique<state>()),
      seed_(seed),
      question_(XXH3_64bits_withSeed(question.data(), question.size(), seed)) {
  XXH3_128bits_reset_withSeed(&state_->xxh, seed);
  // Its length first: no question and answer are another question and another answer.
  const std::uint64_t length = question.size();
  XXH3_128bits_update(&state_->xxh, &length, sizeof length);
  XXH3_128bits_update(&state_->xxh, question.data(), question.size());
}

answer_hasher::~answer_hasher() = default;

void answer_hasher::add(std::string_view piece) {
  XXH3_128bits_update(&state_->xxh, piece.data(), piece.size());
  bytes_ += static_cast<std::int64_t>(piece.size());
}

answer_digest answer_hasher::digest() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh);
  return {seed_, {hash.high64, hash.low64}, bytes_, question_};
}

}  // namespace flanks
