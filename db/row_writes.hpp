// How rows get into flanks.transactions: new ones by COPY, changed ones by one statement that makes
// revisions of what it replaces. Rows of one window, or of many in one transaction. Blocks; throws
// sql_problem.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "db/session.hpp"
#include "db/text_format.hpp"
#include "db/window_scope.hpp"

namespace flanks {

// Rows of which none is in the table.
class new_rows {
 public:
  void add(const window_scope& scope, const transaction& t);
  [[nodiscard]] bool empty() const { return count_ == 0; }
  // Stores and forgets them; how many the server says that it stored. One that is there already, or
  // that the database cannot hold, fails all of them.
  std::int64_t copy(session& db);

 private:
  std::string text_;
  std::int64_t count_ = 0;
};

// Rows that are in the table with other content, whosever they are there. No lock is taken first: a
// version that somebody replaces meanwhile is not overwritten unseen, but missing.
class changed_rows {
 public:
  // What became of one.
  struct outcome {
    bool differs;   // from what was stored, in more than its notation: that is a revision now
    bool first;     // this transaction has not written it before
    bool in_place;  // it was shown by this list already
  };

  // Each _id once; in the order of their _ids, so that two who change the same rows wait for each
  // other and do not deadlock.
  void add(const window_scope& scope, const std::string& sync_run_id, const transaction& t);
  [[nodiscard]] bool empty() const { return count_ == 0; }
  // Stores and forgets them, in one round trip with what is said before and after. What became of
  // each in the order of adding, or of fewer when some are missing.
  [[nodiscard]] std::vector<outcome> write(session& db, std::vector<call> before,
                                           std::vector<call> after);

 private:
  [[nodiscard]] call take();

  array_literal credentials_, products_, runs_, hashes_;
  std::array<array_literal, column_count> columns_;
  std::size_t count_ = 0;
};

}  // namespace flanks
