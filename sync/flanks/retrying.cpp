#include "sync/flanks/retrying.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace flanks {

namespace asio = boost::asio;
using asio::awaitable;
using clock_type = std::chrono::steady_clock;

retrying::retrying(asio::any_io_executor executor, const api_options& options)
    : executor_(std::move(executor)),
      policy_(options.retry),
      own_rate_(options.rate == nullptr ? make_local_rate_grants() : nullptr),
      pacer_(executor_, options.requests_per_second, own_rate_ ? *own_rate_ : *options.rate,
             options.waits != nullptr ? *options.waits : untold_, {options.timeouts.rate_grant}),
      chance_(unforeseeable()) {}

awaitable<void> retrying::run(const try_once& once, const repeat_rule& may_repeat,
                              attempts& so_far) {
  for (;;) {
    std::optional<failure> failed;
    try {
      awaitable<void> trying = once(so_far);
      co_await std::move(trying);
      co_return;
    } catch (const failure& f) {
      failed.emplace(f);
    }
    if (!may_repeat(*failed)) throw failure{*failed};
    const retry_decision d = judge(*failed, so_far);
    if (d.what == next_step::give_up) throw failure{*failed};
    if (d.what == next_step::pause) continue;  // the pacer has been told
    asio::steady_timer timer(executor_, d.wait);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

retry_decision retrying::judge(const failure& f, attempts& so_far) {
  const double dice = std::uniform_real_distribution<double>(0, 1)(chance_);
  const retry_decision d = decide(f, so_far, budget_, policy_, dice);
  so_far.after_pause = d.what == next_step::pause;
  if (d.what != next_step::again && d.wait.count() > 0) pacer_.pause(d.wait, f);
  return d;
}

awaitable<void> retrying::take_turn(attempts& so_far) {
  const auto begun = clock_type::now();
  const std::chrono::milliseconds patience =
      std::max(policy_.longest_wait - so_far.waited, std::chrono::milliseconds{0});
  co_await pacer_.take_turn(patience);
  so_far.waited += std::chrono::ceil<std::chrono::milliseconds>(clock_type::now() - begun);
  // One turn of the loop: a lease that has run out, also while the process stood still, cancels
  // what works under it before anything is sent.
  auto turning = asio::post(executor_, asio::use_awaitable);
  co_await std::move(turning);
}

awaitable<void> retrying::close() {
  co_await pacer_.close();
}

std::mt19937_64 unforeseeable() {
  std::random_device source;
  std::seed_seq seed{source(), source(), source(), source(),
                     source(), source(), source(), source()};
  return std::mt19937_64(seed);
}

}  // namespace flanks
