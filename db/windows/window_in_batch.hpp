// One window of a batch on its way: what was asked, what the database says of it, what its answer
// changes, and what has become of that.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "db/pg/connection.hpp"
#include "db/windows/fingerprints.hpp"
#include "db/windows/quarantine.hpp"
#include "db/windows/row_writer.hpp"
#include "db/windows/unknown_fields.hpp"
#include "db/windows/window.hpp"
#include "sync/diff.hpp"

namespace flanks {

// What flanks.changes says of the rows that a window has inserted: each, or, when they are many,
// their days.
struct inserted_rows_noted {
  static constexpr std::size_t most = 100;
  std::vector<std::string> ids;     // at most one more than that
  std::string first_day, last_day;  // YYYY-MM-DD
};

struct window_in_batch {
  // Those of the requests, with what else has a say about them. Says also to the triggers that this
  // transaction keeps the fingerprints right itself, where it will.
  [[nodiscard]] static std::vector<std::unique_ptr<window_in_batch>> open(
      pg_connection& db, std::span<window_request* const> requests);
  // `facts`: a row of the statement that open() asks.
  window_in_batch(window_request& r, const pg_row& facts, const content_key& key);

  [[nodiscard]] const window_scope& scope() const { return request.scope; }
  [[nodiscard]] row_to_write writing(row_update u) { return {this, u}; }
  [[nodiscard]] row_to_write writing(const transaction* t) {
    return writing(row_update{t, false, nullptr});
  }
  void refuse(const transaction& t, const std::string& reason, const std::string& detail);
  // A record that the database cannot hold.
  void refuse(const refused_row& refused);
  // An _id that stands for something else than before, or for two things at once: stored as it
  // came, with a warning that names both.
  void warn_of_reused_id(const updated_row& row);
  void note_written(const transaction& t, std::int64_t rows);
  void note_inserted(const transaction& t);
  // Throws failure when the counts do not add up, or the table does not hold what was written.
  void check_counts(pg_connection& db) const;
  // What the run says of records that an object of a customer's refused.
  void note_refusals(run_record& record) const;
  [[nodiscard]] static failure rows_not_stored(credential_id id, std::int64_t written,
                                               std::int64_t found);

  window_request& request;
  bool lookup_before_copy, shares_rows, has_reviews, has_quarantine, has_foreign_triggers;
  window_fingerprints fingerprints;
  window_diff diff;
  change_set changes;  // of the round in hand
  quarantine::open_records in_quarantine;
  std::vector<rejected_record> rejected;
  unknown_fields unknown;
  // Other lists (credential, product) whose fingerprints are stale.
  std::set<std::pair<credential_id, std::string>> invalidated;
  // Records that an object of a customer's refused; which one did first, and whose turn it is.
  std::int64_t refused_by_others = 0;
  std::string refuser, refuser_hint;
  // Rows that this transaction wrote, each counted once, and the days that they lie in.
  std::int64_t written = 0;
  std::string first_written, last_written;
  inserted_rows_noted inserted;
};

}  // namespace flanks
