// What a window is compared with: month by month, from where it lies ready made
// (flanks_internal.read_backs) or else from flanks.transactions; and what lies ready when the
// window has been written. Blocks; lives inside the window's transaction.
//
// It is ready only where it says what the table says. The window tells of every row that it writes:
// a plain one (new, or with other content) goes into its month; whatever else happens to a row
// makes its month unknown, and then the next window reads it from the table. Rows of others, and
// what others do to ours, are the triggers' matter (migrations/0008_read_backs.sql).
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "db/known_rows.hpp"
#include "db/session.hpp"
#include "db/window_scope.hpp"

namespace flanks {

// The database's word on one read-back.
struct read_back_state {
  std::string watch;       // the triggers that watch the table now; empty: they do not, use nothing
  std::string generation;  // of the stored one, void or not; empty: there is none
  bool valid = false;      // it is of these triggers
  std::uint64_t seed = 0;
  std::optional<window> months;        // first days of the first and the last month that are ready
  std::optional<known_answer> answer;  // after which nothing was touched
};

// Its columns in a statement about flanks_internal.transactions_watch w and read_backs b, and what
// they say from column `first` on.
#define FLANKS_READ_BACK_STATE                                                                \
  "w.watch, b.generation, coalesce(b.watch = w.watch, false), b.seed, nullif(b.first_month, " \
  "'infinity'), nullif(b.last_month, '-infinity'), b.answer_hash, b.answer_seed, "            \
  "b.answer_bytes, b.answer_records, b.answer_question"
[[nodiscard]] read_back_state read_back_state_of(const pg_row& row, int first);

class read_back {
 public:
  // Has all months of the window, whole, once they are read or taken. `run_id`: a uuid of this
  // window alone.
  read_back(const window_scope& scope, read_back_state state, std::string run_id);

  // Reads them.
  void read(session& db);
  // A month of the window as it lies ready: its entries, when they are known. One that nobody knows
  // a row of is not among these.
  void take_ready(day first_day, bool known, std::string_view entries);
  // Whether all of them lay ready.
  [[nodiscard]] bool is_ready() const;

  // Its first day, which names it.
  [[nodiscard]] static day month_of(day on);

  [[nodiscard]] known_rows& rows() { return rows_; }
  [[nodiscard]] const known_rows& rows() const { return rows_; }

  // This transaction has inserted the row.
  void inserted(const transaction& t);
  // It has written other content into the known row `was` of our own, which has seen that content
  // already.
  void changed(const known_rows::row& was, const transaction& t);
  // Something else has happened to one of our rows of this day.
  void unclear(day on) { unclear_.insert(month_of(on)); }
  // Adds what the transaction must say at its end. Runs some of it when that is much. `answer`:
  // what is stored now says the same as it, and as nothing else.
  void finish(session& db, const std::optional<known_answer>& answer,
              std::vector<call>& last_words) const;

 private:
  struct month {
    bool ready = false;    // lay ready, so that it needs to be written only when something changed
    bool changed = false;  // by this transaction
    std::deque<known_rows::row> inserted;
  };

  void read_ready(session& db);
  void read_table(session& db);
  [[nodiscard]] window ready_months() const;
  [[nodiscard]] bool lay_ready(day first_day) const;
  [[nodiscard]] std::map<day, std::vector<const known_rows::row*>> rows_to_write(
      window ready) const;

  credential_id credential_;
  product what_;
  read_back_state state_;
  std::string next_generation_;  // under which this window writes
  std::map<day, month> months_;  // of the window
  std::set<day> unclear_;        // months, of the window or not
  known_rows rows_;
};

}  // namespace flanks
