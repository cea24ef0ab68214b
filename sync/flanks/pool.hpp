// How many connections at most, who is next, and which ones rest for the next request.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <utility>

#include "sync/flanks/connection.hpp"

namespace flanks {

class connection_pool {
 public:
  // The right to use one connection. Gives itself back.
  class slot {
   public:
    slot() = default;
    explicit slot(connection_pool& pool) : pool_(&pool) {}
    slot(slot&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)) {}
    slot& operator=(slot&& other) noexcept {
      std::swap(pool_, other.pool_);
      return *this;
    }
    ~slot() {
      if (pool_ != nullptr) pool_->release();
    }

   private:
    connection_pool* pool_ = nullptr;
  };

  connection_pool(boost::asio::any_io_executor executor, int limit);

  // Waits in line. Throws failure connection_wait_timeout; operation_aborted when cancelled.
  boost::asio::awaitable<slot> acquire(std::chrono::milliseconds timeout);

  // The connection that was used last, or null. Closed are those that rested too long, those that
  // the other side has closed, and those that hold bytes which nobody asked for: they would be read
  // as the answer to the next request.
  [[nodiscard]] std::unique_ptr<connection> take_resting();
  // Closes it when something has come behind the answer.
  void rest(std::unique_ptr<connection> idle);
  // Remembers an answer by a hash of its bytes; true when the same came before, over whatever
  // connection, among the last some thousand.
  [[nodiscard]] bool note_answer(std::uint64_t hash);
  // Says goodbye to all that rest; at most `limit` in all.
  boost::asio::awaitable<void> close(std::chrono::milliseconds limit);

 private:
  struct waiter;
  struct resting {
    std::unique_ptr<connection> idle;
    std::chrono::steady_clock::time_point since;
  };
  void release();

  boost::asio::any_io_executor executor_;
  int free_;
  std::list<waiter*> line_;
  std::list<resting> resting_;  // the last used one at the end
  std::array<std::uint64_t, 4096> answers_{};
};

}  // namespace flanks
