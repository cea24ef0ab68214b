#include "db/windows/window_batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "db/array_columns.hpp"
#include "db/leases.hpp"
#include "db/text_format.hpp"
#include "db/windows/conflict_resolver.hpp"
#include "db/windows/coverage.hpp"
#include "db/windows/fingerprints.hpp"
#include "db/windows/quarantine.hpp"
#include "db/windows/removals.hpp"
#include "db/windows/row_writer.hpp"
#include "db/windows/run_log.hpp"
#include "db/windows/unknown_fields.hpp"
#include "sync/diff.hpp"
#include "sync/text.hpp"

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

// What else has a say about a window, beside its own rows. Says also to the triggers that this
// transaction keeps the fingerprints right itself, where it will.
constexpr statement read_facts{"open_windows", R"(
select a.nr, set_config('flanks.writer', case when w.watch is null then '' else s.writer end, true),
  exists (select from flanks.coverage c where c.credential_id = a.credential_id and c.product = a.product
    and c.days && daterange(a.first_day, a.last_day, '[]')),
  exists (select from flanks.transaction_sightings s where s.credential_id = a.credential_id),
  exists (select from flanks.removal_reviews v where v.credential_id = a.credential_id and v.product = a.product
    and v.state in ('open', 'rejected')),
  exists (select from flanks.quarantine q where q.credential_id = a.credential_id and q.product = a.product
    and q.part = 'transactions' and q.resolved_at is null),
  w.has_foreign_triggers, )" FLANKS_FINGERPRINT_STATE R"(
from flanks_internal.transactions_watch w
cross join flanks_internal.secrets s
cross join unnest($1::bigint[], $2::text[], $3::date[], $4::date[]) with ordinality
  as a(credential_id, product, first_day, last_day, nr)
left join flanks_internal.fingerprints f on f.credential_id = a.credential_id and f.product = a.product)"};
constexpr int first_column_of_state = 7;

// Every write leaves updated_at = now(), which is this transaction's and nobody else's.
constexpr statement count_written{"count_written", R"(
select count(*) from flanks.transactions where credential_id = $1 and product = $2 and operation_date between $3::date and $4::date
  and updated_at = now() and removed_at is null)"};

constexpr statement remember_size{"remember_window_size", R"(
with gone as (delete from flanks_internal.window_sizes where credential_id = $1 and product = $2 and $3 = 0)
insert into flanks_internal.window_sizes (credential_id, product, days) select $1, $2, $3 where $3 > 0
on conflict (credential_id, product) do update set days = excluded.days, updated_at = now()
where window_sizes.days <> excluded.days)"};

failure rows_not_stored(credential_id id, std::int64_t written, std::int64_t found) {
  failure f(stage::write, verdict::later, "rows_not_stored",
            fmt::format("credential {}: {} written, but the table holds {} of them; nothing was "
                        "stored",
                        id.value, counted(written, "row was", "rows were"), found));
  f.hint = "look for triggers, rules and row security on flanks.transactions";
  return f;
}

failure database_race(credential_id id, std::string_view what) {
  return failure(stage::write, verdict::retry, "database_race",
                 fmt::format("credential {}: {}", id.value, what));
}

// As far as its answer tells: nothing in it asks for more than comparing and writing rows.
bool is_plain(const window_request& r) {
  return r.evidence.last_part && r.absent.none() && !r.evidence.remember_days &&
         r.record.how == outcome::ok &&
         std::all_of(r.answer.begin(), r.answer.end(),
                     [](const transaction_batch& b) { return b.rejected.empty(); });
}

}  // namespace

// One of them on its way.
struct window_in_batch {
  window_in_batch(window_request& r, const pg_row& facts)
      : request(r),
        // Days that were read before bring few new rows, and some that are stored elsewhere:
        // looking first costs little, and a COPY that fails would leave dead rows behind with every
        // re-read (P2).
        lookup_before_copy(facts[2].as<bool>()),
        shares_rows(facts[3].as<bool>()),
        has_reviews(facts[4].as<bool>()),
        has_quarantine(facts[5].as<bool>()),
        has_foreign_triggers(facts[6].as<bool>()),
        fingerprints(r.scope, fingerprint_state_of(facts, first_column_of_state), r.sync_run_id),
        diff(r.scope.credential, r.scope.what, r.scope.days, fingerprints.rows(),
             r.scope.by_values) {}

  [[nodiscard]] const window_scope& scope() const { return request.scope; }
  [[nodiscard]] row_to_write writing(row_update u) {
    return {this, &request.scope, &request.sync_run_id, u};
  }
  [[nodiscard]] row_to_write writing(const transaction* t) {
    return writing(row_update{t, false, nullptr});
  }
  void refuse(const transaction& t, const std::string& reason, const std::string& detail);
  void refuse(const refused_row& refused);
  void note_written(const transaction& t, std::int64_t rows);

  window_request& request;
  bool lookup_before_copy, shares_rows, has_reviews, has_quarantine, has_foreign_triggers;
  window_fingerprints fingerprints;
  window_diff diff;
  change_set changes;  // of the round in hand
  quarantine::open_records open;
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
};

void window_in_batch::refuse(const transaction& t, const std::string& reason,
                             const std::string& detail) {
  diff.refused(t);
  open.refused(t.id());
  std::string raw = to_json(t);
  const bool cut = raw.size() > rejected_record::raw_limit;
  raw.resize(std::min(raw.size(), rejected_record::raw_limit));
  rejected.push_back({reason, detail, std::string(t.id()), std::move(raw), cut, false});
}

// A record that the database cannot hold.
void window_in_batch::refuse(const refused_row& refused) {
  const row_update& u = refused.row.update;
  // It has been seen with content that is not stored after all.
  if (u.was != nullptr) fingerprints.invalidate(u.was->on());
  refuse(*u.row, "refused_by_database", refusal_words(refused.problem));
  const std::string by = foreign_object(refused.problem);
  if (by.empty()) return;
  if (refused_by_others++ == 0) refuser = by, refuser_hint = foreign_hint(refused.problem);
}

void window_in_batch::note_written(const transaction& t, std::int64_t rows) {
  written += rows;
  const std::string_view on = t[column::operation_date];  // YYYY-MM-DD: sorts as text
  if (first_written.empty() || on < first_written) first_written = on;
  if (last_written < on) last_written = on;
}

window_batch::window_batch(session& db, std::span<window_request* const> requests) : db_(db) {
  for (window_request* r : requests)
    if (requests.size() == 1 || is_plain(*r)) requests_.push_back(r);
  std::sort(requests_.begin(), requests_.end(),
            [](const auto* a, const auto* b) { return a->scope.credential < b->scope.credential; });
}

window_batch::~window_batch() = default;

void apply(session& db, std::span<window_request* const> requests) {
  window_batch batch(db, requests);
  batch.open();
  batch.write();
  batch.finish();
}

void window_batch::open() {
  const stopwatch opening(spent_);
  settle_committed(db_, requests_);
  std::erase_if(requests_, [](const window_request* r) { return r->settled; });
  if (requests_.empty()) return;
  hold_leases();
  load();
}

void settle_committed(session& db, std::span<window_request* const> requests) {
  std::vector<run_in_doubt> in_doubt;
  for (const window_request* r : requests)
    if (r->written) in_doubt.push_back({r->scope.credential, r->sync_run_id});
  const auto committed = committed_runs(db, in_doubt);
  for (window_request* r : requests)
    r->settled = r->written && committed.contains(r->sync_run_id);
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
  array_columns asked;
  for (const window_request* r : requests_) {
    asked.add(sql_values(r->scope.credential, to_string(r->scope.what), r->scope.days.from,
                         r->scope.days.to));
  }
  for (const auto& r : db_.run(read_facts, asked.take())) {
    auto w = std::make_unique<window_in_batch>(*requests_[r[0].as<std::size_t>() - 1], r);
    const bool needs_more = w->shares_rows || w->has_reviews || w->has_quarantine;
    if (alone() || !needs_more) windows_.push_back(std::move(w));
  }
  std::vector<window_fingerprints::wanted> wanted;
  for (const auto& w : windows_) {
    wanted.push_back({&w->fingerprints, w->shares_rows});
    const std::string_view what = to_string(w->scope().what);
    if (w->has_quarantine) w->open.load(db_, w->scope().credential, what, "transactions");
  }
  window_fingerprints::load(db_, wanted);
}

void window_batch::write() {
  const stopwatch writing(spent_);
  for (const auto& w : windows_) {
    for (const transaction_batch& batch : w->request.answer) {
      w->diff.add(batch);
      w->unknown.add(batch.unknown);
      for (const transaction& t : batch.transactions)
        w->open.came(t.id());
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
  if (requests_.size() > 1) leave_those_that_need_more();
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
    if (w->lookup_before_copy)
      std::move(c.inserts.begin(), c.inserts.end(), std::back_inserter(c.lookups)),
          c.inserts.clear();
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
    throw rows_not_stored(windows_.front()->scope().credential, static_cast<std::int64_t>(asked),
                          static_cast<std::int64_t>(asked) - done.missing);
  }
  for (const row_to_write& r : done.stored) {
    const transaction& t = *r.update.row;
    r.window->diff.inserted(1);
    r.window->fingerprints.inserted(t);
    r.window->note_written(t, 1);
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
    w->open.met(quarantine::write(db_, where, w->rejected));
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

void window_batch::remove_absent(window_in_batch& w) {
  run_record& record =
      w.request.written.emplace(written_window{w.request.record, w.request.absent}).record;
  absent_rows& absent = w.request.written->absent;
  const row_counts& counts = w.diff.counts();
  if (!counts.adds_up()) {
    throw failure(
        stage::commit, verdict::later, "counts_do_not_add_up",
        fmt::format("credential {}: {} came, but {} inserted, {} updated, {} unchanged, {} "
                    "duplicates and {} quarantined were counted; nothing was stored",
                    w.scope().credential.value, counted(counts.fetched, "record"), counts.inserted,
                    counts.updated, counts.unchanged, counts.duplicates, counts.quarantined));
  }
  // Triggers, rules and row security may think otherwise than the statements that said they wrote:
  // where there are any, what was written is counted in the table itself.
  if (w.written > 0 && w.has_foreign_triggers) {
    const pg_rows r =
        db_.run(count_written, sql_values(w.scope().credential, to_string(w.scope().what),
                                          w.first_written, w.last_written));
    const auto found = r[0][0].as<std::int64_t>();
    if (found != w.written) throw rows_not_stored(w.scope().credential, w.written, found);
  }
  if (record.how == outcome::ok && counts.quarantined > 0) record.how = outcome::partial;
  const removals::list_of_rows list{w.scope().credential, w.scope().what, w.request.sync_run_id};
  // A person may have decided while a streamed answer came.
  const bool may_have_reviews = w.has_reviews || w.request.streamed;
  const removals::result done =
      removals::apply(db_, list, w.scope(), w.request.evidence, w.diff, absent, may_have_reviews);
  w.diff.counts().removed = done.removed;
  for (const day on : done.days)
    w.fingerprints.invalidate(on);
  w.invalidated = w.diff.taken_from();
  w.invalidated.insert(done.heirs.begin(), done.heirs.end());
  if (!done.suspicious) return;
  record.how = outcome::suspicious;
  record.error_class = "suspicious_removal";
  record.error_message = done.message;
  record.error_hint = "look at it with flanks-sync removals list, then confirm or reject";
}

// A suspicious answer was read whole, and all that it shows is stored: coverage and watermark say
// no more than that. What it lacks waits for a person, and is asked for again with the next
// refresh.
void window_batch::record() {
  const auto took = std::chrono::ceil<std::chrono::milliseconds>(spent_);
  std::vector<call> calls;
  covered_windows covered;
  run_records runs;
  std::map<product, unknown_fields> unknown;
  for (const auto& w : windows_) {
    const window_request& request = w->request;
    const window_scope& scope = w->scope();
    run_record& record = w->request.written->record;
    record.counts = w->diff.counts();
    record.database_time = took;
    if (w->refused_by_others > 0 && record.error_message.empty()) {
      record.error_class = "refused_by_database";
      record.error_stage = to_string(stage::write);
      record.error_message =
          fmt::format("{} refused {}", w->refuser, counted(w->refused_by_others, "record"));
      record.error_hint = w->refuser_hint;
    }
    // Two windows that take rows from each other may wait for each other: then PostgreSQL ends one,
    // and it is tried again.
    for (const auto& [credential, their_product] : w->invalidated)
      calls.push_back(invalidate_fingerprints(credential, their_product));
    for (const day on : w->diff.moved())
      w->fingerprints.invalidate(on);
    w->fingerprints.finish(db_, calls);
    if (const auto days = request.evidence.remember_days)
      calls.push_back({remember_size, sql_values(scope.credential, to_string(scope.what), *days)});
    const row_counts& n = record.counts;
    covered.add(scope, record, request.evidence, n.inserted + n.updated + n.removed > 0);
    runs.add(request.sync_run_id, record);
    unknown[scope.what].add(w->unknown);
  }
  if (windows_.empty()) return;
  calls.push_back(covered.take());
  for (const auto& w : windows_) {
    const std::string& run = w->request.sync_run_id;
    if (const auto stored = w->open.stored(); !stored.empty())
      calls.push_back(quarantine::resolve(stored, run));
    if (!w->open.empty())
      calls.push_back(
          quarantine::resolve_clean(w->scope().credential, to_string(w->scope().what), run));
  }
  for (const auto& [what, fields] : unknown)
    if (const auto writing = fields.write(to_string(what), db_.limits().unknown_fields_per_day))
      calls.push_back(*writing);
  calls.push_back(runs.take(true));
  db_.run_together(calls);
  for (const auto& w : windows_)
    w->request.settled = true;
}

}  // namespace flanks
