// How many windows are open at once: fetched, or whole in memory and waiting for a connection. What
// the provider has sent and the database has not taken is bounded by this. A window has its permit
// before it asks the provider for anything, and waits for nobody else's permit.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <memory>

namespace flanks {

// Belongs to the executor's thread.
class window_permits : public std::enable_shared_from_this<window_permits> {
 public:
  window_permits(boost::asio::any_io_executor loop, int most)
      : loop_(std::move(loop)), free_(most < 1 ? 1 : most) {}

  // One of them; its end gives it back.
  class permit {
   public:
    explicit permit(std::shared_ptr<window_permits> of) : of_(std::move(of)) {}
    ~permit() { of_->give_back(); }
    permit(const permit&) = delete;
    permit& operator=(const permit&) = delete;

   private:
    std::shared_ptr<window_permits> of_;
  };

  // In the order of asking. May be cancelled.
  [[nodiscard]] boost::asio::awaitable<std::unique_ptr<permit>> take();

 private:
  struct waiter;
  void give_back();

  boost::asio::any_io_executor loop_;
  int free_;
  std::deque<waiter*> waiting_;
};

}  // namespace flanks
