// One question at a time, however many wait for the answer. Who asks while it is under way shares
// it; who has no more patience goes, and the question goes on to its end.
#pragma once

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <optional>
#include <vector>

#include "daemon/task_group.hpp"
#include "sync/failure.hpp"

namespace flanks {

template <class T>
class shared_reading {
 public:
  using question = std::function<boost::asio::awaitable<T>()>;
  // An answer, or why there is none.
  struct answer {
    std::optional<T> value;
    std::optional<failure> trouble;
  };

  // `ask` may throw `failure`.
  shared_reading(boost::asio::any_io_executor executor, question ask)
      : executor_(executor), ask_(std::move(ask)), group_(std::move(executor)) {}

  // The answer, or nothing when `patience` was over first.
  boost::asio::awaitable<std::optional<answer>> get(std::chrono::milliseconds patience) {
    const std::uint64_t before = answered_;
    if (!asking_) group_.spawn(ask());
    asking_ = answered_ == before;
    boost::asio::steady_timer timer(executor_, patience);
    const seat mine(*this, timer);
    boost::system::error_code woken;
    auto token = boost::asio::redirect_error(boost::asio::use_awaitable, woken);
    if (answered_ == before) co_await timer.async_wait(token);
    if (answered_ == before) co_return std::nullopt;
    co_return last_;
  }
  // The last good answer, however old.
  [[nodiscard]] const std::optional<T>& known() const { return known_; }

  // Waits for the question under way. Nobody may ask any more.
  boost::asio::awaitable<void> close() {
    group_.cancel();
    return group_.join();
  }

 private:
  // Somebody who waits.
  struct seat {
    seat(shared_reading& r, boost::asio::steady_timer& timer) : reading(r), wake(&timer) {
      reading.waiting_.push_back(wake);
    }
    ~seat() { std::erase(reading.waiting_, wake); }
    seat(const seat&) = delete;
    seat& operator=(const seat&) = delete;
    shared_reading& reading;
    boost::asio::steady_timer* wake;
  };

  boost::asio::awaitable<void> ask() {
    answer now;
    try {
      auto asking = ask_();
      now.value = co_await std::move(asking);
      known_ = now.value;
    } catch (const failure& f) {
      now.trouble = f;
    }
    last_ = std::move(now);
    asking_ = false;
    ++answered_;
    for (boost::asio::steady_timer* const wake : waiting_)
      wake->cancel();
  }

  boost::asio::any_io_executor executor_;
  question ask_;
  task_group group_;
  bool asking_ = false;
  std::uint64_t answered_ = 0;
  answer last_;
  std::optional<T> known_;
  std::vector<boost::asio::steady_timer*> waiting_;
};

}  // namespace flanks
