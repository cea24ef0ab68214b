#include "db/changed_windows.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "db/array_columns.hpp"
#include "db/ready_windows.hpp"
#include "db/row_writes.hpp"
#include "db/window_ends.hpp"

namespace flanks {

namespace {

namespace chr = std::chrono;

// New and changed rows of one window: more are worth a transaction of their own, in which this
// one's locks wait for nobody else's rows.
constexpr std::size_t most_rows = 256;

// Of all windows of one transaction: its statements are to end soon, and their values lie in memory
// here and at the server.
constexpr std::size_t most_rows_together = 4096;

constexpr statement find_written{"find_written", R"(
select sync_run_id from flanks.sync_runs where sync_run_id = any($1::uuid[]))"};

constexpr statement read_months{"read_changed_windows", R"(
select a.nr::integer, m.month - date '2000-01-01', m.entries is not null, coalesce(m.entries, '')
from unnest($1::bigint[], $2::text[], $3::date[], $4::date[], $5::uuid[], $6::bigint[])
  as a(credential_id, product, first_month, last_month, generation, nr)
join flanks_internal.read_back_months m on m.credential_id = a.credential_id and m.product = a.product
  and m.month between a.first_month and a.last_month and m.generation = a.generation)"};

constexpr statement find_stored{"find_stored", R"(
select _id from flanks.transactions where _id = any($1::text[]))"};

// Says to the triggers that this transaction keeps the read-backs right itself.
constexpr statement keep_read_backs{"keep_read_backs",
                                    "select set_config('flanks.writer', 'window', true)"};

struct change {
  const transaction* row;
  const known_rows::row* was;
};

// One of them on its way.
struct candidate {
  explicit candidate(ready_window found)
      : ready(std::move(found)),
        known(ready.request->scope, ready.state, ready.request->sync_run_id) {}
  [[nodiscard]] window_request& request() const { return *ready.request; }
  [[nodiscard]] const window_scope& scope() const { return ready.request->scope; }

  ready_window ready;
  read_back known;
  std::vector<const transaction*> fresh;
  std::vector<change> changed;
  row_counts counts;
};
using candidates = std::vector<candidate>;

// What a transaction has written already whose COMMIT nobody heard the end of.
void recall(session& db, std::span<change_request* const> requests) {
  array_literal ids;
  for (const change_request* r : requests)
    if (r->written) ids.add(std::string_view(r->window.sync_run_id));
  if (ids.empty()) return;
  std::unordered_set<std::string> found;
  for (const auto& r : db.run(find_written, sql_values(ids.take())))
    found.insert(r[0].c_str());
  for (change_request* r : requests) {
    if (!r->written || !found.contains(r->window.sync_run_id)) continue;
    r->window.record = *r->written;
    r->settled = true;
  }
}

candidates find(session& db, std::span<window_request* const> requests) {
  std::vector<ready_window> ready = find_ready(db, requests);
  std::vector<const ready_window*> all;
  for (const ready_window& r : ready)
    all.push_back(&r);
  const auto held = hold_ready(db, all);
  candidates found;
  for (ready_window& r : ready)
    if (held.contains(r.request)) found.emplace_back(std::move(r));
  return found;
}

void read_ready_months(session& db, candidates& all) {
  if (all.empty()) return;
  array_columns asked;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const window_scope& scope = all[i].scope();
    asked.add(sql_values(scope.credential, to_string(scope.what),
                         read_back::month_of(scope.days.from), read_back::month_of(scope.days.to),
                         all[i].ready.state.generation, static_cast<std::int64_t>(i)));
  }
  db.fetch(read_months, asked.take(), [&](const session::binary_row& r) {
    all.at(static_cast<std::size_t>(r.integer(0)))
        .known.take_ready(r.date(1), r.flag(2), r.field(3));
  });
}

// Every record is a row of this list, of the window's days and shown once, and every row that is
// stored is among them. New is what is not stored in these months.
bool compare(candidate& c) {
  known_rows& known = c.known.rows();
  known.seal();
  const std::string first_day = to_string(c.scope().days.from);
  const std::string last_day = to_string(c.scope().days.to);
  for (const transaction_batch& batch : c.request().answer) {
    c.counts.fetched += batch.elements();
    for (const transaction& t : batch.transactions) {
      const std::string_view on = t[column::operation_date];  // YYYY-MM-DD: sorts as text
      if (on < first_day || on > last_day) return false;
      known_rows::row* const row = known.find(t.id());
      if (row == nullptr) {
        c.fresh.push_back(&t);
        continue;
      }
      if (row->doubtful() || row->seen()) return false;
      if (!(row->content() == t.hash)) c.changed.push_back({&t, row});
      row->see(t.hash);
    }
  }
  return c.fresh.size() + c.changed.size() <= most_rows && known.all_seen();
}

// A new row that two of them bring, or one of them twice, is left to window_writer with the second.
void leave_repeated(candidates& all) {
  std::unordered_set<std::string_view> ids;
  std::erase_if(all, [&](const candidate& c) {
    return !std::all_of(c.fresh.begin(), c.fresh.end(),
                        [&](const transaction* t) { return ids.insert(t->id()).second; });
  });
}

// Others may have a row already: another credential, or another product of this one. A COPY that
// fails would leave dead rows behind with every re-read (P2).
void leave_stored(session& db, candidates& all) {
  array_literal ids;
  for (const candidate& c : all)
    for (const transaction* t : c.fresh)
      ids.add(t->id());
  if (ids.empty()) return;
  std::unordered_set<std::string> stored;
  for (const auto& r : db.run(find_stored, sql_values(ids.take())))
    stored.insert(r[0].c_str());
  if (stored.empty()) return;
  std::erase_if(all, [&](const candidate& c) {
    return std::any_of(c.fresh.begin(), c.fresh.end(),
                       [&](const transaction* t) { return stored.contains(std::string(t->id())); });
  });
}

void leave_too_many(candidates& all) {
  std::size_t rows = 0;
  std::erase_if(all, [&](const candidate& c) {
    rows += c.fresh.size() + c.changed.size();
    return rows > most_rows_together;
  });
}

[[noreturn]] void give_up(const char* why) {
  throw sql_problem("changed_windows", "", why);
}

struct row_of_window {
  const transaction* row;
  candidate* of;
  const known_rows::row* was;
};

// In the order in which window_writer inserts: by day, then by _id.
void write_new(session& db, candidates& all) {
  std::vector<row_of_window> rows;
  for (candidate& c : all)
    for (const transaction* t : c.fresh)
      rows.push_back({t, &c, nullptr});
  if (rows.empty()) return;
  std::sort(rows.begin(), rows.end(), [](const row_of_window& a, const row_of_window& b) {
    const int days = (*a.row)[column::operation_date].compare((*b.row)[column::operation_date]);
    return days != 0 ? days < 0 : a.row->id() < b.row->id();
  });
  new_rows writing;
  for (const row_of_window& r : rows) {
    writing.add(r.of->scope(), *r.row);
    r.of->known.inserted(*r.row);
    ++r.of->counts.inserted;
  }
  if (writing.copy(db) != static_cast<std::int64_t>(rows.size())) give_up("rows were not stored");
}

void write_changed(session& db, candidates& all) {
  std::vector<row_of_window> rows;
  for (candidate& c : all)
    for (const change& changed : c.changed)
      rows.push_back({changed.row, &c, changed.was});
  if (rows.empty()) return;
  std::sort(rows.begin(), rows.end(), [](const row_of_window& a, const row_of_window& b) {
    return a.row->id() < b.row->id();
  });
  changed_rows writing;
  for (const row_of_window& r : rows) {
    writing.add(r.of->scope(), r.of->request().sync_run_id, *r.row);
    r.of->known.changed(*r.was, *r.row);
  }
  const auto outcomes = writing.write(db, {}, {});
  if (outcomes.size() != rows.size()) give_up("rows were touched by somebody else");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!outcomes[i].in_place) give_up("rows were of another list");
    if (outcomes[i].differs) ++rows[i].of->counts.updated;
  }
}

void put_on_record(session& db, candidates& all, chr::steady_clock::time_point begin) {
  const auto took = chr::ceil<chr::milliseconds>(chr::steady_clock::now() - begin);
  std::vector<call> words;
  std::vector<window_request*> windows;
  for (candidate& c : all) {
    window_request& r = c.request();
    c.counts.unchanged = c.counts.fetched - c.counts.inserted - c.counts.updated;
    r.record.counts = c.counts;
    r.record.database_time = took;
    c.known.finish(db, r.evidence.answer, words);
    windows.push_back(&r);
  }
  end_together(db, windows, words);
  db.run_together(words);
}

}  // namespace

void settle(session& db, std::span<change_request* const> requests) {
  if (requests.empty()) return;
  const auto begin = chr::steady_clock::now();
  recall(db, requests);
  std::unordered_map<const window_request*, change_request*> asked;
  std::vector<window_request*> windows;
  for (change_request* r : requests) {
    if (r->settled) continue;
    asked.emplace(&r->window, r);
    windows.push_back(&r->window);
  }
  if (windows.empty()) return;
  candidates all = find(db, windows);
  read_ready_months(db, all);
  std::erase_if(all, [](candidate& c) { return !c.known.is_ready() || !compare(c); });
  leave_too_many(all);
  leave_repeated(all);
  leave_stored(db, all);
  if (all.empty()) return;
  db.run(keep_read_backs);
  write_new(db, all);
  write_changed(db, all);
  put_on_record(db, all, begin);
  for (const candidate& c : all) {
    change_request& r = *asked.at(&c.request());
    r.written = r.window.record;
    r.settled = true;
  }
}

}  // namespace flanks
