// Backfill plans: flanks_internal.backfills and their items. A plan survives any crash; an item is
// done in the same transaction as its rows (db/windows). Blocks; throws sql_problem, and
// failure{configuration} for a user or credential that does not exist.
#pragma once

#include <span>
#include <vector>

#include "db/pg/connection.hpp"
#include "db/requests.hpp"
#include "sync/store.hpp"

namespace flanks::backfill {

[[nodiscard]] chosen_credentials resolve(pg_connection& db, const selection& who);
[[nodiscard]] backfill_plan plan(pg_connection& db, const selection& who, window days,
                                 bool explicit_days, bool restart);
[[nodiscard]] backfill_plan preview(pg_connection& db, const selection& who, window days,
                                    bool explicit_days, bool restart);
[[nodiscard]] std::vector<credential_id> credentials(pg_connection& db, std::int64_t backfill_id,
                                                     credential_id after, int limit);
// Reads what is still open of each.
void apply(pg_connection& db, std::span<items_request* const> requests);
void fail_item(pg_connection& db, std::int64_t item_id, const std::string& error);
void skip_item(pg_connection& db, std::int64_t item_id, const std::string& reason);
[[nodiscard]] std::int64_t finish(pg_connection& db, std::int64_t backfill_id);

}  // namespace flanks::backfill
