// When the access token must be fetched, and when it must not. Pure: the clock is handed in,
// nothing is sent here; api.cpp sends.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "sync/failure.hpp"
#include "sync/flanks/errors.hpp"
#include "sync/secret.hpp"

namespace flanks {

// What the token call brought (API contract, section 1).
struct granted_token {
  secret value;
  // Nothing when the provider did not say: then it is used until a 401.
  std::optional<std::chrono::seconds> lifetime;
};

// Throws failure{token} unless the body is an object with an access_token that can go into a
// header. A refresh_token of the grant password is not used: the same call with the same keys
// brings a new token, and one way is easier to trust than two.
[[nodiscard]] granted_token read_token(const answer& a, const call_info& call);

// A token and which one it is: a 401 for an older one says nothing of a newer one.
struct access_token {
  secret value;
  std::uint64_t generation = 0;
};

class token_state {
 public:
  using clock = std::chrono::steady_clock;

  // The token, unless it must be fetched first: there is none, it is about to expire (less than a
  // tenth of its life left, at most 60 s), or it was refused.
  [[nodiscard]] std::optional<access_token> usable(clock::time_point now) const;

  // A new token came.
  void accept(granted_token token, clock::time_point now);
  // A data call with this generation was answered 401. Only the current one counts.
  void refused_with(std::uint64_t generation);

  // The token call itself failed for good (verdict stop). Until the back-off is over (1 min,
  // doubling to 15) the same failure is given without asking again.
  void keys_refused(failure why, clock::time_point now);
  [[nodiscard]] std::optional<failure> standing_refusal(clock::time_point now) const;

  // The newest one, whatever its age: for a call that has just fetched it.
  [[nodiscard]] access_token newest() const { return current_; }

 private:
  access_token current_;
  bool good_ = false;
  clock::time_point refresh_at_ = clock::time_point::max();
  std::optional<failure> refusal_;
  clock::time_point ask_again_at_;
  std::chrono::seconds back_off_{0};
};

}  // namespace flanks
