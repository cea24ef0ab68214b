// Rows whose _id is stored elsewhere: under another credential, another product, or another day
// than the window has. What is done about each is window_diff::resolve()'s decision. Blocks; throws
// sql_problem.
#pragma once

#include <span>
#include <vector>

#include "db/pg/connection.hpp"
#include "db/windows/row_writer.hpp"
#include "db/windows/window.hpp"

namespace flanks {

struct found_row {
  row_to_write asked;
  stored_row stored;
};

// Those of `rows` that are stored, with what is stored under their _ids.
[[nodiscard]] std::vector<found_row> look_up(pg_connection& db, std::span<const row_to_write> rows);

// Puts on record that these rows of other credentials are shown by this list too. Throws
// failure{retry} when another credential has removed one just now. In the order of the _ids.
void write_sightings(pg_connection& db, const window_scope& scope,
                     std::span<const transaction* const> rows);
// Rows that have become this credential's own are no sightings of somebody else's any more.
void forget_sightings(pg_connection& db, credential_id credential,
                      std::span<const updated_row> rows);

}  // namespace flanks
