// Who works on what, and when it is due: flanks_internal.leases, by the database's clock only.
// Blocks; throws sql_problem, and failure{lease} where the lease is a condition.
#pragma once

#include <optional>
#include <vector>

#include "db/session.hpp"
#include "sync/store.hpp"

namespace flanks::leases {

[[nodiscard]] std::vector<claimed_credential> claim_due(session& db, const db_options& options,
                                                        int limit);
[[nodiscard]] std::optional<claimed_credential> claim(session& db, const db_options& options,
                                                      credential_id id);
[[nodiscard]] bool renew(session& db, const db_options& options, credential_id id,
                         const lease_id& lease);
void release(session& db, credential_id id, const lease_id& lease, const next_attempt& next);
void release_untouched(session& db, credential_id id, const lease_id& lease);
[[nodiscard]] std::optional<std::chrono::seconds> next_due(session& db);
void record_status(session& db, credential_id id, const lease_id& lease,
                   const credential_status& status);

}  // namespace flanks::leases
