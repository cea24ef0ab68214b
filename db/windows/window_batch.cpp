#include "db/windows/window_batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include "db/leases.hpp"
#include "db/windows/conflict_resolver.hpp"
#include "db/windows/coverage.hpp"
#include "db/windows/removals.hpp"
#include "db/windows/row_writer.hpp"
#include "db/windows/run_log.hpp"
#include "db/windows/window_in_batch.hpp"
#include "sync/error_class.hpp"

namespace flanks {

namespace {

using clock = std::chrono::steady_clock;

// Adds the time until it dies.
class stopwatch {
 public:
  explicit stopwatch(clock::duration& sum) : sum_(sum) {}
  ~stopwatch() { sum_ += clock::now() - begin_; }
  stopwatch(const stopwatch&) = delete;
  stopwatch& operator=(const stopwatch&) = delete;

 private:
  clock::duration& sum_;
  clock::time_point begin_ = clock::now();
};

// Updates and deletions are noted by triggers (migrations/0012_changes.sql).
constexpr statement note_inserts{"note_changes", R"(
insert into flanks.changes (kind, _id, credential_id, product, first_day, last_day)
select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::date[], $6::date[]))"};

void add_inserts(array_columns& lines, const window_in_batch& w) {
  const inserted_rows_noted& rows = w.inserted;
  const std::string_view what = to_string(w.scope().what);
  if (rows.ids.size() > inserted_rows_noted::most) {
    lines.add(
        sql_values("window", nullptr, w.scope().credential, what, rows.first_day, rows.last_day));
    return;
  }
  for (const std::string& id : rows.ids)
    lines.add(sql_values("insert", id, w.scope().credential, what, nullptr, nullptr));
}

failure database_race(credential_id id, std::string_view what) {
  return failure(stage::write, verdict::retry, "database_race",
                 fmt::format("credential {}: {}", id.value, what));
}

// As far as its answer tells: nothing in it asks for more than comparing and writing rows.
bool is_plain(const window_request& r) {
  return r.evidence.last_part && r.absent.none() && r.record.outcome == outcome::ok &&
         std::all_of(r.answer.begin(), r.answer.end(),
                     [](const transaction_batch& b) { return b.rejected.empty(); });
}

}  // namespace

window_batch::window_batch(pg_connection& db, std::span<window_request* const> requests) : db_(db) {
  for (window_request* r : requests)
    if (requests.size() == 1 || is_plain(*r)) requests_.push_back(r);
  std::sort(requests_.begin(), requests_.end(),
            [](const auto* a, const auto* b) { return a->scope.credential < b->scope.credential; });
}

window_batch::~window_batch() = default;

void apply(pg_connection& db, std::span<window_request* const> requests) {
  window_batch batch(db, requests);
  batch.open();
  batch.write();
  batch.finish();
}

void window_batch::open() {
  const stopwatch opening(spent_);
  find_committed(db_, requests_);
  std::erase_if(requests_, [](const window_request* r) { return r->done; });
  if (requests_.empty()) return;
  hold_leases();
  load();
}

void find_committed(pg_connection& db, std::span<window_request* const> requests) {
  std::vector<run_in_doubt> in_doubt;
  for (const window_request* r : requests)
    if (r->written) in_doubt.push_back({r->scope.credential, r->sync_run_id});
  const auto committed = committed_runs(db, in_doubt);
  for (window_request* r : requests)
    r->done = r->written && committed.contains(r->sync_run_id);
}

// While the answer of a streamed one is still coming, its lease is only looked at; at its end it is
// locked like the others'.
void window_batch::hold_leases() {
  std::vector<leases::claimed_lease> asked;
  for (const window_request* r : requests_)
    asked.push_back({r->scope.credential, r->scope.lease});
  const bool ends = !windows_.empty();
  const bool streams = alone() && requests_.front()->streamed && !ends;
  const std::vector<bool> held = leases::hold(db_, asked,
                                              streams   ? leases::lease_lock::none
                                              : alone() ? leases::lease_lock::wait
                                                        : leases::lease_lock::skip);
  if (alone() && !held.front()) {
    throw leases::lease_lost(requests_.front()->scope.credential,
                             streams ? " before its window was written" : ", nothing was stored");
  }
  std::size_t nr = 0;
  std::erase_if(requests_, [&](const window_request*) { return !held[nr++]; });
}

void window_batch::load() {
  if (requests_.empty()) return;
  for (auto& w : window_in_batch::open(db_, requests_)) {
    const bool needs_more = w->shares_rows || w->has_reviews || w->has_quarantine;
    if (alone() || !needs_more) windows_.push_back(std::move(w));
  }
  std::vector<window_fingerprints::wanted> wanted;
  for (const auto& w : windows_) {
    wanted.push_back({&w->fingerprints, w->shares_rows});
    const std::string_view what = to_string(w->scope().what);
    if (w->has_quarantine) w->in_quarantine.load(db_, w->scope().credential, what, "transactions");
  }
  window_fingerprints::load(db_, wanted);
}

void window_batch::write() {
  const stopwatch writing(spent_);
  for (const auto& w : windows_) {
    for (transaction_batch& batch : w->request.answer) {
      batch.hash_content(db_.key());
      w->diff.add(batch);
      w->unknown.add(batch.unknown);
      for (const transaction& t : batch.transactions)
        w->in_quarantine.came(t.id());
      w->rejected.insert(w->rejected.end(), batch.rejected.begin(), batch.rejected.end());
    }
  }
  for (compare(); !windows_.empty(); compare()) {
    const auto changed = [](const auto& w) {
      return w->changes.rows() + w->changes.lookups.size();
    };
    if (std::none_of(windows_.begin(), windows_.end(), changed) &&
        std::none_of(windows_.begin(), windows_.end(),
                     [](const auto& w) { return w->diff.has_more(); }))
      break;
    apply();
  }
  write_quarantine();
}

void window_batch::compare() {
  for (const auto& w : windows_)
    w->changes = w->diff.has_more() ? w->diff.next_round() : change_set{};
  if (!alone()) leave_those_that_need_more();
}

// Also a new row that two of them bring, or one of them twice: it is the second's with N = 1.
void window_batch::leave_those_that_need_more() {
  std::unordered_set<std::string_view> ids;
  std::erase_if(windows_, [&](const auto& w) {
    if (!w->changes.lookups.empty() || w->diff.has_more() || !w->diff.shows_all()) return true;
    return !std::all_of(w->changes.inserts.begin(), w->changes.inserts.end(),
                        [&](const transaction* t) { return ids.insert(t->id()).second; });
  });
}

void window_batch::apply() {
  for (int rounds = 0;; ++rounds) {
    if (rounds == 3)
      throw database_race(requests_.front()->scope.credential,
                          "others keep inserting the same rows");
    resolve();
    if (insert()) break;
  }
  update();
  note_sightings();
}

// What is stored under ids that have no fingerprint here.
void window_batch::resolve() {
  std::vector<row_to_write> asked;
  for (const auto& w : windows_) {
    change_set& c = w->changes;
    if (w->lookup_before_copy) {
      std::move(c.inserts.begin(), c.inserts.end(), std::back_inserter(c.lookups));
      c.inserts.clear();
    }
    for (const transaction* t : c.lookups)
      asked.push_back(w->writing(t));
  }
  const std::vector<found_row> found = look_up(db_, asked);
  std::unordered_set<const transaction*> known;
  std::unordered_set<const window_in_batch*> left;
  for (const found_row& f : found) {
    window_in_batch& w = *f.asked.window;
    known.insert(f.asked.update.row);
    if (alone()) w.diff.resolve(*f.asked.update.row, f.stored, w.changes);
    left.insert(&w);
  }
  for (const auto& w : windows_) {
    change_set& c = w->changes;
    std::copy_if(c.lookups.begin(), c.lookups.end(), std::back_inserter(c.inserts),
                 [&](const transaction* t) { return !known.contains(t); });
    c.lookups.clear();
    for (const row_conflict& conflict : c.conflicts)
      w->refuse(*conflict.row, conflict.reason, conflict.detail);
    c.conflicts.clear();
  }
  if (!alone()) std::erase_if(windows_, [&](const auto& w) { return left.contains(w.get()); });
}

// False: some are stored already, and must be looked up.
bool window_batch::insert() {
  std::vector<row_to_write> rows;
  for (const auto& w : windows_) {
    for (const transaction* t : w->changes.inserts)
      rows.push_back(w->writing(t));
    w->changes.inserts.clear();
  }
  const std::size_t asked = rows.size();
  const inserted_rows done = insert_rows(db_, std::move(rows), alone());
  if (done.missing != 0) {
    throw window_in_batch::rows_not_stored(windows_.front()->scope().credential,
                                           static_cast<std::int64_t>(asked),
                                           static_cast<std::int64_t>(asked) - done.missing);
  }
  for (const row_to_write& r : done.stored) {
    const transaction& t = *r.update.row;
    r.window->diff.inserted(1);
    r.window->fingerprints.inserted(t);
    r.window->note_inserted(t);
  }
  for (const refused_row& r : done.refused)
    r.row.window->refuse(r);
  for (const row_to_write& r : done.unresolved) {
    r.window->changes.lookups.push_back(r.update.row);
    r.window->lookup_before_copy = true;  // where one exists there are more
  }
  return done.unresolved.empty();
}

void window_batch::update() {
  std::vector<row_to_write> rows;
  for (const auto& w : windows_)
    for (const row_update& u : w->changes.updates)
      rows.push_back(w->writing(u));
  const std::size_t asked = rows.size();
  const updated_rows done = update_rows(db_, std::move(rows), alone());
  if (done.missing != 0) {
    throw database_race(windows_.front()->scope().credential,
                        fmt::format("{} of {} rows were touched by somebody else while they were "
                                    "being updated",
                                    done.missing, asked));
  }
  for (const updated_row& r : done.stored) {
    const row_update& u = r.row.update;
    window_in_batch& w = *r.row.window;
    if (!alone() && !r.in_place)
      throw database_race(w.scope().credential, "a row is another list's by now");
    w.diff.updated(u, r.differs);
    w.note_written(*u.row, r.first ? 1 : 0);
    w.warn_of_reused_id(r);
    if (u.was != nullptr) w.fingerprints.updated(*u.was, *u.row);
  }
  for (const refused_row& r : done.refused)
    r.row.window->refuse(r);
  if (alone() && windows_.front()->shares_rows && !done.stored.empty())
    forget_sightings(db_, windows_.front()->scope().credential, done.stored);
}

void window_batch::note_sightings() {
  for (const auto& w : windows_) {
    if (w->changes.sightings.empty()) continue;
    w->shares_rows = true;
    write_sightings(db_, w->scope(), w->changes.sightings);
  }
}

void window_batch::write_quarantine() {
  for (const auto& w : windows_) {
    const quarantine::list where{w->scope().credential, to_string(w->scope().what),
                                 "transactions",        w->request.sync_run_id,
                                 w->scope().days,       db_.limits().quarantine_per_day};
    w->in_quarantine.met(quarantine::write(db_, where, w->rejected));
    w->rejected.clear();
  }
}

void window_batch::finish() {
  {
    const stopwatch finishing(spent_);
    if (alone() && requests_.front()->streamed) hold_leases();
    for (const auto& w : windows_)
      remove_absent(*w);
  }
  record();
}

// A suspicious answer was read whole, and all that it shows is stored: coverage and watermark say
// no more than that. What it lacks waits for a person, and is asked for again with the next
// refresh.
void window_batch::remove_absent(window_in_batch& w) {
  run_record& record =
      w.request.written.emplace(written_window{w.request.record, w.request.absent}).record;
  absent_rows& absent = w.request.written->absent;
  w.check_counts(db_);
  if (record.outcome == outcome::ok && w.diff.counts().quarantined > 0)
    record.outcome = outcome::partial;
  // A person may have decided while a streamed answer came.
  const bool may_have_reviews = w.has_reviews || w.request.streamed;
  const removals::result done = removals::apply(
      db_, w.scope(), w.request.sync_run_id, w.request.evidence, w.diff, absent, may_have_reviews);
  w.diff.counts().removed = done.departed.removed;
  for (const day on : done.departed.days)
    w.fingerprints.invalidate(on);
  w.invalidated = w.diff.taken_from();
  w.invalidated.insert(done.departed.heirs.begin(), done.departed.heirs.end());
  if (!done.suspicious) return;
  record.outcome = outcome::suspicious;
  record.error_class = "suspicious_removal";
  record.error_message = done.message;
  record.error_hint = hint_of(record.error_class);
}

void window_batch::record() {
  const auto took = std::chrono::ceil<std::chrono::milliseconds>(spent_);
  std::vector<call> calls;
  covered_windows covered;
  run_records runs;
  std::map<product, unknown_fields> unknown;
  array_columns inserted;
  for (const auto& w : windows_) {
    const window_request& request = w->request;
    const window_scope& scope = w->scope();
    run_record& record = w->request.written->record;
    record.counts = w->diff.counts();
    record.database_time = took;
    w->note_refusals(record);
    // Two windows that take rows from each other may wait for each other: then PostgreSQL ends one,
    // and it is tried again.
    for (const auto& [credential, their_product] : w->invalidated)
      calls.push_back(invalidate_fingerprints(credential, their_product));
    for (const day on : w->diff.moved())
      w->fingerprints.invalidate(on);
    w->fingerprints.finish(db_, calls);
    const row_counts& n = record.counts;
    covered.add(scope, w->diff, record, request.evidence, n.inserted + n.updated + n.removed > 0);
    add_inserts(inserted, *w);
    runs.add(request.sync_run_id, record);
    unknown[scope.what].add(w->unknown);
  }
  if (windows_.empty()) return;
  calls.push_back(covered.take());
  if (!inserted.empty()) calls.push_back({note_inserts, inserted.take()});
  for (const auto& w : windows_) {
    const std::string& run = w->request.sync_run_id;
    if (const auto stored = w->in_quarantine.stored(); !stored.empty())
      calls.push_back(quarantine::resolve(stored, run));
    if (!w->in_quarantine.empty())
      calls.push_back(
          quarantine::resolve_clean(w->scope().credential, to_string(w->scope().what), run));
  }
  for (const auto& [what, fields] : unknown)
    if (const auto writing = fields.write(to_string(what), db_.limits().unknown_fields_per_day))
      calls.push_back(*writing);
  calls.push_back(runs.take(true));
  db_.run_together(calls);
  for (const auto& w : windows_)
    w->request.done = true;
}

}  // namespace flanks
