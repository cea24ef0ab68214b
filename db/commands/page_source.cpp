#include "db/commands/page_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "db/pg/connection_pool.hpp"
#include "db/pg/text_format.hpp"

namespace flanks {

namespace {

using boost::asio::awaitable;
namespace chr = std::chrono;

constexpr int first_problems = 20, most_banks = 100, most_runs = 30, most_states = 30,
              most_groups = 50, most_products = 100;

// One snapshot for all that a page says. Compiling such plans takes longer than running them.
constexpr statement one_snapshot{"page_snapshot",
                                 "set transaction isolation level repeatable read, read only"};
constexpr statement uncompiled{"page_uncompiled", "set local jit = off"};

// Every credential with what decides whether somebody must look at it.
#define FLANKS_CREDENTIALS_JUDGED                                                            \
  "select c.credential_id, coalesce(c.bank, '') as bank, a.state, a.stale, a.refreshed_at, " \
  "l.confirmed_at, l.next_due_at, coalesce(l.confirmed_at, c.created_at) as agreed_at, "     \
  "a.problem, a.urgency "                                                                    \
  "from flanks.credentials c join flanks_internal.attention a using (credential_id) "        \
  "left join flanks_internal.schedule l using (credential_id) "

// One look at all credentials: by state, by bank, and the first problems.
constexpr statement page_overview_sql{"page_overview", R"(
with t as materialized ()" FLANKS_CREDENTIALS_JUDGED R"( where c.removed_at is null)
(select 'state', state, null, count(*), (max(array[lag, credential_id]))[1], (max(array[lag, credential_id]))[2], null
 from (select t.*, greatest(0, floor(extract(epoch from now() - agreed_at)))::bigint as lag from t) t group by state
 order by array_position(array['stale', 'error', 'blocked', 'action_required', 'gone', 'pending', 'new', 'ok', 'paused'], state))
union all
select 'bank', b.bank, (select e.name from flanks.entities e where e.entity_id = b.bank), b.credentials, b.problems, b.stale, b.oldest
from (select bank, count(*) as credentials, count(*) filter (where problem) as problems, count(*) filter (where stale) as stale,
    floor(extract(epoch from min(refreshed_at) filter (where state not in ('paused', 'gone'))))::bigint as oldest
  from t group by bank order by 3 desc, 1) b
union all
(select 'problem', null, null, credential_id, null, null, null from t where problem
 order by urgency, confirmed_at nulls first, credential_id limit $1)
union all
select 'problems', null, null, count(*), null, null, null from t where problem
union all
select 'now', current_setting('server_version'), (select m.name from flanks_internal.schema_migrations m order by m.version desc limit 1),
  floor(extract(epoch from now()))::bigint, null, null, null)"};

// What stays as long as it is so: the state, or the oldest thing that waits.
constexpr statement page_since_sql{"page_problem_since", R"(
select i.id, to_char(case when c.state in ('error', 'blocked', 'action_required', 'gone') and not c.paused
  then (select max(h.from_at) from flanks.credential_states h where h.credential_id = i.id)
  else (select min(o.at) from (
    select min(q.first_seen_at) from flanks.quarantine q
      where q.credential_id = i.id and q.resolved_at is null and not q.stored_anyway
    union all select min(v.raised_at) from flanks.removal_reviews v where v.credential_id = i.id and v.state = 'open'
    union all select min(v.raised_at) from flanks.successions v where v.to_credential_id = i.id and v.state = 'open') o(at)) end,
  'YYYY-MM-DD"T"HH24:MI:SS"Z"')
from unnest($1::bigint[]) i(id) join flanks.credentials c on c.credential_id = i.id)"};

constexpr statement page_backfills_sql{"page_backfills", R"(
select b.backfill_id, floor(extract(epoch from b.created_at))::bigint, b.window_from, b.window_to, count(distinct i.credential_id),
  count(*), count(i.done_at), count(*) filter (where i.done_at is null and i.attempts > 0),
  count(*) filter (where i.done_at > now() - interval '10 minutes'),
  ceil(extract(epoch from least(interval '10 minutes', now() - b.created_at)))::bigint,
  coalesce(max(i.last_error) filter (where i.done_at is null), '')
from flanks_internal.backfills b join flanks_internal.backfill_items i using (backfill_id)
where b.finished_at is null group by b.backfill_id order by b.backfill_id desc limit 10)"};

// The runs of a day, read once: by hour and by bank. (Sessions of ours are in UTC.)
constexpr statement page_activity_sql{"page_activity", R"(
select floor(extract(epoch from date_trunc('hour', r.started_at)) / 3600)::bigint, c.bank, count(*), count(*) filter (where r.outcome = 'failed'),
  sum(r.fetched), sum(r.inserted + r.updated + r.removed), sum(r.requests)
from flanks.sync_runs r
left join (select credential_id, coalesce(bank, '') as bank from flanks.credentials) c using (credential_id)
where r.started_at >= date_trunc('hour', now()) - interval '23 hours'
group by grouping sets ((date_trunc('hour', r.started_at)), (c.bank)))"};

constexpr statement page_story_sql{"page_credential", R"(
select floor(extract(epoch from now()))::bigint, to_char(c.created_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  (select e.name from flanks.entities e where e.entity_id = c.bank)
from flanks.credentials c where c.credential_id = $1)"};

constexpr statement page_states_sql{"page_states", R"(
select to_char(from_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), state, why
from flanks.credential_states where credential_id = $1 order by from_at desc limit $2)"};

constexpr statement page_runs_sql{"page_runs", R"(
(select to_char(started_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), trigger, coalesce(product || ' transactions', 'before any product'), outcome,
  window_from, window_to, fetched, inserted, updated, removed, quarantined,
  greatest(0, round(extract(epoch from finished_at - started_at) * 1000))::bigint, error_message, error_hint, trace_id, started_at
from flanks.sync_runs where credential_id = $1 order by started_at desc limit $2)
union all
(select to_char(started_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), trigger, product || ' list', outcome,
  null, null, fetched, inserted, updated, removed, quarantined,
  greatest(0, round(extract(epoch from finished_at - started_at) * 1000))::bigint, error_message, error_hint, trace_id, started_at
from flanks.product_runs where credential_id = $1 order by started_at desc limit $2)
order by 16 desc limit $2)"};

// Months from the first covered day, at most five years of them.
constexpr statement page_coverage_sql{"page_coverage", R"(
select v.product, to_char(m.first, 'YYYY-MM'),
  (select coalesce(sum(upper(o.r) - lower(o.r)), 0) from unnest(v.days * datemultirange(m.span)) o(r)), upper(m.span) - lower(m.span),
  lower(v.days), upper(v.days) - 1, (select count(*) from unnest(v.days)),
  to_char(v.last_success_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), to_char(v.last_sweep_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), v.unclean <> '{}'
from flanks.coverage v
cross join lateral (select (now() at time zone 'UTC')::date as today) d
cross join lateral generate_series(
  date_trunc('month', least(greatest(coalesce(lower(v.days), d.today), d.today - 1830), d.today - 700)::timestamp),
  d.today::timestamp, interval '1 month') g
cross join lateral (select g::date as first, daterange(g::date, least((g + interval '1 month')::date, d.today + 1)) as span) m
where v.credential_id = $1 order by array_position(array['account', 'card', 'investment', 'liability'], v.product), m.first)"};

constexpr statement page_lists_sql{"page_lists", R"(
select product, outcome, to_char(last_success_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), reason from flanks.product_coverage
where credential_id = $1
order by array_position(array['account', 'card', 'investment', 'liability', 'portfolio', 'identity', 'holder'], product))"};

constexpr statement page_products_sql{"page_products", R"(
select o.product, coalesce(o.number, ''), coalesce(o.real_account_id, 0), o.removed_at is not null from (
  select 1 as nr, 'account' as product, iban as number, real_account_id, removed_at from flanks.accounts where credential_id = $1
  union all select 2, 'card', pan, real_account_id, removed_at from flanks.cards where credential_id = $1
  union all select 3, 'investment', coalesce(isin, cusip), real_account_id, removed_at from flanks.investments where credential_id = $1
  union all select 4, 'liability', null, real_account_id, removed_at from flanks.liabilities where credential_id = $1
  union all select 5, 'portfolio', null, real_account_id, removed_at from flanks.portfolios where credential_id = $1) o
order by o.nr, o.real_account_id limit $2)"};

constexpr statement page_successions_sql{"page_successions", R"(
select succession_id, from_credential_id, to_credential_id, real_account_id, product, state,
  to_char(raised_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), compared_rows, paired_rows, succeeded_rows,
  to_char(decided_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
from flanks.successions where from_credential_id = $1 or to_credential_id = $1 order by succession_id desc limit $2)"};

// Never raw, nor detail: both may quote what the bank sent.
constexpr statement page_quarantine_sql{"page_quarantine", R"(
select product, part, reason, sum(records), coalesce(sum(records) filter (where resolved_at is null), 0), stored_anyway,
  to_char(min(first_seen_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), to_char(max(last_seen_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
from flanks.quarantine where credential_id = $1 group by product, part, reason, stored_anyway
order by 5 desc, 4 desc, 1, 3 limit $2)"};

std::optional<std::string> said(const pg_value& f) {
  if (f.is_null()) return std::nullopt;
  return f.c_str();
}

std::optional<day> day_or_none(const pg_value& f) {
  if (f.is_null()) return std::nullopt;
  return f.as<day>();
}

instant seconds_since_1970(const pg_value& f) {
  return instant{chr::seconds{f.as<std::int64_t>()}};
}

void take(const pg_row& r, mirror_overview& to, std::vector<credential_id>& problems) {
  const std::string kind = r[0].c_str();
  const auto count = r[3].as<std::int64_t>();
  if (kind == "state") {
    to.states.push_back({r[1].c_str(), count, chr::seconds{r[4].as<std::int64_t>()},
                         credential_id{r[5].as<std::int64_t>()}});
  } else if (kind == "bank") {
    mirror_overview::bank b;
    b.id = r[1].c_str();
    b.name = r[2].c_str();
    b.credentials = count;
    b.problems = r[4].as<std::int64_t>();
    b.stale = r[5].as<std::int64_t>();
    if (!r[6].is_null()) b.oldest_refresh = seconds_since_1970(r[6]);
    to.banks.push_back(std::move(b));
  } else if (kind == "problem") {
    problems.push_back(credential_id{count});
  } else if (kind == "problems") {
    to.problem_count = count;
  } else {
    to.server = r[1].c_str();
    to.schema = r[2].c_str();
    to.read_at = instant{chr::seconds{count}};
  }
}

using texts_by_id = std::unordered_map<std::int64_t, std::optional<std::string>>;

texts_by_id since_when(pg_connection& db, const std::vector<credential_id>& ids) {
  array_literal list;
  for (const credential_id id : ids)
    list.add(id.value);
  texts_by_id found;
  for (const auto& r : db.run(page_since_sql, sql_values(list.take())))
    found[r[0].as<std::int64_t>()] = said(r[1]);
  return found;
}

// A stale one is so since the provider last refreshed it.
std::optional<std::string> since_of(const status_row& s, const texts_by_id& found) {
  if (s.state == "stale") return s.provider_updated_at;
  const auto at = found.find(s.id.value);
  return at == found.end() ? std::nullopt : at->second;
}

void read_problems(pg_connection& db, const std::vector<credential_id>& ids, mirror_overview& to) {
  if (ids.empty()) return;
  const texts_by_id since = since_when(db, ids);
  for (status_row& s : read_status_of(db, ids)) {
    std::optional<std::string> at = since_of(s, since);
    to.problems.push_back({std::move(s), std::move(at)});
  }
}

void read_backfills(pg_connection& db, mirror_overview& to) {
  for (const auto& r : db.run(page_backfills_sql)) {
    mirror_overview::backfill b;
    b.id = r[0].as<std::int64_t>();
    b.begun = seconds_since_1970(r[1]);
    b.days = {r[2].as<day>(), r[3].as<day>()};
    b.credentials = r[4].as<std::int64_t>();
    b.items = r[5].as<std::int64_t>();
    b.items_done = r[6].as<std::int64_t>();
    b.items_failed = r[7].as<std::int64_t>();
    b.done_lately = r[8].as<std::int64_t>();
    b.lately = chr::seconds{r[9].as<std::int64_t>()};
    b.last_error = r[10].c_str();
    to.backfills.push_back(std::move(b));
  }
}

void read_activity(pg_connection& db, mirror_overview& to) {
  std::unordered_map<std::string, mirror_overview::bank*> banks;
  for (mirror_overview::bank& b : to.banks)
    banks.emplace(b.id, &b);
  const auto now = chr::floor<chr::hours>(to.read_at);
  for (int back = 23; back >= 0; --back)
    to.hours.push_back({now - chr::hours{back}});
  for (const auto& r : db.run(page_activity_sql)) {
    const auto windows = r[2].as<std::int64_t>(), failed = r[3].as<std::int64_t>();
    if (r[0].is_null() && r[1].is_null()) continue;  // of credentials that were erased
    if (r[0].is_null()) {
      const auto bank = banks.find(r[1].c_str());
      if (bank != banks.end()) bank->second->windows = windows, bank->second->failed = failed;
      continue;
    }
    const instant begin{chr::hours{r[0].as<std::int64_t>()}};
    for (mirror_overview::hour& h : to.hours) {
      if (h.begin != begin) continue;
      h.windows = windows, h.failed = failed;
      h.fetched = r[4].as<std::int64_t>(), h.written = r[5].as<std::int64_t>();
      h.requests = r[6].as<std::int64_t>();
    }
  }
}

mirror_overview read_overview(pg_connection& db) {
  mirror_overview found;
  std::vector<credential_id> problems;
  for (const auto& r : db.run(page_overview_sql, sql_values(first_problems)))
    take(r, found, problems);
  read_problems(db, problems, found);
  read_backfills(db, found);
  read_activity(db, found);
  if (found.banks.size() > most_banks) found.banks.resize(most_banks);
  return found;
}

// ------------------------------------------------------------------------------------- the list

const char* column_of(credential_query::order by) {
  switch (by) {
    case credential_query::order::bank:
      return "t.bank";
    case credential_query::order::state:
      return "t.urgency";
    case credential_query::order::agreed:
      return "t.agreed_at";
    case credential_query::order::next:
      return "t.next_due_at";
    case credential_query::order::id:
      break;
  }
  return "t.credential_id";
}

// Whether one is stale, or has a problem, costs a look at all products: only where that is asked
// for.
bool asks_for_standing(const credential_query& asked) {
  return asked.by == credential_query::order::state || asked.state == "ok" ||
         asked.state == "stale" || asked.state == "problem";
}

std::string list_text(const credential_query& asked) {
  std::string text = "select t.credential_id, count(*) over () from (";
  text +=
      asks_for_standing(asked)
          ? FLANKS_CREDENTIALS_JUDGED
          : "select c.credential_id, coalesce(c.bank, '') as bank, case when c.removed_at is "
            "not null then 'removed' when c.paused then 'paused' else c.state end as state, "
            "coalesce(l.confirmed_at, c.created_at) as agreed_at, l.next_due_at "
            "from flanks.credentials c left join flanks_internal.schedule l using (credential_id) ";
  text +=
      asked.state == "removed" ? "where c.removed_at is not null" : "where c.removed_at is null";
  text +=
      ") t where ($1 = '' or t.credential_id::text = $1 or strpos(lower(t.bank), lower($1)) > 0 or "
      "t.credential_id in "
      "(select u.credential_id from flanks.user_credentials u where strpos(lower(u.user_id), "
      "lower($1)) > 0)) "
      "and ($2 = '' or t.bank = $2)";
  text +=
      asked.state == "problem" ? " and t.problem and $3 <> ''" : " and ($3 = '' or t.state = $3)";
  const char* way = asked.descending ? " desc" : "";
  text += fmt::format(" order by {}{} nulls last, t.credential_id{} limit $4 offset $5",
                      column_of(asked.by), way, way);
  return text;
}

credential_list read_list(pg_connection& db, const credential_query& asked) {
  credential_list found;
  std::vector<credential_id> ids;
  const std::string text = list_text(asked);
  const std::int64_t offset = static_cast<std::int64_t>(asked.page - 1) * asked.limit;
  for (const auto& r :
       db.run({"page_credentials", text.c_str()},
              sql_values(asked.text, asked.bank, asked.state, asked.limit, offset))) {
    ids.push_back(credential_id{r[0].as<std::int64_t>()});
    found.total = r[1].as<std::int64_t>();
  }
  if (!ids.empty()) found.rows = read_status_of(db, ids);
  return found;
}

// ----------------------------------------------------------------------------------- one of them

void read_runs(pg_connection& db, credential_id id, credential_story& to) {
  for (const auto& r : db.run(page_runs_sql, sql_values(id, most_runs))) {
    credential_story::run run;
    run.at = r[0].c_str(), run.trigger = r[1].c_str();
    run.what = r[2].c_str(), run.outcome = r[3].c_str();
    run.from = day_or_none(r[4]), run.to = day_or_none(r[5]);
    run.counts.fetched = r[6].as<std::int64_t>();
    run.counts.inserted = r[7].as<std::int64_t>();
    run.counts.updated = r[8].as<std::int64_t>();
    run.counts.removed = r[9].as<std::int64_t>();
    run.counts.quarantined = r[10].as<std::int64_t>();
    run.milliseconds = r[11].as<std::int64_t>();
    run.error = said(r[12]), run.hint = said(r[13]), run.trace_id = said(r[14]);
    to.runs.push_back(std::move(run));
  }
}

void read_coverage(pg_connection& db, credential_id id, credential_story& to) {
  for (const auto& r : db.run(page_coverage_sql, sql_values(id))) {
    if (to.coverage.empty() || to.coverage.back().product != r[0].c_str()) {
      credential_story::covered c;
      c.product = r[0].c_str();
      c.first = day_or_none(r[4]), c.last = day_or_none(r[5]);
      c.ranges = r[6].as<int>();
      c.last_success = said(r[7]), c.last_sweep = said(r[8]);
      c.unclean = r[9].as<bool>();
      to.coverage.push_back(std::move(c));
    }
    to.coverage.back().months.push_back({r[1].c_str(), r[2].as<int>(), r[3].as<int>()});
  }
}

void read_products(pg_connection& db, credential_id id, credential_story& to) {
  for (const auto& r : db.run(page_lists_sql, sql_values(id)))
    to.lists.push_back({r[0].c_str(), r[1].c_str(), said(r[2]), said(r[3])});
  for (const auto& r : db.run(page_products_sql, sql_values(id, most_products)))
    to.products.push_back({r[0].c_str(), r[1].c_str(), r[2].as<std::int64_t>(), r[3].as<bool>()});
}

void read_exceptions(pg_connection& db, credential_id id, credential_story& to) {
  for (const auto& r : db.run(page_successions_sql, sql_values(id, most_groups))) {
    credential_story::succession s;
    s.id = r[0].as<std::int64_t>(), s.from = r[1].as<std::int64_t>();
    s.to = r[2].as<std::int64_t>(), s.real_account = r[3].as<std::int64_t>();
    s.product = r[4].c_str(), s.state = r[5].c_str(), s.raised = r[6].c_str();
    s.compared = r[7].as<std::int64_t>(), s.paired = r[8].as<std::int64_t>();
    s.succeeded = r[9].as<std::int64_t>();
    s.decided = said(r[10]);
    to.successions.push_back(std::move(s));
  }
  for (const auto& r : db.run(page_quarantine_sql, sql_values(id, most_groups)))
    to.quarantine.push_back({r[0].c_str(), r[1].c_str(), r[2].c_str(), r[3].as<std::int64_t>(),
                             r[4].as<std::int64_t>(), r[5].as<bool>(), r[6].c_str(), r[7].c_str()});
}

std::optional<credential_story> read_story(pg_connection& db, credential_id id) {
  const pg_rows head = db.run(page_story_sql, sql_values(id));
  const std::vector<credential_id> ids{id};
  std::vector<status_row> status = read_status_of(db, ids);
  if (head.empty() || status.empty()) return std::nullopt;
  credential_story found;
  found.read_at = seconds_since_1970(head[0][0]);
  found.registered = head[0][1].c_str();
  found.bank_name = head[0][2].c_str();
  found.status = std::move(status.front());
  found.since = since_of(found.status, since_when(db, ids));
  for (const auto& r : db.run(page_states_sql, sql_values(id, most_states)))
    found.states.push_back({r[0].c_str(), r[1].c_str(), said(r[2])});
  read_runs(db, id, found);
  read_coverage(db, id, found);
  read_products(db, id, found);
  read_exceptions(db, id, found);
  return found;
}

template <class T>
job in_one_snapshot(T& into, std::function<T(pg_connection&)> read) {
  return [&into, read = std::move(read)](pg_connection& db) {
    db.begin();
    db.run(one_snapshot);
    db.run(uncompiled);
    into = read(db);
    db.commit();
  };
}

class pg_page_source final : public page_source {
 public:
  pg_page_source(boost::asio::any_io_executor loop, db_options options)
      : pool_(std::make_shared<pg_connection_pool>(std::move(loop), std::move(options))) {}
  ~pg_page_source() override { pool_->close(); }

  awaitable<mirror_overview> overview() override {
    mirror_overview found;
    const job work = in_one_snapshot<mirror_overview>(found, read_overview);
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return found;
  }

  awaitable<credential_list> credentials(credential_query asked) override {
    credential_list found;
    const job work = in_one_snapshot<credential_list>(
        found, [&asked](pg_connection& db) { return read_list(db, asked); });
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return found;
  }

  awaitable<std::optional<credential_story>> credential(credential_id id) override {
    std::optional<credential_story> found;
    const job work = in_one_snapshot<std::optional<credential_story>>(
        found, [id](pg_connection& db) { return read_story(db, id); });
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return found;
  }

 private:
  std::shared_ptr<pg_connection_pool> pool_;
};

db_options of_onlookers(db_options options) {
  options.pool = "page";
  options.connections = 2;
  options.connect_timeout = chr::seconds{2};
  options.statement_timeout = chr::seconds{10};
  options.answer_grace = chr::seconds{2};
  options.lock_timeout = chr::seconds{2};
  options.network_timeout = chr::seconds{5};
  return options;
}

}  // namespace

std::unique_ptr<page_source> make_page_source(boost::asio::any_io_executor loop,
                                              db_options options) {
  return std::make_unique<pg_page_source>(std::move(loop), of_onlookers(std::move(options)));
}

}  // namespace flanks
