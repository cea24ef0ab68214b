// The turns, tries and pauses of the requests of one client: the one loop that tries again. What is
// decided is decided in retry.hpp and limiter.hpp; what a try is, its caller says.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <random>

#include "sync/flanks/api.hpp"
#include "sync/flanks/pacer.hpp"
#include "sync/retry.hpp"

namespace flanks {

// One try. Throws failure.
using try_once = std::function<boost::asio::awaitable<void>(attempts& so_far)>;
// Whether the whole may be done again after this failure, if there are tries left.
using repeat_rule = std::function<bool(const failure&)>;

class retrying {
 public:
  // `options` must outlive it.
  retrying(boost::asio::any_io_executor executor, const api_options& options);

  // Tries until a try returns, throws something that `may_repeat` denies, or the tries and waits of
  // one request are used up; then throws its failure. A rate limit makes everyone wait, also when
  // this request gives up.
  boost::asio::awaitable<void> run(const try_once& once, const repeat_rule& may_repeat,
                                   attempts& so_far);

  // Waits until a request may be sent. One budget of waiting for all turns of a request, those of
  // the token call that it needs included.
  boost::asio::awaitable<void> take_turn(attempts& so_far);
  // A request is sent.
  void count_request() { budget_.count_request(); }
  // The request has waited as long as it may.
  void use_up_pauses(attempts& so_far) const { so_far.paused = policy_.pauses; }

  boost::asio::awaitable<void> close();

 private:
  retry_decision judge(const failure& f, attempts& so_far);

  boost::asio::any_io_executor executor_;
  const retry_policy& policy_;
  std::unique_ptr<rate_grants> own_rate_;  // when nobody shares one
  rate_observer untold_;
  pacer pacer_;
  retry_budget budget_;
  std::mt19937_64 chance_;
};

// Seeded with what nobody can guess.
[[nodiscard]] std::mt19937_64 unforeseeable();

}  // namespace flanks
