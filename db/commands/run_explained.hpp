// The work of a command on a connection: what SQL refuses comes out as `failure`, and no
// transaction stays open.
#pragma once

#include "db/commands/migrate.hpp"
#include "db/pg/connection.hpp"

namespace flanks {

// Runs `work()`, which uses `db`. Throws migrate::explained() in place of sql_problem.
template <class Work>
auto run_explained(pg_connection& db, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const sql_problem& problem) {
    throw migrate::explained(db, problem, stage::database);
  } catch (...) {
    db.rollback();
    throw;
  }
}

// The same for `work(db)` on a connection of its own.
template <class Work>
auto on_own_connection(const db_options& options, Work work) {
  pg_connection db(options);
  return run_explained(db, [&] { return work(db); });
}

}  // namespace flanks
