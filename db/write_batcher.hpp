// Puts what coroutines ask of the database (db/requests.hpp, db/windows/window.hpp) together. While
// transactions are on their way, requests that come wait for the next one and share its statements
// and its commit; a request that comes alone goes at once. What a transaction leaves undone (a row
// that is locked, a request that makes its statement fail, a window that needs more) is done again
// by itself: nobody waits for another's trouble or fails of it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include "db/pg/connection_pool.hpp"
#include "db/requests.hpp"

namespace flanks {

// Belongs to the executor's thread, like its connections.
class write_batcher {
 public:
  using request = std::variant<claim_request*, status_request*, release_request*, runs_request*,
                               window_request*>;

  // `use` of its connections; at most so many transactions are on their way at once.
  write_batcher(boost::asio::any_io_executor loop, std::shared_ptr<pg_connection_pool> pool,
                pool_use use, int transactions)
      : loop_(std::move(loop)), pool_(std::move(pool)), use_(use), idle_(transactions) {}

  // Does `what`, and returns when it is committed. Throws failure{at} of its own, or what a window
  // throws (db/windows/window_batch.hpp); a status whose lease is lost throws failure{lease}.
  // Cancelled while it waits for a connection it may throw operation_aborted, and nothing was done;
  // later it is awaited to its end.
  boost::asio::awaitable<void> run(request what, stage at);

 private:
  // Waits in the coroutine that asked.
  struct member {
    request what;
    flanks::stage stage;
    std::function<void()> resume;        // while it waits for others
    bool leads = false;                  // it takes the next transaction on its way
    std::exception_ptr error = nullptr;  // of the transaction that it went with
  };

  boost::asio::awaitable<void> turn(member& me);
  boost::asio::awaitable<void> lead(member& me);
  boost::asio::awaitable<void> alone(request what, stage at);
  [[nodiscard]] std::vector<member*> take_batch(member& leader);
  void hand_over();

  boost::asio::any_io_executor loop_;
  std::shared_ptr<pg_connection_pool> pool_;
  pool_use use_;
  int idle_;                      // transactions that may be begun
  std::vector<member*> waiting_;  // for the next one, in the order of asking
};

}  // namespace flanks
