#include "db/commands/read_gauges.hpp"

#include <algorithm>

#include "db/commands/examination.hpp"
#include "db/commands/migrate.hpp"
#include "db/pg/connection_pool.hpp"

namespace flanks {

namespace {

using boost::asio::awaitable;

constexpr statement states_sql{"read_state_gauges", R"(
select s.state, count(*),
  floor(extract(epoch from min(least(now(), coalesce(p.confirmed_at, c.created_at)))))::bigint
from flanks.credentials c
join flanks_internal.standing s using (credential_id)
left join flanks_internal.schedule p using (credential_id)
group by 1)"};

constexpr statement problems_sql{"read_problem_gauges", R"(
select coalesce(error_class, state), who_must_act, count(*) from flanks.sync_status where problem group by 1, 2 order by 1, 2)"};

constexpr statement refreshes_sql{"read_refresh_gauges", R"(
select coalesce(c.bank, ''), count(*) filter (where s.stale), floor(extract(epoch from min(s.refreshed_at)))::bigint
from flanks.credentials c join flanks_internal.standing s using (credential_id)
where s.state not in ('removed', 'paused', 'gone') group by 1 order by 1)"};

// A claim leaves next_due_at as it is: who is in flight is told by the lease.
constexpr statement due_sql{"read_due_gauge", R"(
select count(*), floor(extract(epoch from now()))::bigint from flanks_internal.leases
where next_due_at <= now() and (lease_id is null or expires_at <= now()))"};

constexpr statement held_leases_sql{"read_lease_gauge", R"(
select count(*) from flanks_internal.leases where expires_at > now())"};

constexpr statement quarantine_reasons_sql{"read_quarantine_gauges", R"(
select reason, stored_anyway, sum(records)::bigint from flanks.quarantine where resolved_at is null group by 1, 2 order by 1, 2)"};

constexpr statement open_reviews_sql{"read_review_gauges", R"(
select (select count(*) from flanks.removal_reviews where state = 'open'),
  (select count(*) from flanks.successions where state = 'open'))"};

// One that somebody else has for himself (VACUUM FULL) would be waited for. Never analysed, a table
// has no reltuples yet.
constexpr statement table_sizes_sql{"read_table_gauges", R"(
select n.nspname || '.' || c.relname,
  case when c.reltuples < 0 then pg_stat_get_live_tuples(c.oid) else c.reltuples::bigint end, pg_total_relation_size(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('flanks', 'flanks_internal') and c.relkind = 'r' and not exists (
  select from pg_locks l where l.locktype = 'relation' and l.relation = c.oid and l.mode = 'AccessExclusiveLock')
order by 1)"};

// What the proofs depend on: as long as it stays, so do they. Of a mirror that was proved often
// they cost seconds, and change once a day.
constexpr statement proofs_key_sql{"read_verification_key", R"(
select concat_ws(' ', (select max(verification_id) from flanks.verifications), count(*), count(removed_at), max(removed_at))
from flanks.credentials)"};

// A difference stands until all its days were compared again. Else one command may have written
// several windows of a product: the worst speaks for it. A window that it repaired has two rows, of
// which the later one counts: it is equal now.
constexpr statement proofs_sql{"read_verification_gauges", R"(
with proved as (
  select credential_id, product, outcome, finished_at, run_id,
    first_value(run_id) over (partition by credential_id, product order by finished_at desc) as latest,
    row_number() over (partition by credential_id, product, run_id, coalesce(window_from::text, verification_id::text), window_to
      order by verification_id desc) as back
  from flanks.verifications),
ended as (
  select credential_id, product,
    case when bool_or(outcome = 'failed') then 'failed' when bool_or(outcome = 'not_verifiable') then 'not_verifiable' else 'equal' end as outcome,
    max(finished_at) as at
  from proved where run_id = latest and back = 1 group by 1, 2),
differ as (
  select credential_id, product, sum(missing) as missing, sum(extra) as extra, sum(altered) as altered
  from flanks_internal.open_differences group by 1, 2)
select product, case when d.missing is not null then 'different' else e.outcome end, count(*), coalesce(sum(d.missing), 0)::bigint,
  coalesce(sum(d.extra), 0)::bigint, coalesce(sum(d.altered), 0)::bigint, floor(extract(epoch from max(e.at)))::bigint
from ended e left join differ d using (credential_id, product)
join flanks.credentials c on c.credential_id = e.credential_id and c.removed_at is null
group by 1, 2)"};

instant instant_of(const pg_value& f) {
  return instant{std::chrono::seconds{f.as<std::int64_t>()}};
}

// What was read of the proofs, and what it depended on.
struct known_proofs {
  std::string key;
  std::vector<mirror_gauges::proved> proofs;
  std::optional<instant> last;
};

void refresh(pg_connection& db, known_proofs& known) {
  known_proofs now;
  now.key = db.run(proofs_key_sql)[0][0].c_str();
  if (now.key == known.key) return;
  for (const auto& r : db.run(proofs_sql)) {
    now.proofs.push_back({r[0].c_str(), r[1].c_str(), r[2].as<std::int64_t>(),
                          r[3].as<std::int64_t>(), r[4].as<std::int64_t>(),
                          r[5].as<std::int64_t>()});
    now.last = std::max(now.last, std::optional{instant_of(r[6])});
  }
  known = std::move(now);
}

mirror_gauges read_gauges(pg_connection& db, known_proofs& known) {
  mirror_gauges g;
  for (const auto& r : db.run(states_sql)) {
    g.states.push_back({r[0].c_str(), r[1].as<std::int64_t>(), instant_of(r[2])});
  }
  for (const auto& r : db.run(problems_sql))
    g.problems.push_back({r[0].c_str(), r[1].c_str(), r[2].as<std::int64_t>()});
  for (const auto& r : db.run(refreshes_sql)) {
    mirror_gauges::of_bank bank{r[0].c_str(), r[1].as<std::int64_t>(), std::nullopt};
    if (!r[2].is_null()) bank.oldest_refresh = instant_of(r[2]);
    g.banks.push_back(std::move(bank));
  }
  for (const auto& r : db.run(quarantine_reasons_sql))
    g.quarantine.push_back({r[0].c_str(), r[1].as<bool>(), r[2].as<std::int64_t>()});
  for (const auto& r : db.run(table_sizes_sql)) {
    if (!r[2].is_null())
      g.tables.push_back({r[0].c_str(), r[1].as<std::int64_t>(), r[2].as<std::int64_t>()});
  }
  const pg_rows reviews = db.run(open_reviews_sql);
  g.open_removals = reviews[0][0].as<std::int64_t>();
  g.open_successions = reviews[0][1].as<std::int64_t>();
  g.leases = db.run(held_leases_sql)[0][0].as<std::int64_t>();
  const pg_rows due = db.run(due_sql);
  g.due = due[0][0].as<std::int64_t>();
  g.read_at = instant_of(due[0][1]);
  refresh(db, known);
  g.proofs = known.proofs;
  g.last_verification = known.last;
  return g;
}

class pg_gauges final : public gauge_source {
 public:
  pg_gauges(boost::asio::any_io_executor loop, db_options options)
      : pool_(std::make_shared<pg_connection_pool>(std::move(loop), std::move(options))) {}
  ~pg_gauges() override { pool_->close(); }

  awaitable<finding> schema() override {
    finding found;
    const job work = [&](pg_connection& db) { found = schema_finding(migrate::check(db)); };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return found;
  }

  awaitable<mirror_gauges> read() override {
    mirror_gauges found;
    known_proofs known = known_;  // the connection's thread gets its own
    const job work = [&](pg_connection& db) { found = read_gauges(db, known); };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    known_ = std::move(known);
    co_return found;
  }

 private:
  std::shared_ptr<pg_connection_pool> pool_;
  known_proofs known_;
};

db_options impatient(db_options options) {
  options.pool = "admin";
  options.connections = 2;
  options.connect_timeout = std::chrono::seconds{2};
  options.statement_timeout = std::chrono::seconds{30};
  options.lock_timeout = std::chrono::seconds{2};
  options.network_timeout = std::chrono::seconds{5};
  return options;
}

}  // namespace

std::unique_ptr<gauge_source> make_gauge_source(boost::asio::any_io_executor loop,
                                                db_options options) {
  return std::make_unique<pg_gauges>(std::move(loop), impatient(std::move(options)));
}

}  // namespace flanks
