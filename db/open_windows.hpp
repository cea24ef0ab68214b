// How many windows are open at once: fetched, or whole in memory and waiting for a lane. What the
// provider has sent and the database has not taken is bounded by this. A window has its place
// before it asks the provider for anything, and waits for nobody else's place.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <memory>

namespace flanks {

// Belongs to the executor's thread.
class open_windows : public std::enable_shared_from_this<open_windows> {
 public:
  open_windows(boost::asio::any_io_executor loop, int most)
      : loop_(std::move(loop)), free_(most < 1 ? 1 : most) {}

  // One of them; its end gives it back.
  class place {
   public:
    explicit place(std::shared_ptr<open_windows> of) : of_(std::move(of)) {}
    ~place() { of_->give_back(); }
    place(const place&) = delete;
    place& operator=(const place&) = delete;

   private:
    std::shared_ptr<open_windows> of_;
  };

  // In the order of asking. May be cancelled.
  [[nodiscard]] boost::asio::awaitable<std::unique_ptr<place>> take();

 private:
  struct waiter;
  void give_back();

  boost::asio::any_io_executor loop_;
  int free_;
  std::deque<waiter*> waiting_;
};

}  // namespace flanks
