// How a window ends: what it lacks, what it covers, its run record, and the commit. The other half
// of window_writer; what is written before is in window_writer.cpp.
#include <fmt/format.h>

#include "db/copy_binary.hpp"
#include "db/removals.hpp"
#include "db/runs.hpp"
#include "db/window_ends.hpp"
#include "db/window_writer.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

// What of the window is live now: with what this response has inserted, without what it moved away.
constexpr const char* live_text = R"(copy (
select t._id from flanks.transactions t
where t.credential_id = {0} and t.product = '{1}' and t.operation_date between '{2}' and '{3}' and t.removed_at is null
union all
select t._id from flanks.transaction_sightings s
join flanks.transactions t on t._id = s._id
join flanks.credentials c on c.credential_id = t.credential_id
where s.credential_id = {0} and s.product = '{1}' and t.credential_id <> {0} and t.operation_date between '{2}' and '{3}'
  and t.removed_at is null and c.removed_at is null
) to stdout (format binary))";

// Every write leaves updated_at = now(), which is this transaction's and nobody else's.
constexpr statement count_written{"count_written", R"(
select count(*) from flanks.transactions where credential_id = $1 and product = $2 and operation_date between $3::date and $4::date
  and updated_at = now() and removed_at is null)"};

// clock_timestamp(), not now(): this transaction may have begun long ago. What else it reads can
// only have been written under a lease of this credential, or while nobody held one (removals). The
// lease also is the order between two answers (promise P6): who was asked under an earlier claim
// has lost it, whatever the provider says of the time of its data.
constexpr statement lock_lease{"lock_lease", R"(
select
  exists (select from flanks.removal_reviews where credential_id = $1 and product = $3 and state in ('open', 'rejected'))
from flanks_internal.leases where credential_id = $1 and lease_id = $2 and expires_at > clock_timestamp() for update)"};

constexpr statement remember_size{"remember_window_size", R"(
with gone as (delete from flanks_internal.window_sizes where credential_id = $1 and product = $2 and $3 = 0)
insert into flanks_internal.window_sizes (credential_id, product, days) select $1, $2, $3 where $3 > 0
on conflict (credential_id, product) do update set days = excluded.days, updated_at = now()
where window_sizes.days <> excluded.days)"};

constexpr statement forget{"forget_read_back", "select flanks_internal.forget_read_back($1, $2)"};

// The lock of lock_lease is held until the transaction in doubt has ended, one way or the other.
constexpr statement wait_for_doubt{"wait_for_doubt", R"(
select from flanks_internal.leases where credential_id = $1 for update)"};
constexpr statement find_run{"find_run",
                             "select exists (select from flanks.sync_runs where sync_run_id = $1)"};

}  // namespace

failure rows_not_stored(credential_id id, std::int64_t written, std::int64_t found) {
  failure f(stage::write, verdict::later, "rows_not_stored",
            fmt::format("credential {}: {} written, but the table holds {} of them; nothing was "
                        "stored",
                        id.value, counted(written, "row was", "rows were"), found));
  f.hint = "look for triggers, rules and row security on flanks.transactions";
  return f;
}

void window_writer::check_counts() const {
  if (counts_.adds_up()) return;
  throw failure(
      stage::commit, verdict::later, "counts_do_not_add_up",
      fmt::format("credential {}: {} came, but {} inserted, {} updated, {} unchanged, {} "
                  "duplicates and {} quarantined were counted; nothing was stored",
                  scope_.credential.value, counted(counts_.fetched, "record"), counts_.inserted,
                  counts_.updated, counts_.unchanged, counts_.duplicates, counts_.quarantined));
}

// Triggers, rules and row security may think otherwise than the statements that said they wrote:
// where there are any, what was written is counted in the table itself.
void window_writer::check_written() {
  if (written_ == 0 || !meddled_with_) return;
  const pg_rows r = db_.run(count_written, sql_values(scope_.credential, to_string(scope_.what),
                                                      first_written_, last_written_));
  const auto found = r[0][0].as<std::int64_t>();
  if (found != written_) throw rows_not_stored(scope_.credential, written_, found);
}

// True: rows of this list wait for a person's decision, or have had one.
bool window_writer::check_lease() {
  const pg_rows held = db_.run(
      lock_lease, sql_values(scope_.credential, scope_.lease.value, to_string(scope_.what)));
  if (held.empty()) {
    throw failure(stage::lease, verdict::later, "lease_lost",
                  fmt::format("credential {}: the lease was lost, nothing was stored",
                              scope_.credential.value));
  }
  return held[0][0].as<bool>();
}

bool window_writer::shown(std::string_view id) {
  const known_rows::row* const row = known().find(id);
  if (row != nullptr && row->seen()) return true;
  const std::uint64_t key = known().short_key_of(id);
  return seen_elsewhere_.contains(key) || shown_besides_.contains(key);
}

// The ids themselves are read only when something is missing: known() has no more than hashes.
void window_writer::collect_absent(window provable, absent_rows& absent) {
  absent.unreadable += unreadable_;
  if (known().all_seen()) {
    absent.stored += known().live();
    return;
  }
  const std::string text =
      fmt::format(fmt::runtime(live_text), scope_.credential.value, to_string(scope_.what),
                  to_string(provable.from), to_string(provable.to));
  const std::size_t before = absent.ids.size();
  copy_binary copied;
  db_.copy_out(statement{"load_live", text.c_str()}, [&](std::string_view bytes) {
    if (!copied.next(bytes)) return;
    const std::string_view id = copied.field();
    const known_rows::row* const row = known().find(id);
    if (row == nullptr || !row->inside()) return;  // this response has brought it here
    ++absent.stored;
    if (!shown(id)) absent.ids.emplace_back(id);
  });
  if (counts_.fetched == 0 && absent.ids.size() > before) absent.empty_answer = true;
}

void window_writer::settle_absent(const window_evidence& evidence, absent_rows& absent,
                                  bool has_reviews, run_record& record) {
  for (const std::string& id : absent.shown)
    shown_besides_.insert(known().short_key_of(id));
  std::erase_if(absent.ids, [&](const std::string& id) { return shown(id); });
  if (evidence.provable && !scope_.filtered()) collect_absent(*evidence.provable, absent);
  contradicts_ = contradicts_ || !absent.ids.empty();
  if (contradicts_ && evidence.rested_connection) {
    throw unconfirmed_answer(scope_.credential,
                             fmt::format("{} transactions", to_string(scope_.what)));
  }
  removals::list_of_rows list{scope_.credential, scope_.what, sync_run_id_};
  removals::set_aside aside;
  if (has_reviews) aside = removals::read_set_aside(db_, list);
  removals::take_back(db_, list, aside, [&](std::string_view id) { return shown(id); });
  if (!evidence.last_part) {
    absent.shown.insert(absent.shown.end(), shown_for_later_.begin(), shown_for_later_.end());
    return;
  }
  const removals::result done = removals::settle(db_, list, aside, absent, evidence.limits);
  counts_.removed = done.removed;
  for (const day on : done.days)
    read_back_->unclear(on);
  forgotten_.insert(done.heirs.begin(), done.heirs.end());
  if (!done.suspicious) return;
  record.how = outcome::suspicious;
  record.error_class = "suspicious_removal";
  record.error_message = done.message;
  record.error_hint = "look at it with flanks-sync removals list, then confirm or reject";
}

// The answer, when the list says the same in these days: every record of it is a row as it came,
// and no other row is there. So says the table, and it goes on saying so until a row is touched.
std::optional<known_answer> window_writer::answer_stored(const window_evidence& evidence) const {
  const bool as_it_came = counts_.duplicates + counts_.quarantined + counts_.warnings == 0;
  // What happens to rows of other lists nobody tells this one.
  const bool own = seen_elsewhere_.empty() && !shares_rows_;
  return as_it_came && own && known().all_seen() ? evidence.answer : std::nullopt;
}

// A suspicious answer was read whole, and all that it shows is stored: coverage and watermark say
// no more than that. What it lacks waits for a person, and is asked for again with the next
// refresh.
std::vector<call> window_writer::last_words(const run_record& record,
                                            const window_evidence& evidence) const {
  const std::string_view what = to_string(scope_.what);
  std::vector<call> words;
  // Two windows that take rows from each other may wait for each other: then PostgreSQL ends one,
  // and it is tried again.
  for (const auto& [credential, their_product] : forgotten_)
    words.push_back({forget, sql_values(credential, their_product)});
  read_back_->finish(db_, answer_stored(evidence), words);
  if (evidence.remember_days)
    words.push_back({remember_size, sql_values(scope_.credential, what, *evidence.remember_days)});
  const bool new_data = counts_.inserted + counts_.updated + counts_.removed > 0;
  window_ends ends;
  ends.add(scope_, record, evidence, new_data);
  words.push_back(ends.take());
  resolve_quarantine(words);
  if (const auto fields = unknown_.write(what, db_.limits().unknown_fields_per_day))
    words.push_back(*fields);
  run_records run;
  run.add(sync_run_id_, record);
  words.push_back(run.take(true));
  return words;
}

// What was in quarantine and came again as it should, and what does not come any more.
void window_writer::resolve_quarantine(std::vector<call>& words) const {
  std::vector<std::int64_t> stored;
  for (const quarantine::open_record& open : open_records_) {
    if (!met_again_.contains(open.id) && came_.contains(open.record_id)) stored.push_back(open.id);
  }
  if (!stored.empty()) words.push_back(quarantine::resolve(stored, sync_run_id_));
  if (open_records_.empty()) return;
  words.push_back(
      quarantine::resolve_clean(scope_.credential, to_string(scope_.what), sync_run_id_));
}

void window_writer::commit(run_record record, const window_evidence& evidence,
                           absent_rows& absent) {
  const stopwatch committing(spent_);
  check_counts();
  if (record.how == outcome::ok && counts_.quarantined > 0) record.how = outcome::partial;
  check_written();
  const bool has_reviews = check_lease();
  absent_rows left = absent;
  settle_absent(evidence, left, has_reviews, record);
  note_refusals(record);
  record.counts = counts_;
  record.database_time =
      std::chrono::ceil<std::chrono::milliseconds>(spent_ + committing.elapsed());
  db_.run_together(last_words(record, evidence));
  finished_ = std::move(record);
  absent = std::move(left);
  db_.commit();
}

bool was_committed(session& db, credential_id credential, const std::string& sync_run_id) {
  db.run(wait_for_doubt, sql_values(credential));
  return db.run(find_run, sql_values(sync_run_id))[0][0].as<bool>();
}

}  // namespace flanks
