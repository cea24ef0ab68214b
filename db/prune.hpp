// Deletes what `retention` no longer keeps, in small batches. Each batch is a database transaction
// of its own that waits for no row: what is locked is left for the next pass. Never what a promise
// or a stored row still needs: the conditions are in prune.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sync/retention.hpp"

namespace flanks {

class pg_connection;

// What became of one table for one reason.
struct pruned_rows {
  std::string table;       // "flanks.sync_runs"
  std::string key;         // of the configuration: "retention.run_logs"
  std::string older_than;  // UTC; empty: never
  std::int64_t rows = 0;   // deleted; in a dry run, those that would be
};

// One pass over all credentials. Blocks in step() alone, which throws sql_problem.
class pruning {
 public:
  enum class mode : std::uint8_t { dry_run, remove };
  struct sizes {
    int rows = 1000;       // of one batch, at most
    int credentials = 25;  // looked at together
  };

  pruning(const retention_ages& keep, mode how, sizes batch);
  pruning(const retention_ages& keep, mode how);

  enum class progress : std::uint8_t { looked, deleted, done };
  // Up to the first batch that deletes something, or to the end of some credentials.
  [[nodiscard]] progress step(pg_connection& db);

  // One line a table and key, in the order of deletion.
  [[nodiscard]] const std::vector<pruned_rows>& report() const { return report_; }
  [[nodiscard]] std::int64_t deleted() const;

 private:
  void read_limits(pg_connection& db);
  bool next_credentials(pg_connection& db);
  // How many rows it deleted.
  std::int64_t prune_part(pg_connection& db, std::size_t part);
  std::int64_t prune_removed(pg_connection& db);
  [[nodiscard]] std::string limit_of(std::size_t part) const;

  retention_ages keep_;
  bool dry_run_;
  sizes batch_;
  std::vector<pruned_rows> report_;
  bool started_ = false;
  std::int64_t after_ = 0;   // the credentials up to this one are done
  std::string credentials_;  // those that are looked at now; empty: none
  std::size_t part_ = 0;     // which table is next for them
};

// True for one caller a day: it is his to prune.
[[nodiscard]] bool claim_pruning(pg_connection& db);

}  // namespace flanks
