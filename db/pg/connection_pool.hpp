// The thread hop. Each connection has a thread of its own; a coroutine takes a connection, hands it
// blocking work, awaits the result and gives it back. Work that has begun is awaited to its end: it
// is not cancellable.
//
// Connections are handed out in the order of asking. A ledger keeps its own for as long as its
// window lasts; small work (leases, run records) needs one for a moment. So that small work never
// starves, one connection is never given to a ledger: of N (at least 2) at most N - 1 are held at
// once.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "db/pg/connection.hpp"
#include "db/pg/options.hpp"
#include "sync/failure.hpp"

namespace flanks {

using job = std::function<void(pg_connection&)>;

// Of one visit to a connection's thread. A sql_problem becomes a failure of this stage. With
// `repeatable`, the connection is opened when there is none, and one that turns out to have died
// since its last use, or dies during COMMIT, is replaced and the work done again. Without, the work
// goes on with what an earlier step has begun.
struct step {
  const job& work;
  flanks::stage stage;
  bool repeatable;
};

enum class pool_use : std::uint8_t {
  brief,  // one job
  held,   // several, with the database transaction open in between
};

struct connection_thread;
class pg_connection_pool;

// A connection in hand. Destroyed: it is given back; what is left of a transaction is rolled back
// on its own thread first.
class pooled_connection {
 public:
  pooled_connection(std::shared_ptr<pg_connection_pool> pool, connection_thread& which,
                    pool_use use);
  ~pooled_connection();
  pooled_connection(const pooled_connection&) = delete;
  pooled_connection& operator=(const pooled_connection&) = delete;

  // Runs the steps on the connection's thread, one after the other; the first that fails is the
  // last.
  boost::asio::awaitable<void> run(std::vector<step> steps);
  boost::asio::awaitable<void> run(const job& work, stage at, bool repeatable) {
    return run(std::vector<step>{{work, at, repeatable}});
  }

 private:
  std::shared_ptr<pg_connection_pool> pool_;
  connection_thread& thread_;
  pool_use use_;
  bool open_ = false;  // a transaction, after the last step
};

// Belongs to the executor's thread, except close(). Shared by the store and the ledgers that it
// opened.
class pg_connection_pool : public std::enable_shared_from_this<pg_connection_pool> {
 public:
  pg_connection_pool(boost::asio::any_io_executor loop, db_options options);
  ~pg_connection_pool();

  boost::asio::awaitable<std::unique_ptr<pooled_connection>> take(pool_use use);
  // Takes a connection for one repeatable job. The usual way for small work.
  boost::asio::awaitable<void> run(const job& work, stage at);
  // Says something on every connection whose transaction is open between two steps: the server
  // would end one that is silent for as long as a lease (idle_in_transaction_session_timeout), also
  // while a slow provider is all that it waits for. Waits for nothing.
  void keep_alive();
  // Waits for running jobs and joins the threads. Call before the executor's context dies.
  void close();

  [[nodiscard]] const db_options& options() const { return options_; }

 private:
  friend class pooled_connection;
  struct waiter;

  [[nodiscard]] bool may_take(pool_use use) const;
  connection_thread& take_free(pool_use use);
  void give_back(connection_thread& which, pool_use use);
  void clean_then_give_back(const std::shared_ptr<pg_connection_pool>& self,
                            connection_thread& which, pool_use use);
  void serve_waiters();
  void close_superseded();
  void tell(pool_figure which, int by) const;
  void note_wait(std::chrono::steady_clock::time_point asked) const;

  boost::asio::any_io_executor loop_;
  db_options options_;
  std::vector<std::unique_ptr<connection_thread>> threads_;
  std::vector<connection_thread*> free_;
  std::deque<waiter*> waiting_;
  std::vector<connection_thread*> held_;
  bool closed_ = false;
  std::uint64_t first_login_ = 0;  // the login's number when we were made
  login_source::handle on_new_login_;
};

}  // namespace flanks
