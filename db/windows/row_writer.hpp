// Rows into flanks.transactions: new ones by COPY, changed ones by one statement that makes
// revisions of what it replaces. Rows of one window, or of many in one transaction. Returns what it
// could not store. Blocks; throws sql_problem.
#pragma once

#include <span>
#include <vector>

#include "db/pg/connection.hpp"
#include "sync/change_set.hpp"

namespace flanks {

struct window_in_batch;

// A row, and the window that it is written for.
struct row_to_write {
  window_in_batch* window = nullptr;
  row_update update;  // of a new row, only `row`
};

struct refused_row {
  row_to_write row;
  sql_problem problem;
};

struct inserted_rows {
  std::vector<row_to_write> stored;
  std::vector<row_to_write> unresolved;  // one of them, or more, is stored already
  std::vector<refused_row> refused;      // values that the database cannot hold
  std::int64_t missing = 0;              // of the stored ones: the server says it stored fewer
};

// Sorts them by day and _id: an order that does not depend on the answer, so that two transactions
// that bring the same new rows wait for each other and do not deadlock. `bisect`: one that is
// stored already or that the database cannot hold is found and returned; else it throws.
[[nodiscard]] inserted_rows insert_rows(pg_connection& db, std::vector<row_to_write> rows,
                                        bool bisect);

struct updated_row {
  row_to_write row;
  bool differs = false;       // from what was stored, in more than its notation
  bool first = false;         // the first new version of it in this transaction
  bool in_place = false;      // it was this list's already
  std::string other_account;  // the account that it was stored for, when that is another one
  // Day, amount and text of what it stood for, when all three are others now.
  std::string other_operation;
};

struct updated_rows {
  std::vector<updated_row> stored;
  std::vector<refused_row> refused;
  std::int64_t missing = 0;  // somebody else has replaced so many meanwhile
};

// Rows that are in the table with other content, whosever they are there; each _id once. In the
// order of their _ids, for the same reason. No lock is taken first: a version that somebody
// replaces meanwhile is not overwritten unseen, but missing.
[[nodiscard]] updated_rows update_rows(pg_connection& db, std::vector<row_to_write> rows,
                                       bool bisect);

}  // namespace flanks
