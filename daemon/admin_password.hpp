// Whether who asks the admin listener knows its password: HTTP Basic authentication (RFC 7617), any
// user name. Guessing is slow: ten wrong ones at once, then one in two seconds.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>

#include "daemon/admin_listener.hpp"
#include "sync/secret.hpp"

namespace flanks {

class admin_password {
 public:
  using clock = std::chrono::steady_clock;

  // An empty one: nobody is asked.
  explicit admin_password(const secret& password);

  // What is answered in place of the page; nothing when it may be served. 401 asks for the password
  // or says that it is wrong; 429 when too many were wrong: then none is looked at, not even the
  // right one, so that an answer tells nothing. `authorization`: the field of the request.
  [[nodiscard]] std::optional<admin_answer> objection(
      const std::optional<std::string>& authorization, clock::time_point now);

 private:
  using digest = std::array<unsigned char, 32>;
  [[nodiscard]] static digest digest_of(const secret& password);

  bool asked_;
  digest expected_;
  double tries_;  // left
  clock::time_point counted_{};
};

}  // namespace flanks
