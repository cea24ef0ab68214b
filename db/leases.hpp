// Who works on what, and when it is due: flanks_internal.leases, by the database's clock only.
// Blocks; throws sql_problem. How a lease is given back: db/release.hpp.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/pg/connection.hpp"
#include "db/requests.hpp"

namespace flanks::leases {

// Who we are, for people: what the options say, or host:pid.
[[nodiscard]] std::string holder_of(const db_options& options);
// As store::claim_due() says. Ends the backends that still have a window open under a lease that
// has expired: of those that are claimed, and of those that are locked.
[[nodiscard]] std::vector<claimed_credential> claim_due(pg_connection& db,
                                                        const db_options& options, int limit,
                                                        std::chrono::milliseconds age);
[[nodiscard]] std::int64_t unheld_due(pg_connection& db, std::chrono::milliseconds age);
// Claims what is free, in the open transaction; skips rows that are locked.
void apply(pg_connection& db, const db_options& options, std::span<claim_request* const> requests);
// A lease as it was claimed.
struct claimed_lease {
  credential_id credential;
  const lease_id& lease;
};
enum class lease_lock : std::uint8_t {
  none,  // looks only: what is written may take long, and the lease is to be renewed meanwhile
  wait,  // locks them until the end of the transaction
  skip,  // locks those that nobody else has locked
};
// Whether what is written under these leases in the open transaction may be committed, as of now:
// for each whether it is still held (and, with a lock, stays so). In the order of credential_id, as
// everybody who locks several leases.
[[nodiscard]] std::vector<bool> hold(pg_connection& db, std::span<const claimed_lease> leases,
                                     lease_lock how);
// failure{lease}: "credential 7: the lease was lost, " and `what`.
[[nodiscard]] failure lease_lost(credential_id id, std::string_view what);
// Waits for the end of every transaction that has locked one of these leases, whoever holds them.
void wait_for(pg_connection& db, std::span<const credential_id> ids);
[[nodiscard]] bool renew(pg_connection& db, const db_options& options, credential_id id,
                         const lease_id& lease);
[[nodiscard]] std::optional<std::chrono::seconds> next_due(pg_connection& db);

}  // namespace flanks::leases
