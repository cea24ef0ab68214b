// The one place that reads credentials_tokens from the database and seals them there. Applications
// register in SQL, which has no key: whoever holds the key seals what it finds unsealed, and what a
// previous key sealed.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "db/pg/options.hpp"
#include "sync/secret.hpp"
#include "sync/types.hpp"

namespace flanks {
class pg_connection;
class pg_value;
}  // namespace flanks

namespace flanks::tokens {

// From the columns credentials_token and encode(sealed_token, 'hex'), one of which is set. Throws
// failure {database, park, "sealed_token"}.
[[nodiscard]] secret opened(const db_options& options, credential_id id, const pg_value& plain,
                            const pg_value& sealed);
// It should be sealed (again) and can be.
[[nodiscard]] bool wants_seal(const db_options& options, const pg_value& plain,
                              const pg_value& sealed);
// Seals these, in the open transaction or in one of its own. Leaves out what another transaction
// has locked and what does not open. Gives how many. Throws sql_problem.
std::int64_t seal(pg_connection& db, const db_options& options, std::span<const credential_id> ids);

// Which keys the stored tokens need.
struct census {
  std::int64_t unsealed = 0;
  struct sealed_by {
    std::string fingerprint;
    std::int64_t count = 0;
  };
  std::vector<sealed_by> sealed;  // most first
  [[nodiscard]] std::int64_t all_sealed() const;
};
[[nodiscard]] census take_census(pg_connection& db);

// Refuses keys that open none of the tokens that are sealed: failure {configuration, stop,
// "sealed_token"}. One that cannot be opened beside others that can is that credential's failure,
// when it is claimed. Blocks; opens a connection of its own. Throws `failure`.
void require_key(const db_options& options);
// The same, and seals all that is not sealed by the key that seals, a thousand at a time until
// `ending`. Gives how many it sealed.
std::int64_t seal_all(const db_options& options, const std::atomic<bool>& ending);

}  // namespace flanks::tokens
