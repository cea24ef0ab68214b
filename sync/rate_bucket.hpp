// Who gets which time: the rules of flanks_internal.rate_limit (db/rate_grants.cpp) in C++. Pure:
// time is handed in.
#pragma once

#include "sync/rate_grants.hpp"

namespace flanks {

class rate_bucket {
 public:
  using clock = std::chrono::steady_clock;

  rate_grant take(clock::time_point now, int places, double per_second);
  rate_pause pause(clock::time_point now, std::chrono::milliseconds wait, int http_status);
  [[nodiscard]] rate_pause paused(clock::time_point now) const;

 private:
  clock::time_point next_ = clock::time_point::min();  // the first that nobody has
  clock::time_point paused_until_ = clock::time_point::min();
  int http_status_ = 0;
};

}  // namespace flanks
