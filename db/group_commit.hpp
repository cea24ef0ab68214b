// Group commit: what coroutines ask of the database in a word (db/requests.hpp) is done together.
// While one transaction is on its way, requests that come wait for the next one and share its
// statements and its commit; a request that comes alone goes at once. What a transaction leaves
// undone (a row that is locked, a request that makes its statement fail) is done again by itself,
// on a lane of its own: nobody waits for another's trouble or fails of it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include "db/lane.hpp"
#include "db/requests.hpp"

namespace flanks {

// Belongs to the executor's thread, like its lanes.
class group_commit {
 public:
  using request = std::variant<claim_request*, status_request*, release_request*, runs_request*,
                               window_request*, change_request*>;

  group_commit(boost::asio::any_io_executor loop, std::shared_ptr<lane_pool> lanes)
      : loop_(std::move(loop)), lanes_(std::move(lanes)) {}

  // Does `what`, and returns when it is committed; a window that is not settled is left as it is.
  // Throws failure{at} of its own; a status whose
  // lease is lost throws failure{lease}. Cancelled while it waits for a lane it may throw
  // operation_aborted, and nothing was done; later it is awaited to its end.
  boost::asio::awaitable<void> run(request what, stage at);

 private:
  // Waits in the coroutine that asked.
  struct member {
    request what;
    std::function<void()> resume;        // while it waits for others
    bool leads = false;                  // it takes the next transaction on its way
    std::exception_ptr error = nullptr;  // of the transaction that it went with
  };

  boost::asio::awaitable<void> turn(member& me);
  boost::asio::awaitable<void> lead(member& me);
  boost::asio::awaitable<void> alone(request what, stage at);
  void hand_over();

  boost::asio::any_io_executor loop_;
  std::shared_ptr<lane_pool> lanes_;
  std::vector<member*> waiting_;  // for the next transaction, in the order of asking
  bool led_ = false;              // somebody takes one on its way, or is about to
};

}  // namespace flanks
