// Row fingerprints: what an answer is compared with, month by month, from where it is kept
// (flanks_internal.fingerprints) or else from flanks.transactions; and what is kept once the window
// has been written. Blocks; lives inside the window's transaction.
//
// They are kept only where they say what the table says. The window tells of every row that it
// writes: a plain one (new, or with other content) goes into its month; whatever else happens to a
// row makes its month stale, and the next window loads it from the table. Rows of others, and what
// others do to ours, are the triggers' matter (migrations: fingerprints).
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/pg/connection.hpp"
#include "db/windows/window.hpp"
#include "sync/fingerprint_set.hpp"

namespace flanks {

// What the database says of the fingerprints of one list.
struct fingerprint_state {
  std::string watch;       // the triggers that watch the table now; empty: they do not, use nothing
  std::string generation;  // of the kept ones, valid or not; empty: there are none
  bool valid = false;      // they were written under these triggers
  std::uint64_t seed = 0;
  std::optional<window> months;  // first days of the first and the last month that are kept
};

// Its columns in a statement about flanks_internal.transactions_watch w and fingerprints f, and
// what they say from column `first` on.
#define FLANKS_FINGERPRINT_STATE                                                              \
  "w.watch, f.generation, coalesce(f.watch = w.watch, false), f.seed, nullif(f.first_month, " \
  "'infinity'), nullif(f.last_month, '-infinity')"
[[nodiscard]] fingerprint_state fingerprint_state_of(const pg_row& row, int first);

// The same for the same entries in whatever order.
struct entries_digest {
  std::uint64_t sum = 0, count = 0;
  void add(std::string_view entry);
  bool operator==(const entries_digest&) const = default;
};

class window_fingerprints {
 public:
  // `key`: what contents are hashed with. `run_id`: a uuid of this window alone.
  window_fingerprints(const window_scope& scope, fingerprint_state state, const content_key& key,
                      std::string run_id);
  window_fingerprints(const window_fingerprints&) = delete;
  window_fingerprints& operator=(const window_fingerprints&) = delete;

  // Loads all months of these windows, whole; those that are not kept, and all of a window that is
  // compared by values, from the table. `joint`: of those, rows of other credentials that
  // they show too.
  struct wanted {
    window_fingerprints* of;
    bool joint;
  };
  static void load(pg_connection& db, std::span<const wanted> windows);

  [[nodiscard]] fingerprint_set& rows() { return rows_; }

  // This transaction has inserted the row.
  void inserted(const transaction& t);
  // It has written other content into the known row `was` of our own, which has seen that content
  // already.
  void updated(const fingerprint& was, const transaction& t);
  // Something else has happened to one of our rows of this day.
  void invalidate(day on) { stale_.insert(month_of(on)); }
  // Adds what the transaction must say at its end. Runs some of it when that is much.
  void finish(pg_connection& db, std::vector<call>& final_statements) const;

 private:
  struct month {
    bool kept = false;     // so that it needs to be written only when something changed
    bool changed = false;  // by this transaction
    // Of the kept entries, where rows are compared by their values: they are written anew only when
    // they say something else.
    std::optional<entries_digest> said;
    std::deque<fingerprint> inserted;
  };

  [[nodiscard]] static day month_of(day on);
  [[nodiscard]] bool is_kept(day first_day) const;
  [[nodiscard]] std::optional<window> unloaded() const;
  [[nodiscard]] window kept_months() const;
  [[nodiscard]] std::map<day, std::vector<const fingerprint*>> rows_to_write(window kept) const;
  static void load_kept(pg_connection& db, std::span<const wanted> windows);
  static void load_table(pg_connection& db, std::span<const wanted> windows);

  const window_scope& scope_;
  fingerprint_state state_;
  std::string next_generation_;  // under which this window writes
  // Of the window, up to the day of asking. What is dated in a later month is read from the table.
  std::map<day, month> months_;
  std::set<day> stale_;  // months, of the window or not
  fingerprint_set rows_;
};

// What makes the fingerprints of a list stale as a whole.
[[nodiscard]] call invalidate_fingerprints(credential_id credential, std::string_view product);

}  // namespace flanks
