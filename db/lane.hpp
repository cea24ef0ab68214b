// The thread hop. A lane is one thread and one connection; a coroutine takes a lane, hands it
// blocking work, awaits the result and gives it back. Work that has begun is awaited to its end: it
// is not cancellable.
//
// Lanes are handed out in the order of asking. A ledger keeps its lane for as long as its window
// lasts; small work (leases, run records) needs one for a moment. So that small work never starves,
// one lane is never given to a ledger: of N lanes (at least 2) at most N - 1 are held at once.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "db/options.hpp"
#include "db/session.hpp"
#include "sync/failure.hpp"

namespace flanks {

using job = std::function<void(session&)>;

// Of one visit to a lane's thread. A sql_problem becomes failure{at}. With `repeatable`, the
// connection is opened when there is none, and one that turns out to have died since its last use,
// or dies during COMMIT, is replaced and the work done again. Without, the work goes on with what
// an earlier step of this hold has begun.
struct step {
  const job& work;
  stage at;
  bool repeatable;
};

enum class lane_use : std::uint8_t {
  brief,  // one job
  held,   // several, with the database transaction open in between
};

struct lane;
class lane_pool;

// A lane in hand. Destroyed: the lane is given back; what is left of a transaction is rolled back
// on its own thread first.
class lane_hold {
 public:
  lane_hold(std::shared_ptr<lane_pool> pool, lane& which, lane_use use);
  ~lane_hold();
  lane_hold(const lane_hold&) = delete;
  lane_hold& operator=(const lane_hold&) = delete;

  // Runs the steps on the lane's thread, one after the other; the first that fails is the last.
  boost::asio::awaitable<void> run(std::vector<step> steps);
  boost::asio::awaitable<void> run(const job& work, stage at, bool repeatable) {
    return run(std::vector<step>{{work, at, repeatable}});
  }

 private:
  std::shared_ptr<lane_pool> pool_;
  lane& lane_;
  lane_use use_;
  bool open_ = false;  // a transaction, after the last step
};

// Belongs to the executor's thread, except close(). Shared by the store and the ledgers that it
// opened.
class lane_pool : public std::enable_shared_from_this<lane_pool> {
 public:
  lane_pool(boost::asio::any_io_executor loop, db_options options);
  ~lane_pool();

  boost::asio::awaitable<std::unique_ptr<lane_hold>> take(lane_use use);
  // Takes a lane for one repeatable job. The usual way for small work.
  boost::asio::awaitable<void> run(const job& work, stage at);
  // Says something on every connection whose transaction is open between two steps: the server
  // would end one that is silent for as long as a lease (idle_in_transaction_session_timeout), also
  // while a slow provider is all that it waits for. Waits for nothing.
  void keep_alive();
  // Waits for running jobs and joins the threads. Call before the executor's context dies.
  void close();

  [[nodiscard]] const db_options& options() const { return options_; }

 private:
  friend class lane_hold;
  struct waiter;

  [[nodiscard]] bool may_take(lane_use use) const;
  lane& take_free(lane_use use);
  void give_back(lane& which, lane_use use);
  void clean_then_give_back(const std::shared_ptr<lane_pool>& self, lane& which, lane_use use);
  void serve_waiters();

  boost::asio::any_io_executor loop_;
  db_options options_;
  std::vector<std::unique_ptr<lane>> lanes_;
  std::vector<lane*> free_;
  std::deque<waiter*> waiting_;
  std::vector<lane*> held_;
  bool closed_ = false;
};

}  // namespace flanks
