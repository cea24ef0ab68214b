// One list of products in one database transaction. Blocks; lives on one connection. Throws
// sql_problem, and `failure` for a lost lease or a stale answer.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/pg/connection.hpp"
#include "sync/store.hpp"

namespace flanks::products {

// store::store_products, as often as it is tried.
struct product_request {
  const lease_id& lease;
  const product_batch& batch;
  product_run run;
  removal_limits limits;
  std::string product_run_id;            // names the run once and for all
  std::optional<product_run> written{};  // the run as it is in flanks.product_runs
};
void store(pg_connection& db, product_request& r);

// store::record_product_run.
void record(pg_connection& db, const product_run& run, const std::string& product_run_id);

// Puts `records` into flanks.TABLE, writing only rows that differ. `owner`: the credential that the
// rows belong to, or none for a table without that column. Gives the ids of the rows that were
// written.
[[nodiscard]] std::vector<std::string> upsert(pg_connection& db, std::string_view table,
                                              std::span<const table_column> columns,
                                              std::optional<credential_id> owner,
                                              std::span<const product_record> records);

}  // namespace flanks::products
