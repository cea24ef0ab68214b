// An answer beside the stored rows of its window: what is new, what changed, what is shown, what is
// missing. The one comparison, for every window. Pure: it reads and writes nothing but itself.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sync/change_set.hpp"
#include "sync/fingerprint_set.hpp"
#include "sync/latest_versions.hpp"
#include "sync/operation_rhythm.hpp"
#include "sync/transaction.hpp"
#include "sync/types.hpp"

namespace flanks {

class window_diff {
 public:
  // `stored` outlives it; it is marked with what the answer shows. `by_values`: nothing that is
  // remembered of a row counts, only its values in the table (promise P14).
  window_diff(credential_id owner, product what, window days, fingerprint_set& stored,
              bool by_values);

  // The next records of the answer, in the order of arrival. They must live until has_more() says
  // that they are done with.
  void add(const transaction_batch& batch);
  // An answer may hold several versions of one operation: each round has one version of each, so
  // that every version is stored and becomes a revision when the next one replaces it.
  [[nodiscard]] bool has_more();
  [[nodiscard]] change_set next_round();
  // The last day of the window and, when that is open, of what the answer has shown beyond it.
  [[nodiscard]] const std::string& last_day_shown() const { return last_day_shown_; }
  // Of the answer's operations.
  [[nodiscard]] const operation_rhythm& rhythm() const { return rhythm_; }
  // Decides about a row of `lookups` (or of `inserts`, when it is stored after all): unchanged, an
  // update, a sighting or a conflict, added to `changes`.
  void resolve(const transaction& t, const stored_row& stored, change_set& changes);

  // What became of a change.
  void inserted(std::int64_t rows) { counts_.inserted += rows; }
  // `differs`: in more than its notation.
  void updated(const row_update& u, bool differs);
  // It could not be stored.
  void refused(const transaction& t);
  // Shown by an earlier part of the same plan.
  void shown_before(std::string_view id) { shown_besides_.insert(stored_.short_key_of(id)); }

  [[nodiscard]] bool shown(std::string_view id) const;
  // Every row that was stored in the window's days is.
  [[nodiscard]] bool shows_all() const { return stored_.all_seen(); }
  [[nodiscard]] const fingerprint_set& stored() const { return stored_; }
  // Records without a usable _id: any of them may be a row that is missing.
  [[nodiscard]] std::int64_t unreadable() const { return unreadable_; }
  // _ids that were shown, but not as rows of the window's days: no later part may miss them.
  [[nodiscard]] const std::vector<std::string>& shown_for_later() const { return shown_for_later_; }
  // It shows rows of another list that it has not shown before.
  [[nodiscard]] bool shows_others() const { return shows_others_; }
  // Other lists (credential, product) from which rows were taken.
  [[nodiscard]] const std::set<std::pair<credential_id, std::string>>& taken_from() const {
    return taken_from_;
  }
  // Days of rows that moved into this list, before and after: their fingerprints are stale.
  [[nodiscard]] const std::set<day>& moved() const { return moved_; }
  [[nodiscard]] const row_counts& counts() const { return counts_; }
  [[nodiscard]] row_counts& counts() { return counts_; }

 private:
  [[nodiscard]] const transaction& last_version_of(const transaction& t);
  void compare(const transaction& t, change_set& changes);
  void note_shown(std::string_view id);

  credential_id owner_;
  product what_;
  std::string first_day_, last_day_;  // of the window, YYYY-MM-DD: sorts as text
  std::string last_day_shown_;
  operation_rhythm rhythm_;
  fingerprint_set& stored_;
  bool by_values_;
  row_counts counts_;
  std::vector<const transaction*> pending_;
  // Of one round: the last version of each operation in it, and the operations that end as stored.
  latest_versions latest_;
  std::unordered_set<std::string_view> replayed_;
  // Rows that this answer has shown and that have no fingerprint here (their day is far outside the
  // window, or they are another list's): seeded hashes. A collision could only count a row as
  // duplicate in place of unchanged.
  std::unordered_set<std::uint64_t> seen_elsewhere_;
  // What came with this _id could not be stored, or came in an earlier part: shown it was, all the
  // same. Seeded hashes.
  std::unordered_set<std::uint64_t> shown_besides_;
  std::vector<std::string> shown_for_later_;
  std::int64_t unreadable_ = 0;
  bool shows_others_ = false;
  std::set<std::pair<credential_id, std::string>> taken_from_;
  std::set<day> moved_;
};

}  // namespace flanks
