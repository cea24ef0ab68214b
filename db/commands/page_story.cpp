// The status page of one credential: states, runs, coverage, products, successions, quarantine.
#include "db/commands/page_reads.hpp"

namespace flanks {

namespace {

constexpr int most_runs = 30, most_states = 30, most_groups = 50, most_products = 100;

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

std::optional<day> day_or_none(const pg_value& f) {
  if (f.is_null()) return std::nullopt;
  return f.as<day>();
}

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

}  // namespace

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

}  // namespace flanks
