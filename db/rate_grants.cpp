#include "db/rate_grants.hpp"

#include <fmt/format.h>

#include "db/leases.hpp"
#include "db/pg/connection_pool.hpp"

namespace flanks {

namespace {

using boost::asio::awaitable;
using std::chrono::microseconds;

// A grant begins where the one before ends, and after a pause. Places so far ahead that no queue of
// ours reaches there come from a clock that was set back: they are forgotten.
// Each is a statement of its own: no process can stand still with the row locked.
constexpr statement take_sql{"take_rate_grant", R"(
update flanks_internal.rate_limit set next_at =
  greatest(clock_timestamp(), paused_until, least(next_at,
    greatest(clock_timestamp(), paused_until) + greatest(interval '5 minutes', make_interval(secs => 100 / $2::float8))))
  + make_interval(secs => $1::integer / $2::float8)
returning ceil(extract(epoch from next_at - make_interval(secs => $1::integer / $2::float8) - clock_timestamp()) * 1000000)::bigint,
  ceil(extract(epoch from greatest(paused_until - clock_timestamp(), interval '0')) * 1000000)::bigint, paused_status, paused_by)"};

constexpr statement pause_limit_sql{"pause_rate_limit", R"(
update flanks_internal.rate_limit set
  paused_until = greatest(paused_until, clock_timestamp() + make_interval(secs => $1::float8 / 1000)),
  paused_status = case when paused_until > clock_timestamp() + make_interval(secs => $1::float8 / 1000) then paused_status else $2::integer end,
  paused_by = case when paused_until > clock_timestamp() + make_interval(secs => $1::float8 / 1000) then paused_by else $3 end
returning 0::bigint,
  ceil(extract(epoch from greatest(paused_until - clock_timestamp(), interval '0')) * 1000000)::bigint, paused_status, paused_by)"};

constexpr statement paused_sql{"read_rate_pause", R"(
select 0::bigint,
  ceil(extract(epoch from greatest(paused_until - clock_timestamp(), interval '0')) * 1000000)::bigint, paused_status, paused_by
from flanks_internal.rate_limit)"};

// It may have been deleted, or truncated away with others.
constexpr statement begin_anew_sql{"begin_rate_limit", R"(
insert into flanks_internal.rate_limit default values on conflict do nothing)"};

rate_grant answer_of(pg_connection& db, const statement& question, const sql_values& values) {
  pg_rows rows = db.run(question, values);
  if (rows.empty()) {
    db.run(begin_anew_sql);
    rows = db.run(question, values);
  }
  rate_grant g;
  if (rows.empty())
    throw failure(stage::database, verdict::stop, "database_schema",
                  "flanks_internal.rate_limit has no row, and none can be added");
  const auto& r = rows[0];
  g.starts_in = microseconds{r[0].as<std::int64_t>()};
  g.pause.left = microseconds{r[1].as<std::int64_t>()};
  g.pause.http_status = r[2].is_null() ? 0 : r[2].as<int>();
  g.pause.told = r[3].is_null() ? "" : r[3].c_str();
  return g;
}

class pg_rate_grants final : public rate_grants {
 public:
  pg_rate_grants(boost::asio::any_io_executor loop, db_options options)
      : pool_(std::make_shared<pg_connection_pool>(std::move(loop), std::move(options))) {}
  ~pg_rate_grants() override { pool_->close(); }

  awaitable<rate_grant> take(int places, double per_second) override {
    const sql_values values(places, fmt::format("{}", per_second));
    auto asking = ask(take_sql, values);
    rate_grant grant = co_await std::move(asking);
    grant.places = places;
    co_return grant;
  }
  awaitable<rate_pause> pause(std::chrono::milliseconds wait, int http_status) override {
    const sql_values values(wait, http_status, leases::holder_of(pool_->options()));
    auto asking = ask(pause_limit_sql, values);
    const rate_grant answer = co_await std::move(asking);
    co_return answer.pause;
  }
  awaitable<rate_pause> paused() override {
    const sql_values none;
    auto asking = ask(paused_sql, none);
    const rate_grant answer = co_await std::move(asking);
    co_return answer.pause;
  }

 private:
  awaitable<rate_grant> ask(const statement& question, const sql_values& values) {
    rate_grant answer;
    const job work = [&](pg_connection& db) { answer = answer_of(db, question, values); };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return answer;
  }

  std::shared_ptr<pg_connection_pool> pool_;
};

// Requests wait for it.
db_options with_short_waits(db_options options) {
  options.pool = "rate_limit";
  options.connections = 2;
  options.connect_timeout = std::chrono::seconds{2};
  options.statement_timeout = std::chrono::seconds{5};
  options.lock_timeout = std::chrono::seconds{2};
  options.network_timeout = std::chrono::seconds{5};
  return options;
}

}  // namespace

std::unique_ptr<rate_grants> make_rate_grants(boost::asio::any_io_executor loop,
                                              db_options options) {
  return std::make_unique<pg_rate_grants>(std::move(loop), with_short_waits(std::move(options)));
}

}  // namespace flanks
