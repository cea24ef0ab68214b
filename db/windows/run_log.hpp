// The run record: flanks.sync_runs and what a run means for flanks.credentials. Blocks; throws
// sql_problem.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_set>

#include "db/pg/array_columns.hpp"
#include "db/pg/connection.hpp"
#include "db/requests.hpp"

namespace flanks {

// Records on their way into one statement. Writing the same id again does nothing, so it may be
// repeated after a lost connection.
class run_records {
 public:
  void add(const std::string& sync_run_id, const run_record& record);
  // What writes them. `leases_held`: by the open transaction, of all their credentials.
  [[nodiscard]] call take(bool leases_held);

 private:
  array_columns rows_;
};

// Runs that stored nothing, and what a failed one means for its credential, in the open
// transaction. Writes nothing of a credential that was erased; skips one that is locked.
void apply(pg_connection& db, std::span<runs_request* const> requests);
// When a connection is lost during COMMIT nobody knows whether it happened. The way out, for all
// who write runs: each has its id before it is tried, the transaction has its lease locked, and who
// does it again (or only asks) on a new connection first waits for that lock, which is held until
// the transaction in doubt has ended one way or the other, and then looks for the run.
struct run_in_doubt {
  credential_id credential;
  std::string_view id;  // sync_run_id or product_run_id
};
// The ids of those that were committed. Their leases are locked until the open transaction ends.
[[nodiscard]] std::unordered_set<std::string> committed_runs(pg_connection& db,
                                                             std::span<const run_in_doubt> runs);

// Waits until a credential can be written, and keeps it from being erased, until the open
// transaction ends.
void wait_for_credential(pg_connection& db, credential_id id);

// What a failed attempt means for the credential: when it was, and what it failed with.
void note_failure(pg_connection& db, credential_id credential, const std::string& message,
                  const std::string& error_class, const std::string& hint);

}  // namespace flanks
