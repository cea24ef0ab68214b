// The run record: flanks.sync_runs and what a run means for flanks.credentials. Blocks; throws
// sql_problem.
#pragma once

#include <optional>
#include <string>

#include "db/session.hpp"
#include "sync/store.hpp"

namespace flanks {

// What writes the record. Writing the same id again does nothing, so it may be repeated after a
// lost connection.
[[nodiscard]] call insert_run(const std::string& sync_run_id, const run_record& record);

// A run that stored nothing: its record, and the credential's last attempt and error, in one
// transaction.
void record_run(session& db, const std::string& sync_run_id, const run_record& record);

// What a failed attempt means for the credential: when it was, and what it failed with.
void note_failure(session& db, credential_id credential, const std::string& message,
                  const std::string& error_class, const std::string& hint);

}  // namespace flanks
