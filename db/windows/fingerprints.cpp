#include "db/windows/fingerprints.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <random>
#include <utility>

#include "db/pg/array_columns.hpp"
#include "db/pg/copy_binary.hpp"
#include "db/pg/text_format.hpp"
#include "db/transaction_sql.hpp"
#include "sync/stored_text.hpp"

namespace flanks {

namespace {

namespace chr = std::chrono;

constexpr statement load_months{"load_fingerprints", R"(
select a.nr::integer, m.month - date '2000-01-01', m.entries is not null, coalesce(m.entries, '')
from unnest($1::bigint[], $2::text[], $3::date[], $4::date[], $5::uuid[], $6::bigint[])
  as a(credential_id, product, first_month, last_month, generation, nr)
join flanks_internal.fingerprint_months m on m.credential_id = a.credential_id and m.product = a.product
  and m.month between a.first_month and a.last_month and m.generation = a.generation)"};

// A credential's own rows with all their values; those of others that it shows too follow without.
constexpr const char* own_rows = R"(
select w.nr, false as joint, t.removed_at is not null or t.aged_out_at is not null, t.operation_date, t.content_hash, t._id, {values}
from (values {windows}) w(nr, credential_id, product, first_day, last_day)
join flanks.transactions t on t.credential_id = w.credential_id and t.product = w.product
  and t.operation_date between w.first_day and w.last_day)";
constexpr const char* joint_rows = R"(
select w.nr, true, flanks_internal.shows_nothing(c, '{handover_after}') or t.removed_at is not null or t.aged_out_at is not null, t.operation_date, t.content_hash, t._id, {nulls}
from (values {windows}) w(nr, credential_id, first_day, last_day)
join flanks.transaction_sightings s on s.credential_id = w.credential_id
join flanks.transactions t on t._id = s._id and t.credential_id <> w.credential_id
  and t.operation_date between w.first_day and w.last_day
join flanks.credentials c on c.credential_id = t.credential_id)";

// Its row is locked until the end of the transaction, unless somebody made the generation void.
constexpr statement hold{"hold_fingerprints", R"(
insert into flanks_internal.fingerprints as f (credential_id, product, generation, watch, seed, first_month, last_month)
values ($1, $2, $4, $5, $6, $7, $8)
on conflict (credential_id, product) do update set generation = excluded.generation, watch = excluded.watch,
  seed = excluded.seed, first_month = excluded.first_month, last_month = excluded.last_month
where f.generation::text = $3)"};

// $7 is the entries of all months one after the other: sizes in $6, in bytes, null for unknown.
constexpr statement write_months{"write_fingerprints", R"(
insert into flanks_internal.fingerprint_months as m (credential_id, product, month, generation, entries)
select $1::bigint, $2, p.month, $3::uuid, substring($7::bytea from p.first for p.size)
from unnest($4::date[], $5::integer[], $6::integer[]) p(month, first, size)
where exists (select from flanks_internal.fingerprints f where f.credential_id = $1::bigint and f.product = $2 and f.generation = $3::uuid)
on conflict (credential_id, product, month) do update set generation = excluded.generation, entries = excluded.entries)"};

constexpr statement invalidate_list{"invalidate_fingerprints",
                                    "select flanks_internal.invalidate_fingerprints($1, $2)"};

constexpr std::size_t bytes_of_one_call = 1024 * 1024;

std::uint64_t random_seed() {
  std::random_device source;
  return (static_cast<std::uint64_t>(source()) << 32) | source();
}

day next_month(day month) {
  return day{chr::year_month_day{month} + chr::months{1}};
}
day previous_month(day month) {
  return day{chr::year_month_day{month} - chr::months{1}};
}
day last_day_of(day month) {
  return next_month(month) - chr::days{1};
}

fingerprint_state with_seed(fingerprint_state state) {
  if (!state.valid) state.seed = random_seed();
  return state;
}

constexpr entries_digest unknown_entries{.sum = 0, .count = UINT64_MAX};

entries_digest digest_of(std::string_view packed) {
  entries_digest digest;
  for (; packed.size() >= fingerprint_set::packed_size;
       packed.remove_prefix(fingerprint_set::packed_size))
    digest.add(packed.substr(0, fingerprint_set::packed_size));
  return digest;
}

entries_digest digest_of(std::span<const fingerprint* const> rows) {
  entries_digest digest;
  for (const fingerprint* f : rows) {
    const auto packed = fingerprint_set::pack(*f);
    digest.add({packed.data(), packed.size()});
  }
  return digest;
}

// Months on their way into one call of write_months.
class month_columns {
 public:
  void add_unknown(day month) { place(month, {}); }
  void add(day month, std::span<const fingerprint* const> rows) {
    for (const fingerprint* f : rows)
      entries_.append(fingerprint_set::pack(*f).data(), fingerprint_set::packed_size);
    place(month, std::to_string(rows.size() * fingerprint_set::packed_size));
  }
  [[nodiscard]] bool empty() const { return months_.empty(); }
  [[nodiscard]] bool full() const { return entries_.size() >= bytes_of_one_call; }
  [[nodiscard]] call take(const window_scope& scope, const std::string& generation) {
    return {write_months,
            sql_values(scope.credential, to_string(scope.what), generation, months_.take(),
                       firsts_.take(), sizes_.take(), sql_bytes{std::exchange(entries_, {})})};
  }

 private:
  void place(day month, std::string_view size) {
    months_.add(std::string_view(to_string(month)));
    firsts_.add(next_);
    sizes_.add(size);
    next_ = static_cast<std::int64_t>(entries_.size()) + 1;
  }

  array_literal months_, firsts_, sizes_;
  std::string entries_;
  std::int64_t next_ = 1;
};

}  // namespace

void entries_digest::add(std::string_view entry) {
  sum += XXH3_64bits(entry.data(), entry.size());
  ++count;
}

fingerprint_state fingerprint_state_of(const pg_row& row, int first) {
  const auto at = [&](int i) { return row[first + i]; };
  fingerprint_state state;
  if (!at(0).is_null()) state.watch = at(0).c_str();
  if (!at(1).is_null()) state.generation = at(1).c_str();
  state.valid = !state.watch.empty() && at(2).as<bool>();
  if (!state.valid) return state;
  state.seed = static_cast<std::uint64_t>(at(3).as<std::int64_t>());
  if (!at(4).is_null() && !at(5).is_null()) state.months = window{at(4).as<day>(), at(5).as<day>()};
  return state;
}

window_fingerprints::window_fingerprints(const window_scope& scope, fingerprint_state state,
                                         const content_key& key, std::string run_id)
    : scope_(scope),
      state_(with_seed(std::move(state))),
      next_generation_(state_.valid ? state_.generation : std::move(run_id)),
      rows_(state_.seed, key, scope.days) {
  for (day m = month_of(scope.days.from); m <= scope.days.to; m = next_month(m))
    months_[m].kept = is_kept(m) && !scope.by_values;
  if (!scope.by_values) return;
  for (auto& [first_day, m] : months_)
    if (is_kept(first_day)) m.said = entries_digest{};
}

day window_fingerprints::month_of(day on) {
  const chr::year_month_day date{on};
  return day{date.year() / date.month() / 1};
}

bool window_fingerprints::is_kept(day first_day) const {
  return state_.valid && state_.months && state_.months->contains(first_day);
}

void window_fingerprints::load(pg_connection& db, std::span<const wanted> windows) {
  load_kept(db, windows);
  load_table(db, windows);
  for (const wanted& w : windows)
    w.of->rows_.seal();
}

void window_fingerprints::load_kept(pg_connection& db, std::span<const wanted> windows) {
  array_columns asked;
  for (std::size_t nr = 0; nr < windows.size(); ++nr) {
    const window_fingerprints& f = *windows[nr].of;
    if (!f.state_.valid) continue;
    asked.add(sql_values(f.scope_.credential, to_string(f.scope_.what), f.months_.begin()->first,
                         f.months_.rbegin()->first, f.state_.generation,
                         static_cast<std::int64_t>(nr)));
  }
  if (asked.empty()) return;
  db.fetch(load_months, asked.take(), [&](const pg_connection::binary_row& r) {
    window_fingerprints& f = *windows[static_cast<std::size_t>(r.integer(0))].of;
    month& m = f.months_.at(r.date(1));
    if (f.scope_.by_values) {
      m.said = r.flag(2) ? digest_of(r.field(3)) : unknown_entries;
      return;
    }
    m.kept = r.flag(2);
    if (r.flag(2)) f.rows_.add_packed(r.field(3));
  });
}

std::optional<window> window_fingerprints::unloaded() const {
  const auto unread = [](const auto& m) { return !m.second.kept; };
  const auto first = std::find_if(months_.begin(), months_.end(), unread);
  const day ahead = next_month(months_.rbegin()->first);
  if (scope_.days.open) return window{first == months_.end() ? ahead : first->first, end_of_days};
  if (first == months_.end()) return std::nullopt;
  const auto last = std::find_if(months_.rbegin(), months_.rend(), unread);
  return window{first->first, last_day_of(last->first)};
}

// In COPY's text there is no place for values; these are numbers, days and names of ours.
void window_fingerprints::load_table(pg_connection& db, std::span<const wanted> windows) {
  std::string own, joint;
  for (std::size_t nr = 0; nr < windows.size(); ++nr) {
    const window_scope& scope = windows[nr].of->scope_;
    if (const auto days = windows[nr].of->unloaded()) {
      own += fmt::format("{}({}::bigint, {}::bigint, '{}', date '{}', date '{}')",
                         own.empty() ? "" : ", ", nr, scope.credential.value, to_string(scope.what),
                         to_string(days->from), to_string(days->to));
    }
    if (windows[nr].joint) {
      joint += fmt::format("{}({}::bigint, {}::bigint, date '{}', date '{}')",
                           joint.empty() ? "" : ", ", nr, scope.credential.value,
                           to_string(scope.days.from), to_string(scope.days.last_day()));
    }
  }
  if (own.empty() && joint.empty()) return;
  std::string text = "copy (";
  if (!own.empty()) {
    text += fmt::format(fmt::runtime(own_rows), fmt::arg("windows", own),
                        fmt::arg("values", for_each_content_column("t.{}::text")));
  }
  if (!own.empty() && !joint.empty()) text += "\nunion all";
  if (!joint.empty()) {
    text += fmt::format(fmt::runtime(joint_rows), fmt::arg("windows", joint),
                        fmt::arg("handover_after", db.handover_after()),
                        fmt::arg("nulls", for_each_content_column("null::text as {}")));
  }
  text += ") to stdout (format binary)";
  copy_binary copied;
  db.copy_out(statement{"load_rows", text.c_str()}, [&](std::string_view bytes) {
    if (!copied.next(bytes)) return;
    window_fingerprints& f = *windows[static_cast<std::size_t>(copied.integer())].of;
    const bool joint_row = copied.flag(), gone = copied.flag();
    const day on = copied.date();
    const auto m = f.months_.find(month_of(on));
    if (!joint_row && m != f.months_.end() && m->second.kept) return;
    transaction stored;
    stored.hash = uuid_from_bytes(copied.field().data());
    for (std::string_view& value : stored.values)
      value = copied.field();
    const std::uint64_t values = joint_row ? 0 : values_hash_of_row(stored, db.key());
    f.rows_.add(stored.id(), stored.hash, on, gone, joint_row, values);
  });
}

void window_fingerprints::inserted(const transaction& t) {
  const day on = *day_from(t[column::operation_date]);
  const auto m = months_.find(month_of(on));
  if (m == months_.end()) return invalidate(on);
  m->second.changed = true;
  m->second.inserted.push_back(rows_.make(t.id(), t.hash, on));
}

void window_fingerprints::updated(const fingerprint& was, const transaction& t) {
  const day on = *day_from(t[column::operation_date]);
  const auto m = months_.find(month_of(on));
  if (was.on() == on && m != months_.end()) {
    m->second.changed = true;
  } else {
    invalidate(was.on());
    invalidate(on);
  }
}

// What will be kept, without gaps; as it was, when this window lies apart from it.
window window_fingerprints::kept_months() const {
  const window mine{months_.begin()->first, months_.rbegin()->first};
  if (!state_.valid || !state_.months) return mine;
  const window before = *state_.months;
  if (mine.from > next_month(before.to) || mine.to < previous_month(before.from)) return before;
  return {std::min(mine.from, before.from), std::max(mine.to, before.to)};
}

// By month, of those that are to be written.
std::map<day, std::vector<const fingerprint*>> window_fingerprints::rows_to_write(
    window kept) const {
  std::map<day, std::vector<const fingerprint*>> rows;
  for (const auto& [first_day, m] : months_) {
    if (kept.contains(first_day) && !stale_.contains(first_day) && (m.changed || !m.kept))
      rows.try_emplace(first_day);
  }
  if (rows.empty()) return rows;
  for (const fingerprint& f : rows_.all()) {
    if (f.joint()) continue;
    const auto at = rows.find(month_of(f.on()));
    if (at != rows.end()) at->second.push_back(&f);
  }
  for (auto& [first_day, list] : rows) {
    for (const fingerprint& f : months_.at(first_day).inserted)
      list.push_back(&f);
  }
  std::erase_if(rows, [&](const auto& m) {
    const auto& said = months_.at(m.first).said;
    return said && !months_.at(m.first).changed && *said == digest_of(m.second);
  });
  // An empty month needs a row only where one may say something else.
  std::erase_if(rows, [&](const auto& m) { return m.second.empty() && !is_kept(m.first); });
  return rows;
}

void window_fingerprints::finish(pg_connection& db, std::vector<call>& final_statements) const {
  if (state_.watch.empty()) return;
  const window kept = kept_months();
  const auto rows = rows_to_write(kept);
  month_columns columns;
  for (const day m : stale_)
    if (kept.contains(m)) columns.add_unknown(m);
  if (rows.empty() && columns.empty() && state_.valid && state_.months == kept) return;
  std::vector<call> calls;
  std::optional<std::string> before;
  if (!state_.generation.empty()) before = state_.generation;
  calls.push_back(
      {hold, sql_values(scope_.credential, to_string(scope_.what), before, next_generation_,
                        state_.watch, static_cast<std::int64_t>(state_.seed), kept.from, kept.to)});
  for (const auto& [first_day, list] : rows) {
    columns.add(first_day, list);
    if (!columns.full()) continue;
    calls.push_back(columns.take(scope_, next_generation_));
    db.run_together(calls);
    calls.clear();
    columns = month_columns{};
  }
  if (!columns.empty()) calls.push_back(columns.take(scope_, next_generation_));
  std::move(calls.begin(), calls.end(), std::back_inserter(final_statements));
}

call invalidate_fingerprints(credential_id credential, std::string_view product) {
  return {invalidate_list, sql_values(credential, product)};
}

}  // namespace flanks
