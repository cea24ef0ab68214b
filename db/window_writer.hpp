// One window in one database transaction: compares what came with what is stored and writes what
// differs. Blocks; lives on one lane. Throws sql_problem, and `failure` for a lost lease, a stale
// answer or counts that do not add up. Destroying it touches nothing: whoever owns the session
// rolls back.
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "db/latest_versions.hpp"
#include "db/quarantine.hpp"
#include "db/read_back.hpp"
#include "db/row_writes.hpp"
#include "db/session.hpp"
#include "db/unknown_fields.hpp"
#include "db/window_scope.hpp"
#include "sync/store.hpp"

namespace flanks {

// Adds the time until it dies.
class stopwatch {
 public:
  using clock = std::chrono::steady_clock;
  explicit stopwatch(clock::duration& sum) : sum_(sum) {}
  ~stopwatch() { sum_ += elapsed(); }
  stopwatch(const stopwatch&) = delete;
  stopwatch& operator=(const stopwatch&) = delete;
  [[nodiscard]] clock::duration elapsed() const { return clock::now() - begin_; }

 private:
  clock::duration& sum_;
  clock::time_point begin_ = clock::now();
};

// What the statements said they wrote is not in the table.
[[nodiscard]] failure rows_not_stored(credential_id id, std::int64_t written, std::int64_t found);

class window_writer {
 public:
  // Begins the transaction, and reads back what is stored of the window.
  window_writer(session& db, window_scope scope);

  // In the order of arrival. Takes the rejected records out of the batches.
  void write(std::vector<transaction_batch>& batches);
  // Everything of design.md P3 in the same transaction. Fills in the counts, `partial` for `ok`
  // when something went to quarantine, and the time that this window has taken up to here. Throws
  // sql_problem{in_doubt} when nobody knows whether it happened: then ask was_committed().
  // `absent`: as window_ledger::commit says.
  void commit(run_record record, const window_evidence& evidence, absent_rows& absent);

  // The record as commit() wrote it.
  [[nodiscard]] const run_record& finished() const { return finished_; }
  [[nodiscard]] const std::string& sync_run_id() const { return sync_run_id_; }

 private:
  struct change {
    const transaction* row;
    bool repeated;               // its _id came before in this response: counted as a duplicate
    const known_rows::row* was;  // null: it is not one of those
  };
  struct stored_row;
  using rows = std::span<const transaction* const>;

  void load_joint();
  known_rows& known() { return read_back_->rows(); }
  [[nodiscard]] const known_rows& known() const { return read_back_->rows(); }
  std::vector<const transaction*> write_round(const std::vector<const transaction*>& pending);
  [[nodiscard]] bool ends_as(const transaction& t, const content_hash& stored);
  void insert_fresh(rows fresh, int depth);
  void settle(rows doubtful, int depth);
  void settle_one(const transaction& t, const stored_row& stored);
  void update_changed(std::span<change> changed);
  void note_updated(const change& c, changed_rows::outcome how);
  void forget_own_sightings(std::span<const change> changed);
  void note_sightings();
  void refuse(const transaction& t, const std::string& reason, const std::string& detail);
  void refuse(const transaction& t, const sql_problem& problem);
  void note_refusals(run_record& record) const;
  void write_quarantine();
  std::optional<sql_problem> attempt_copy(rows fresh);
  void stretch_written(const transaction& t);
  void check_counts() const;
  void check_written();
  bool check_lease();
  void resolve_quarantine(std::vector<call>& words) const;
  [[nodiscard]] std::optional<known_answer> answer_stored(const window_evidence& evidence) const;
  [[nodiscard]] std::vector<call> last_words(const run_record& record,
                                             const window_evidence& evidence) const;
  void note_shown(std::string_view id);
  [[nodiscard]] bool shown(std::string_view id);
  void collect_absent(window provable, absent_rows& absent);
  void settle_absent(const window_evidence& evidence, absent_rows& absent, bool has_reviews,
                     run_record& record);

  session& db_;
  window_scope scope_;
  std::string first_day_, last_day_;              // of the window, YYYY-MM-DD: sorts as text
  std::chrono::steady_clock::duration spent_{0};  // on the lane, in finished calls
  run_record finished_;
  std::string sync_run_id_;
  std::optional<read_back> read_back_;  // always there once the window is open
  row_counts counts_;
  // Days that were read before bring few new rows, and some that are stored elsewhere: looking
  // first costs little, and a COPY that fails would leave dead rows behind with every re-read (P2).
  bool look_first_ = false;
  bool shares_rows_ = false;   // with another credential
  bool meddled_with_ = false;  // the table has triggers, rules or row security
  // The response lacks rows, or shows rows of another list that it has not shown before.
  bool contradicts_ = false;

  // Of one round: the last version of each operation in it, and the operations that end as stored.
  latest_versions latest_;
  std::unordered_set<std::string_view> replayed_;
  // Of one round, emptied by it.
  std::vector<change> changed_;
  std::vector<const transaction*> sighted_;
  std::vector<rejected_record> rejected_;
  // Records that an object of a customer's refused; which one did first, and whose turn it is.
  std::int64_t refused_by_others_ = 0;
  std::string refuser_, refuser_hint_;
  // Rows that this response has shown and known() does not hold (their day is far outside the
  // window, or another product's or credential's): seeded hashes. A meeting of two could only count
  // a row as duplicate in place of unchanged.
  std::unordered_set<std::uint64_t> seen_elsewhere_;
  // What came with this _id could not be stored, or came in an earlier part: shown it was, all the
  // same. Seeded hashes.
  std::unordered_set<std::uint64_t> shown_besides_;
  std::vector<std::string> shown_for_later_;  // what absent_rows::shown gets of this part
  std::int64_t unreadable_ = 0;               // records without a usable _id
  // What of this list is in quarantine since earlier runs; which rows of it this response has met
  // again; and of which records it has shown one that can be stored.
  std::vector<quarantine::open_record> open_records_;
  std::unordered_set<std::string> open_ids_;
  std::unordered_set<std::int64_t> met_again_;
  std::unordered_set<std::string> came_;

  // Other credentials, or products of this one, from which rows were taken.
  std::set<std::pair<credential_id, std::string>> forgotten_;
  unknown_fields unknown_;

  // Rows that this transaction wrote, each counted once, and the days that they lie in.
  std::int64_t written_ = 0;
  std::string first_written_, last_written_;
};

// After an in-doubt commit, on a new connection: waits until the old transaction is over, and says
// how it ended.
[[nodiscard]] bool was_committed(session& db, credential_id credential,
                                 const std::string& sync_run_id);

}  // namespace flanks
