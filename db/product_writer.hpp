// One list of products in one database transaction. Blocks; lives on one lane. Throws sql_problem,
// and `failure` for a lost lease or a stale answer.
#pragma once

#include <string>

#include "db/session.hpp"
#include "sync/store.hpp"

namespace flanks::products {

// store::store_products. `again`: an earlier try may have committed; then its record is the answer.
[[nodiscard]] product_run store(session& db, const lease_id& lease, const product_batch& batch,
                                product_run run, const std::string& product_run_id, bool again);

// store::record_product_run.
void record(session& db, const product_run& run, const std::string& product_run_id);

// Puts `records` into flanks.TABLE, writing only rows that differ. `owner`: the credential that the
// rows belong to, or none for a table without that column. Gives the ids of the rows that were
// written.
[[nodiscard]] std::vector<std::string> upsert(session& db, std::string_view table,
                                              std::span<const product_column> columns,
                                              std::optional<credential_id> owner,
                                              std::span<const product_record> records);

}  // namespace flanks::products
