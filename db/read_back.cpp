#include "db/read_back.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <span>
#include <utility>

#include "db/copy_binary.hpp"
#include "db/known_answers.hpp"
#include "db/month_digest.hpp"
#include "db/text_format.hpp"

namespace flanks {

namespace {

namespace chr = std::chrono;

constexpr statement read_ready_months{"read_back", R"(
select m.month - date '2000-01-01', coalesce(m.entries, ''), m.entries is not null
from flanks_internal.read_back_months m
where m.credential_id = $1 and m.product = $2 and m.month between $3 and $4 and m.generation = $5)"};

constexpr const char* read_rows = R"(copy (
select _id, content_hash, removed_at is not null, operation_date from flanks.transactions
where credential_id = {0} and product = '{1}' and operation_date between '{2}' and '{3}'
) to stdout (format binary))";

// Its row is locked until the end of the transaction, unless somebody made the generation void.
constexpr statement hold{"hold_read_back", R"(
insert into flanks_internal.read_backs as b (credential_id, product, generation, watch, seed, first_month, last_month,
  answer_hash, answer_seed, answer_bytes, answer_records, answer_question)
values ($1, $2, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
on conflict (credential_id, product) do update set generation = excluded.generation, watch = excluded.watch,
  seed = excluded.seed, first_month = excluded.first_month, last_month = excluded.last_month,
  answer_hash = excluded.answer_hash, answer_seed = excluded.answer_seed, answer_bytes = excluded.answer_bytes,
  answer_records = excluded.answer_records, answer_question = excluded.answer_question
where b.generation::text = $3)"};

// $7 is the entries of all months one after the other: sizes in $6, in bytes, null for unknown.
constexpr statement write_months{"write_read_back", R"(
insert into flanks_internal.read_back_months as m (credential_id, product, month, generation, entries, shown, digest)
select $1::bigint, $2, p.month, $3::uuid, substring($7::bytea from p.first for p.size), p.shown, p.digest
from unnest($4::date[], $5::integer[], $6::integer[], $8::integer[], $9::bytea[]) p(month, first, size, shown, digest)
where exists (select from flanks_internal.read_backs b where b.credential_id = $1::bigint and b.product = $2 and b.generation = $3::uuid)
on conflict (credential_id, product, month) do update set generation = excluded.generation, entries = excluded.entries,
  shown = excluded.shown, digest = excluded.digest)"};

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

read_back_state with_seed(read_back_state state) {
  if (!state.valid) state.seed = random_seed();
  return state;
}

// Months on their way into one call of write_months.
class month_columns {
 public:
  void add_unknown(day month) {
    place(month, {});
    shown_.add(std::string_view{});
    digests_.add(std::string_view{});
  }
  void add(day month, std::span<const known_rows::row* const> rows) {
    month_digest shown;
    for (const known_rows::row* r : rows) {
      entries_.append(known_rows::pack(*r).data(), known_rows::packed_size);
      if (!r->doubtful()) shown.add(*r);
    }
    place(month, std::to_string(rows.size() * known_rows::packed_size));
    shown_.add(shown.count());
    digests_.add_bytes(shown.bytes());
  }
  [[nodiscard]] bool empty() const { return months_.empty(); }
  [[nodiscard]] bool full() const { return entries_.size() >= bytes_of_one_call; }
  [[nodiscard]] call take(credential_id credential, product what, const std::string& generation) {
    return {write_months,
            sql_values(credential, to_string(what), generation, months_.take(), firsts_.take(),
                       sizes_.take(), sql_bytes{std::exchange(entries_, {})}, shown_.take(),
                       digests_.take())};
  }

 private:
  void place(day month, std::string_view size) {
    months_.add(std::string_view(to_string(month)));
    firsts_.add(next_);
    sizes_.add(size);
    next_ = static_cast<std::int64_t>(entries_.size()) + 1;
  }

  array_literal months_, firsts_, sizes_, shown_, digests_;
  std::string entries_;
  std::int64_t next_ = 1;
};

}  // namespace

day read_back::month_of(day on) {
  const chr::year_month_day date{on};
  return day{date.year() / date.month() / 1};
}

read_back_state read_back_state_of(const pg_row& row, int first) {
  const auto at = [&](int i) { return row[first + i]; };
  read_back_state state;
  if (!at(0).is_null()) state.watch = at(0).c_str();
  if (!at(1).is_null()) state.generation = at(1).c_str();
  state.valid = !state.watch.empty() && at(2).as<bool>();
  if (!state.valid) return state;
  state.seed = static_cast<std::uint64_t>(at(3).as<std::int64_t>());
  if (!at(4).is_null() && !at(5).is_null()) state.months = window{at(4).as<day>(), at(5).as<day>()};
  state.answer = known_answers::from(row, first + 6);
  return state;
}

read_back::read_back(const window_scope& scope, read_back_state state, std::string run_id)
    : credential_(scope.credential),
      what_(scope.what),
      state_(with_seed(std::move(state))),
      next_generation_(state_.valid ? state_.generation : std::move(run_id)),
      rows_(state_.seed, scope.days) {
  for (day m = month_of(scope.days.from); m <= scope.days.to; m = next_month(m))
    months_.emplace(m, month{.ready = lay_ready(m), .changed = false, .inserted = {}});
}

void read_back::read(session& db) {
  if (state_.valid) read_ready(db);
  read_table(db);
}

void read_back::take_ready(day first_day, bool known, std::string_view entries) {
  months_.at(first_day).ready = known;
  if (known) rows_.add_packed(entries);
}

bool read_back::is_ready() const {
  return std::all_of(months_.begin(), months_.end(), [](const auto& m) { return m.second.ready; });
}

bool read_back::lay_ready(day first_day) const {
  return state_.valid && state_.months && state_.months->contains(first_day);
}

void read_back::read_ready(session& db) {
  const day first = months_.begin()->first, last = months_.rbegin()->first;
  const sql_values where(credential_, to_string(what_), first, last, state_.generation);
  db.fetch(read_ready_months, where,
           [&](const session::binary_row& r) { take_ready(r.date(0), r.flag(2), r.field(1)); });
}

void read_back::read_table(session& db) {
  const auto unread = [](const auto& m) { return !m.second.ready; };
  const auto first = std::find_if(months_.begin(), months_.end(), unread);
  if (first == months_.end()) return;
  const auto last = std::find_if(months_.rbegin(), months_.rend(), unread);
  const std::string text =
      fmt::format(fmt::runtime(read_rows), credential_.value, to_string(what_),
                  to_string(first->first), to_string(last_day_of(last->first)));
  copy_binary copied;
  db.copy_out(statement{"load_known", text.c_str()}, [&](std::string_view bytes) {
    if (!copied.next(bytes)) return;
    const std::string_view id = copied.field();
    const content_hash content = uuid_from_bytes(copied.field().data());
    const bool removed = copied.flag();
    const day on = copied.date();
    if (!months_.at(month_of(on)).ready) rows_.add(id, content, on, removed, false);
  });
}

void read_back::inserted(const transaction& t) {
  const day on = *day_from(t[column::operation_date]);
  const auto m = months_.find(month_of(on));
  if (m == months_.end()) return unclear(on);
  m->second.changed = true;
  m->second.inserted.push_back(rows_.make(t.id(), t.hash, on));
}

void read_back::changed(const known_rows::row& was, const transaction& t) {
  const day on = *day_from(t[column::operation_date]);
  if (was.on() == on) {
    months_.at(month_of(on)).changed = true;
  } else {
    unclear(was.on());
    unclear(on);
  }
}

// What will be ready, without gaps; as it was, when this window lies apart from it.
window read_back::ready_months() const {
  const window mine{months_.begin()->first, months_.rbegin()->first};
  if (!state_.valid || !state_.months) return mine;
  const window before = *state_.months;
  if (mine.from > next_month(before.to) || mine.to < previous_month(before.from)) return before;
  return {std::min(mine.from, before.from), std::max(mine.to, before.to)};
}

// By month, of those that are to be written.
std::map<day, std::vector<const known_rows::row*>> read_back::rows_to_write(window ready) const {
  std::map<day, std::vector<const known_rows::row*>> rows;
  for (const auto& [first_day, m] : months_) {
    if (ready.contains(first_day) && !unclear_.contains(first_day) && (m.changed || !m.ready))
      rows.try_emplace(first_day);
  }
  if (rows.empty()) return rows;
  for (const known_rows::row& r : rows_.all()) {
    if (r.joint()) continue;
    const auto at = rows.find(month_of(r.on()));
    if (at != rows.end()) at->second.push_back(&r);
  }
  for (auto& [first_day, list] : rows) {
    for (const known_rows::row& r : months_.at(first_day).inserted)
      list.push_back(&r);
  }
  // An empty month needs a row only where one may say something else.
  std::erase_if(rows, [&](const auto& m) { return m.second.empty() && !lay_ready(m.first); });
  return rows;
}

void read_back::finish(session& db, const std::optional<known_answer>& answer,
                       std::vector<call>& last_words) const {
  if (state_.watch.empty()) return;
  const window ready = ready_months();
  const auto rows = rows_to_write(ready);
  month_columns columns;
  for (const day m : unclear_)
    if (ready.contains(m)) columns.add_unknown(m);
  if (rows.empty() && columns.empty() && state_.valid && state_.months == ready &&
      state_.answer == answer)
    return;
  std::vector<call> words;
  std::optional<std::string> before;
  if (!state_.generation.empty()) before = state_.generation;
  sql_values held(credential_, to_string(what_), before, next_generation_, state_.watch,
                  static_cast<std::int64_t>(state_.seed), ready.from, ready.to);
  known_answers::add_to(held, answer);
  words.push_back({hold, std::move(held)});
  for (const auto& [first_day, list] : rows) {
    columns.add(first_day, list);
    if (!columns.full()) continue;
    words.push_back(columns.take(credential_, what_, next_generation_));
    db.run_together(words);
    words.clear();
    columns = month_columns{};
  }
  if (!columns.empty()) words.push_back(columns.take(credential_, what_, next_generation_));
  std::move(words.begin(), words.end(), std::back_inserter(last_words));
}

}  // namespace flanks
