// What is told of requests that wait: for their turn under the rate limit, and for the end of a
// pause that the provider asked for. Called on the event loop; must not block or throw.
#pragma once

#include <chrono>
#include <string>

#include "sync/failure.hpp"

namespace flanks {

struct pause_notice {
  std::chrono::milliseconds left{0};  // it may turn out longer: then this is told again
  int http_status = 0;                // 429 or 503; 0: not known
  // Who was answered so: the answer in a sentence when it was this process, else who it was, as
  // host:pid.
  std::string answer, other;
};

class rate_observer {
 public:
  virtual ~rate_observer() = default;
  // `began`: there was none before.
  virtual void paused(const pause_notice&, bool /*began*/) {}
  virtual void pause_over(std::chrono::milliseconds /*lasted*/) {}
  // One request had its turn.
  virtual void waited(std::chrono::nanoseconds) {}
  // The shared limit cannot be asked; told once, until it answers again.
  virtual void unreachable(const failure&) {}
  virtual void reachable() {}
};

}  // namespace flanks
