#include "db/window_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "db/copy_binary.hpp"
#include "db/quarantine.hpp"
#include "db/text_format.hpp"
#include "db/window_lock.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

// Also says to the triggers that this transaction keeps the read-back right itself, where it will.
constexpr statement start{"open_window", R"(
select gen_random_uuid(), set_config('flanks.writer', case when w.watch is null then '' else 'window' end, true),
  exists (select from flanks_internal.leases
    where credential_id = $1 and lease_id = $2 and expires_at > clock_timestamp()),
  exists (select from flanks.coverage
    where credential_id = $1 and product = $3 and days && daterange($4::date, $5::date, '[]')),
  exists (select from flanks.transaction_sightings where credential_id = $1),
  w.meddled_with,
  exists (select from flanks.quarantine
    where credential_id = $1 and product = $3 and part = 'transactions' and resolved_at is null),
  )" FLANKS_SHARE_WINDOW_LOCK("$1") R"(, )" FLANKS_READ_BACK_STATE
                                    R"(
from flanks_internal.transactions_watch w
left join flanks_internal.read_backs b on b.credential_id = $1 and b.product = $3)"};

constexpr statement savepoint{"savepoint", "savepoint piece"};
constexpr statement release{"release", "release savepoint piece"};
constexpr statement undo{"undo", "rollback to savepoint piece"};

constexpr const char* joint_rows = R"(copy (
select t._id, t.content_hash, c.removed_at is not null or t.removed_at is not null, t.operation_date
from flanks.transaction_sightings s
join flanks.transactions t on t._id = s._id
join flanks.credentials c on c.credential_id = t.credential_id
where s.credential_id = {0} and t.credential_id <> {0} and t.operation_date between '{1}' and '{2}'
) to stdout (format binary))";

constexpr statement look_up{"look_up", R"(
select t._id, t.credential_id, t.product, t.content_hash, t.removed_at is not null, c.removed_at is not null,
  t.updated_at = now(), s._id is not null, t.operation_date
from flanks.transactions t
left join flanks.credentials c on c.credential_id = t.credential_id
left join flanks.transaction_sightings s on s._id = t._id and s.credential_id = $2
where t._id = any($1::text[]))"};

constexpr statement forget_sightings{"forget_sightings", R"(
delete from flanks.transaction_sightings where credential_id = $1 and _id = any($2::text[]))"};

constexpr statement write_sightings{"insert_sightings", R"(
insert into flanks.transaction_sightings (_id, credential_id, product)
select i, $1, $2 from unnest($3::text[]) i order by i on conflict do nothing)"};

constexpr statement sighted_removed{"sighted_removed", R"(
select exists (select from flanks.transactions where _id = any($1::text[]) and removed_at is not null))"};

std::string id_array(std::span<const transaction* const> rows) {
  array_literal ids;
  for (const transaction* t : rows)
    ids.add(t->id());
  return ids.take();
}

}  // namespace

// What is stored under an _id that known() does not hold, or holds as doubtful.
struct window_writer::stored_row {
  std::int64_t credential;
  std::string product_name;
  std::string hash;
  bool removed, owner_removed, touched, sighted;
  day on;
};

window_writer::window_writer(session& db, window_scope scope)
    : db_(db),
      scope_(std::move(scope)),
      first_day_(to_string(scope_.days.from)),
      last_day_(to_string(scope_.days.to)) {
  const stopwatch opening(spent_);
  db_.begin();
  db_.go_by_key();
  const pg_rows r =
      db_.run(start, sql_values(scope_.credential, scope_.lease.value, to_string(scope_.what),
                                scope_.days.from, scope_.days.to));
  sync_run_id_ = r[0][0].c_str();
  if (!r[0][2].as<bool>()) {
    throw failure(stage::lease, verdict::later, "lease_lost",
                  fmt::format("credential {}: the lease was lost before its window was written",
                              scope_.credential.value));
  }
  look_first_ = r[0][3].as<bool>();
  meddled_with_ = r[0][5].as<bool>();
  read_back_.emplace(scope_, read_back_state_of(r[0], 8), sync_run_id_);
  read_back_->read(db_);
  if (r[0][6].as<bool>()) {
    open_records_ =
        quarantine::read_open(db_, scope_.credential, to_string(scope_.what), "transactions");
    for (const quarantine::open_record& open : open_records_)
      open_ids_.insert(open.record_id);
  }
  shares_rows_ = r[0][4].as<bool>();
  if (shares_rows_) load_joint();
  known().seal();
}

void window_writer::load_joint() {
  const std::string text = fmt::format(fmt::runtime(joint_rows), scope_.credential.value,
                                       to_string(scope_.days.from), to_string(scope_.days.to));
  copy_binary copied;
  db_.copy_out(statement{"load_joint", text.c_str()}, [&](std::string_view bytes) {
    if (!copied.next(bytes)) return;
    const std::string_view id = copied.field();
    const content_hash content = uuid_from_bytes(copied.field().data());
    const bool doubtful = copied.flag();
    known().add(id, content, copied.date(), doubtful, true);
  });
}

void window_writer::write(std::vector<transaction_batch>& batches) {
  const stopwatch writing(spent_);
  std::vector<const transaction*> pending;
  for (transaction_batch& batch : batches) {
    counts_.fetched += batch.elements();
    unknown_.add(batch.unknown);
    for (const transaction& t : batch.transactions) {
      pending.push_back(&t);
      if (!open_ids_.empty() && open_ids_.contains(std::string(t.id()))) came_.emplace(t.id());
      const std::string_view on = t[column::operation_date];
      if (on < first_day_ || on > last_day_) shown_for_later_.emplace_back(t.id());
    }
    for (rejected_record& r : batch.rejected) {
      ++(r.stored_anyway ? counts_.warnings : counts_.quarantined);
      if (!r.stored_anyway) note_shown(r.id);
      rejected_.push_back(std::move(r));
    }
  }
  while (!pending.empty())
    pending = write_round(pending);
  write_quarantine();
}

// Writes the first version of every _id; gives back the later ones that differ from the one before,
// for the next round. So each version is stored, and becomes a revision when the next one replaces
// it.
std::vector<const transaction*> window_writer::write_round(
    const std::vector<const transaction*>& pending) {
  latest_.reset(pending.size());
  replayed_.clear();
  std::vector<const transaction*> first, later, fresh, doubtful;
  first.reserve(pending.size());
  for (const transaction* t : pending) {
    latest_versions::place last = latest_.at(t->id(), known().short_key_of(t->id()));
    if (last == nullptr) {
      first.push_back(last = t);
    } else if (last->hash == t->hash) {
      ++counts_.duplicates;
    } else {
      later.push_back(last = t);
    }
  }
  for (const transaction* t : first) {
    known_rows::row* const row = known().find(t->id());
    if (row == nullptr) {
      fresh.push_back(t);
      continue;
    }
    const bool again = !row->seen() && !row->joint() && ends_as(*t, row->content());
    if ((again || row->content() == t->hash) && !row->doubtful()) {
      ++(row->seen() ? counts_.duplicates : counts_.unchanged);
      if (again && !later.empty()) replayed_.insert(t->id());
      row->see(row->content());
    } else if (row->joint()) {
      doubtful.push_back(t);
    } else {
      changed_.push_back({t, row->seen(), row});
      row->see(t->hash);
    }
  }
  // In an order that does not depend on the answer, so that two credentials that bring the same new
  // rows wait for each other and do not deadlock; by day first, so that what is read together lies
  // together.
  std::sort(fresh.begin(), fresh.end(), [](const transaction* a, const transaction* b) {
    const int days = (*a)[column::operation_date].compare((*b)[column::operation_date]);
    return days != 0 ? days < 0 : a->id() < b->id();
  });
  if (look_first_) {
    doubtful.insert(doubtful.end(), fresh.begin(), fresh.end());
  } else if (!fresh.empty()) {
    insert_fresh(fresh, 0);
  }
  if (!doubtful.empty()) settle(doubtful, 0);
  update_changed(changed_);
  changed_.clear();
  note_sightings();
  counts_.duplicates += static_cast<std::int64_t>(
      std::erase_if(later, [&](const transaction* t) { return replayed_.contains(t->id()); }));
  return later;
}

// An answer that ends with the stored version has been here before, and the versions before it are
// revisions already: to write them again would be a write with every replay (P2).
bool window_writer::ends_as(const transaction& t, const content_hash& stored) {
  return latest_.at(t.id(), known().short_key_of(t.id()))->hash == stored;
}

std::optional<sql_problem> window_writer::attempt_copy(rows fresh) {
  new_rows writing;
  for (const transaction* t : fresh)
    writing.add(scope_, *t);
  db_.run(savepoint);
  std::int64_t copied = 0;
  try {
    copied = writing.copy(db_);
  } catch (const sql_problem& problem) {
    if (problem.lost) throw;
    db_.run(undo);
    return problem;
  }
  db_.run(release);
  if (copied != static_cast<std::int64_t>(fresh.size()))
    throw rows_not_stored(scope_.credential, static_cast<std::int64_t>(fresh.size()), copied);
  written_ += copied;
  for (const transaction* t : fresh) {
    stretch_written(*t);
    read_back_->inserted(*t);
  }
  return std::nullopt;
}

// Rows that are believed to be new, straight into the table. One that exists after all fails the
// COPY: then all of them are looked up. One that the database cannot hold is found by halving.
void window_writer::insert_fresh(rows fresh, int depth) {
  const std::optional<sql_problem> problem = attempt_copy(fresh);
  if (!problem) {
    counts_.inserted += static_cast<std::int64_t>(fresh.size());
  } else if (problem->sqlstate == "23505" && problem->constraint == "transactions_pkey") {
    look_first_ = true;  // where one exists there are more
    settle(fresh, depth + 1);
  } else if (!is_bad_value(problem->sqlstate)) {
    throw *problem;
  } else if (fresh.size() == 1) {
    refuse(*fresh[0], *problem);
  } else {
    insert_fresh(fresh.first(fresh.size() / 2), depth);
    insert_fresh(fresh.subspan(fresh.size() / 2), depth);
  }
}

void window_writer::settle(rows doubtful, int depth) {
  if (depth > 3) {
    throw failure(
        stage::write, verdict::retry, "database_race",
        fmt::format("credential {}: others keep inserting the same rows", scope_.credential.value));
  }
  const pg_rows found = db_.run(look_up, sql_values(id_array(doubtful), scope_.credential));
  std::unordered_map<std::string_view, stored_row> stored;
  for (const auto& r : found) {
    stored.emplace(r[0].c_str(), stored_row{r[1].as<std::int64_t>(), r[2].c_str(), r[3].c_str(),
                                            r[4].as<bool>(), r[5].is_null() || r[5].as<bool>(),
                                            r[6].as<bool>(), r[7].as<bool>(), r[8].as<day>()});
  }
  std::vector<const transaction*> fresh;
  for (const transaction* t : doubtful) {
    const auto at = stored.find(t->id());
    if (at == stored.end()) {
      fresh.push_back(t);
    } else {
      settle_one(*t, at->second);
    }
  }
  if (!fresh.empty()) insert_fresh(fresh, depth);
}

void window_writer::settle_one(const transaction& t, const stored_row& stored) {
  const bool mine = stored.credential == scope_.credential.value;
  const bool my_product = stored.product_name == to_string(scope_.what);
  const std::uint64_t key = known().short_key_of(t.id());
  const bool first_time = seen_elsewhere_.insert(key).second;
  const bool repeated = !first_time || (mine && stored.touched);
  const bool again = mine && !repeated && stored.hash == uuid_text(latest_.at(t.id(), key)->hash);
  const bool equal = again || stored.hash == uuid_text(t.hash);
  // A row that is removed, or whose owner is, goes to whoever shows it. A removed row of another
  // product moves to the one that shows it now.
  const bool orphaned = stored.owner_removed || stored.removed;
  const bool free = mine ? my_product || stored.removed : orphaned;
  const bool in_place = equal && !(mine ? stored.removed : orphaned);
  contradicts_ = contradicts_ || (mine ? !my_product : !stored.sighted);
  if (in_place) {
    ++(repeated ? counts_.duplicates : counts_.unchanged);
    if (again) replayed_.insert(t.id());
    if (!mine && !stored.sighted) sighted_.push_back(&t);
  } else if (free) {
    if (!mine || !my_product)
      forgotten_.emplace(credential_id{stored.credential}, stored.product_name);
    read_back_->unclear(stored.on);
    read_back_->unclear(*day_from(t[column::operation_date]));
    changed_.push_back({&t, repeated, nullptr});
  } else if (mine) {
    refuse(
        t, "product_conflict",
        fmt::format("stored with other content as {} of the same credential", stored.product_name));
  } else {
    refuse(t, "joint_conflict",
           fmt::format("stored with other content through credential {}", stored.credential));
  }
}

void window_writer::update_changed(std::span<change> changed) {
  if (changed.empty()) return;
  // So that two credentials that share rows wait for each other and do not deadlock.
  std::sort(changed.begin(), changed.end(),
            [](const change& a, const change& b) { return a.row->id() < b.row->id(); });
  changed_rows writing;
  for (const change& c : changed)
    writing.add(scope_, sync_run_id_, *c.row);
  std::vector<changed_rows::outcome> outcomes;
  try {
    outcomes = writing.write(db_, {{savepoint, sql_values{}}}, {{release, sql_values{}}});
  } catch (const sql_problem& problem) {
    if (problem.lost || !is_bad_value(problem.sqlstate)) throw;
    db_.run(undo);
    if (changed.size() == 1) {
      // It has been seen with content that is not stored after all.
      if (changed[0].was != nullptr) read_back_->unclear(changed[0].was->on());
      refuse(*changed[0].row, problem);
    } else {
      update_changed(changed.first(changed.size() / 2));
      update_changed(changed.subspan(changed.size() / 2));
    }
    return;
  }
  if (outcomes.size() != changed.size()) {
    throw failure(
        stage::write, verdict::retry, "database_race",
        fmt::format("credential {}: {} of {} rows were touched by somebody else while "
                    "they were being updated",
                    scope_.credential.value, changed.size() - outcomes.size(), changed.size()));
  }
  for (std::size_t i = 0; i < changed.size(); ++i)
    note_updated(changed[i], outcomes[i]);
  if (shares_rows_) forget_own_sightings(changed);
}

void window_writer::note_updated(const change& c, changed_rows::outcome how) {
  if (how.first) ++written_;
  stretch_written(*c.row);
  if (c.was != nullptr) read_back_->changed(*c.was, *c.row);
  if (c.repeated) {
    ++counts_.duplicates;
  } else {
    ++(how.differs ? counts_.updated : counts_.unchanged);
  }
}

// A row that has become this credential's own is no sighting of somebody else's any more.
void window_writer::forget_own_sightings(std::span<const change> changed) {
  array_literal ids;
  for (const change& c : changed)
    ids.add(c.row->id());
  db_.run(forget_sightings, sql_values(scope_.credential, ids.take()));
}

void window_writer::note_sightings() {
  if (sighted_.empty()) return;
  shares_rows_ = true;
  db_.run(write_sightings,
          sql_values(scope_.credential, to_string(scope_.what), id_array(sighted_)));
  // The sightings hold the rows now; the owner may have removed one just before.
  if (db_.run(sighted_removed, sql_values(id_array(sighted_)))[0][0].as<bool>()) {
    throw failure(stage::write, verdict::retry, "database_race",
                  fmt::format("credential {}: another credential removed a row that this one shows",
                              scope_.credential.value));
  }
  sighted_.clear();
}

void window_writer::refuse(const transaction& t, const std::string& reason,
                           const std::string& detail) {
  ++counts_.quarantined;
  came_.erase(std::string(t.id()));
  std::string raw = to_json(t);
  const bool cut = raw.size() > rejected_record::raw_limit;
  raw.resize(std::min(raw.size(), rejected_record::raw_limit));
  shown_for_later_.emplace_back(t.id());
  rejected_.push_back({reason, detail, std::string(t.id()), std::move(raw), cut, false});
}

// A record that the database cannot hold.
void window_writer::refuse(const transaction& t, const sql_problem& problem) {
  const std::string by = foreign_object(problem);
  refuse(t, "refused_by_database", refusal_words(problem));
  if (by.empty()) return;
  if (refused_by_others_++ == 0) refuser_ = by, refuser_hint_ = foreign_hint(problem);
}

void window_writer::note_refusals(run_record& record) const {
  if (refused_by_others_ == 0 || !record.error_message.empty()) return;
  record.error_class = "refused_by_database";
  record.error_stage = to_string(stage::write);
  record.error_message =
      fmt::format("{} refused {}", refuser_, counted(refused_by_others_, "record"));
  record.error_hint = refuser_hint_;
}

void window_writer::write_quarantine() {
  const quarantine::list where{scope_.credential, to_string(scope_.what),
                               "transactions",    sync_run_id_,
                               scope_.days,       db_.limits().quarantine_per_day};
  for (const std::int64_t id : quarantine::write(db_, where, rejected_))
    met_again_.insert(id);
  rejected_.clear();
}

void window_writer::stretch_written(const transaction& t) {
  const std::string_view on = t[column::operation_date];  // YYYY-MM-DD: sorts as text
  if (first_written_.empty() || on < first_written_) first_written_ = on;
  if (last_written_ < on) last_written_ = on;
}

void window_writer::note_shown(std::string_view id) {
  if (id.empty()) {
    ++unreadable_;
  } else {
    shown_besides_.insert(known().short_key_of(id));
    shown_for_later_.emplace_back(id);
  }
}

}  // namespace flanks
