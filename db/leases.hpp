// Who works on what, and when it is due: flanks_internal.leases, by the database's clock only.
// Blocks; throws sql_problem. How a lease is given back: db/release.hpp.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/requests.hpp"
#include "db/session.hpp"

namespace flanks::leases {

// Who we are, for people: what the options say, or host:pid.
[[nodiscard]] std::string holder_of(const db_options& options);
// As store::claim_due() says. Ends the backends that still have a window open under a lease that
// has expired: of those that are claimed, and of those that are locked.
[[nodiscard]] std::vector<claimed_credential> claim_due(session& db, const db_options& options,
                                                        int limit, std::chrono::milliseconds age);
[[nodiscard]] std::int64_t unheld_due(session& db, std::chrono::milliseconds age);
// Claims what is free, in the open transaction; skips rows that are locked.
void settle(session& db, const db_options& options, std::span<claim_request* const> requests);
// Locks the lease of a credential, if it has one, until the open transaction ends.
void wait_for(session& db, credential_id id);
[[nodiscard]] bool renew(session& db, const db_options& options, credential_id id,
                         const lease_id& lease);
[[nodiscard]] std::optional<std::chrono::seconds> next_due(session& db);

}  // namespace flanks::leases
