#include "db/gauges.hpp"

#include "db/lane.hpp"
#include "db/migrate.hpp"

namespace flanks {

namespace {

using boost::asio::awaitable;

constexpr statement states_sql{"read_state_gauges", R"(
select s.state, count(*),
  greatest(0, floor(extract(epoch from max(now() - coalesce(c.last_confirmed_at, c.created_at)))))::bigint
from flanks.credentials c
cross join lateral (select case when c.removed_at is not null then 'removed' when c.paused then 'paused' else c.state end as state) s
group by 1)"};

// While it is claimed it is due when its lease ends: so this counts none that a living worker has.
constexpr statement due_sql{"read_due_gauge", R"(
select count(*), floor(extract(epoch from now()))::bigint from flanks_internal.leases where next_due_at <= now())"};

// In the order of verifications_by_credential, backwards. One command may have written several
// windows of a product: the worst speaks for it.
constexpr statement proofs_sql{"read_verification_gauges", R"(
with latest as (
  select distinct on (credential_id, product) credential_id, product, run_id
  from flanks.verifications order by credential_id desc, product desc, finished_at desc),
ended as (
  select v.product,
    case when bool_or(v.outcome = 'different') then 'different' when bool_or(v.outcome = 'failed') then 'failed'
      when bool_or(v.outcome = 'not_verifiable') then 'not_verifiable' else 'equal' end as outcome,
    sum(v.missing) as missing, sum(v.extra) as extra, sum(v.altered) as altered, max(v.finished_at) as at
  from latest l
  join flanks.credentials c on c.credential_id = l.credential_id and c.removed_at is null
  join flanks.verifications v on v.credential_id = l.credential_id and v.product = l.product and v.run_id = l.run_id
  group by l.credential_id, v.product)
select product, outcome, count(*), sum(missing)::bigint, sum(extra)::bigint, sum(altered)::bigint,
  floor(extract(epoch from max(at)))::bigint
from ended group by 1, 2)"};

instant instant_of(const pqxx::field& f) {
  return instant{std::chrono::seconds{f.as<std::int64_t>()}};
}

mirror_gauges read_gauges(session& db) {
  mirror_gauges g;
  for (const auto& r : db.run(states_sql)) {
    g.states.push_back(
        {r[0].c_str(), r[1].as<std::int64_t>(), std::chrono::seconds{r[2].as<std::int64_t>()}});
  }
  const pqxx::result due = db.run(due_sql);
  g.due = due[0][0].as<std::int64_t>();
  g.read_at = instant_of(due[0][1]);
  for (const auto& r : db.run(proofs_sql)) {
    g.proofs.push_back({r[0].c_str(), r[1].c_str(), r[2].as<std::int64_t>(),
                        r[3].as<std::int64_t>(), r[4].as<std::int64_t>(), r[5].as<std::int64_t>()});
    g.last_verification = std::max(g.last_verification, std::optional{instant_of(r[6])});
  }
  return g;
}

class pg_gauges final : public gauge_source {
 public:
  pg_gauges(boost::asio::any_io_executor loop, db_options options)
      : lanes_(std::make_shared<lane_pool>(std::move(loop), std::move(options))) {}
  ~pg_gauges() override { lanes_->close(); }

  awaitable<std::string> schema_trouble() override {
    std::string trouble;
    const job work = [&](session& db) { trouble = migrate::check(db).message; };
    auto running = lanes_->run(work, stage::database);
    co_await std::move(running);
    co_return trouble;
  }

  awaitable<mirror_gauges> read() override {
    mirror_gauges found;
    const job work = [&](session& db) { found = read_gauges(db); };
    auto running = lanes_->run(work, stage::database);
    co_await std::move(running);
    co_return found;
  }

 private:
  std::shared_ptr<lane_pool> lanes_;
};

db_options impatient(db_options options) {
  options.connections = 2;
  options.connect_timeout = std::chrono::seconds{2};
  options.statement_timeout = std::chrono::seconds{10};
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
