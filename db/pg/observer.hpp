// What is told of the connections to the database: how long statements take, and how many jobs use
// or wait for a connection. Must not block or throw.
#pragma once

#include <chrono>
#include <cstdint>

namespace flanks {

enum class pool_figure : std::uint8_t {
  connections,  // that the pool may open
  in_use,
  waiting,  // jobs: for a connection, or for the transaction that will take them along
};

// Names of statements and of pools (db_options::pool) are literals.
class db_observer {
 public:
  virtual ~db_observer() = default;
  // A statement ended, well or badly; `took` is from its sending to its last row, of a COPY with
  // the making of the rows. On the connection's thread: several may call at once.
  virtual void ran(const char* statement, std::chrono::nanoseconds took) = 0;
  // On the event loop's thread, as all that follows: a job has its connection.
  virtual void had_connection(const char* pool, std::chrono::nanoseconds waited) = 0;
  virtual void changed(const char* pool, pool_figure which, int by) = 0;
};

}  // namespace flanks
