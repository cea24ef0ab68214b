// Time as the engine needs it, so that its tests need no waiting.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>

#include "sync/types.hpp"

namespace flanks {

class engine_clock {
 public:
  virtual ~engine_clock() = default;
  // Wall clock, UTC.
  [[nodiscard]] virtual instant now() const = 0;
  // For durations only.
  [[nodiscard]] virtual std::chrono::steady_clock::time_point steady() const = 0;
  // Ends early, with an exception, when the coroutine is cancelled.
  virtual boost::asio::awaitable<void> sleep(std::chrono::milliseconds time) = 0;
  // Uniform in [0, 1): jitter.
  virtual double random() = 0;
};

}  // namespace flanks
