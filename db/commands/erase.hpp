// Removes a person's data for good, from every table. Blocks; opens a connection of its own. Throws
// `failure`; failure{configuration, "unknown_user"} when nothing is stored of that user.
#pragma once

#include <string>
#include <vector>

#include "db/pg/options.hpp"
#include "sync/types.hpp"

namespace flanks {

struct erased_table {
  std::string name;  // "flanks.transactions"
  std::int64_t rows = 0;
};

struct erase_report {
  std::vector<credential_id> erased;
  // Other users' as well: only the link to this user goes.
  std::vector<credential_id> kept;
  std::int64_t handed_over = 0;  // joint operations that another credential shows: now that one's
  std::vector<erased_table> tables;  // what was deleted where; tables without a row are left out
};

// What erase_user would erase: credentials only. Writes nothing.
[[nodiscard]] erase_report preview_erase(const db_options& options, const user_id& user);

// One transaction. Every table of both schemas that has a credential_id or a user_id is found by
// the catalog, so that a table of a later migration cannot be forgotten. A worker that has one of
// the credentials under its lease can no longer commit, and a tombstone (the digest of the token,
// nothing of the person) keeps the credentials from being registered again. A credential that was
// removed before belongs to whom it belonged last. PostgreSQL keeps deleted rows in its files until
// a vacuum, and backups keep them until they expire.
erase_report erase_user(const db_options& options, const user_id& user);

}  // namespace flanks
