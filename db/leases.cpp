#include "db/leases.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <unordered_map>

#include "db/lease_sql.hpp"
#include "db/pg/array_columns.hpp"
#include "db/pg/row_security.hpp"
#include "db/pg/text_format.hpp"
#include "db/tokens.hpp"

namespace flanks::leases {

namespace {

// A claim leaves next_due_at alone, so that it is a HOT update: who is in flight is told by the
// lease, and a dead worker's credential is due again when that expires; the poll that it has not
// recorded is counted as of now. In the index, those in flight stand before the others; there are
// as many as workers.
constexpr statement claim_due_sql{"claim_due", R"(
with due as (
  select l.credential_id, l.next_due_at, l.lease_id is not null as expired
  from flanks_internal.leases l join flanks_internal.leases_kept k on k.claims_from <= now()
  where l.next_due_at <= now() - make_interval(secs => $4::float8) and (l.lease_id is null or l.expires_at <= now())
  order by l.next_due_at limit $1 for update of l skip locked),
claimed as (
  update flanks_internal.leases l set lease_id = gen_random_uuid(), holder = $2,
    expires_at = now() + make_interval(secs => $3)
  from due where l.credential_id = due.credential_id
  returning l.credential_id, l.lease_id, l.next_due_at, due.expired)
select l.credential_id, l.lease_id, t.credentials_token, c.bank, c.state, s.failures_in_a_row,
  floor(extract(epoch from c.not_found_since))::bigint, l.expired,
  (select string_agg(floor(extract(epoch from r))::bigint::text, ' ' order by r) from unnest(s.refreshes) r),
  encode(s.polls, 'hex') || case when l.expired then lpad(to_hex(ceil(extract(epoch from now()))::bigint), 8, '0') else '' end,
  (select slot_salt from flanks_internal.settings), encode(t.sealed_token, 'hex')
from claimed l
join flanks_internal.schedule s using (credential_id)
join flanks.credentials c using (credential_id)
join flanks_internal.credentials_tokens t using (credential_id)
where num_nonnulls(t.credentials_token, t.sealed_token) = 1
order by l.next_due_at, l.credential_id)"};

// Where a crash of the server has emptied the tables of leases: nobody can claim before that.
constexpr statement restore_sql{"restore_leases",
                                "select flanks_internal.restore_leases(make_interval(secs => $1))"};

// Due or not. A credential whose token is gone (removed) has no lease row.
constexpr statement claim_sql{"claim", R"(
with free as (
  select l.credential_id, l.lease_id is not null as expired
  from flanks_internal.leases l join flanks_internal.leases_kept k on k.claims_from <= now()
  where l.credential_id = any($1::bigint[]) and (l.lease_id is null or l.expires_at <= now())
  order by l.credential_id for update of l skip locked),
claimed as (
  update flanks_internal.leases l set lease_id = gen_random_uuid(), holder = $2,
    expires_at = now() + make_interval(secs => $3)
  from free where l.credential_id = free.credential_id
  returning l.credential_id, l.lease_id, free.expired)
select l.credential_id, l.lease_id, t.credentials_token, c.bank, c.state, s.failures_in_a_row,
  floor(extract(epoch from c.not_found_since))::bigint, l.expired,
  (select string_agg(floor(extract(epoch from r))::bigint::text, ' ' order by r) from unnest(s.refreshes) r),
  encode(s.polls, 'hex') || case when l.expired then lpad(to_hex(ceil(extract(epoch from now()))::bigint), 8, '0') else '' end,
  (select slot_salt from flanks_internal.settings), encode(t.sealed_token, 'hex')
from claimed l
join flanks_internal.schedule s using (credential_id)
join flanks.credentials c using (credential_id)
join flanks_internal.credentials_tokens t using (credential_id)
where num_nonnulls(t.credentials_token, t.sealed_token) = 1)"};

constexpr statement wait_for_leases{"wait_for_leases", R"(
select from flanks_internal.leases where credential_id = any($1::bigint[]) order by credential_id for update)"};

#define FLANKS_HELD_LEASES \
  "select a.nr, " FLANKS_SHARE_WINDOW_LOCK(                                           \
      "a.credential_id") " from unnest($1::bigint[], $2::uuid[]) with ordinality as " \
                         "a(credential_id, lease_id, nr) join flanks_internal.leases l on " \
                         "l.credential_id = a.credential_id and " FLANKS_HOLDS_LEASE(       \
                             "l", "a.lease_id") " order by a.credential_id"
constexpr statement look_at_leases{"look_at_leases", FLANKS_HELD_LEASES};
constexpr statement lock_leases{"lock_leases", FLANKS_HELD_LEASES " for update of l"};
constexpr statement lock_free_leases{"lock_free_leases",
                                     FLANKS_HELD_LEASES " for update of l skip locked"};

// What was verified under another filter says nothing about this one. A watermark from the future,
// of an older version of ours, is none.
constexpr statement coverage_sql{"read_coverage", R"(
select c.credential_id, c.product, lower(r.latest), least(upper(r.latest) - 1, c.read_on),
  case when c.provider_seen_at <= now() + interval '1 minute' then floor(extract(epoch from c.provider_seen_at))::bigint end, floor(extract(epoch from c.last_success_at))::bigint,
  floor(extract(epoch from c.last_sweep_at))::bigint, floor(extract(epoch from c.last_recent_sweep_at))::bigint, coalesce(c.window_days, 0),
  lower(c.unclean), coalesce(c.history_days, 0)
from flanks.coverage c
left join lateral (select u.r as latest from unnest(c.days) u(r) order by u.r desc limit 1) r on true
where c.credential_id = any($1::bigint[]) and c.query = $2)"};

constexpr statement products_seen_sql{"read_product_coverage", R"(
select credential_id, product, floor(extract(epoch from provider_seen_at))::bigint
from flanks.product_coverage
where credential_id = any($1::bigint[]) and provider_seen_at <= now() + interval '1 minute')"};

// A role may end its own backends (pg_terminate_backend, PostgreSQL 15, 9.27.2). The transactions
// could not commit any more: the lease has expired, and is another one's now or about to be.
constexpr statement end_windows_sql{
    "end_windows_of_expired_leases",
    "select count(pg_terminate_backend(l.pid)) from pg_locks l "
    "join pg_stat_activity a on a.pid = l.pid and a.usename = current_user and a.datname = current_database() "
    "join unnest($1::bigint[]) e(credential_id) "
    "on (l.classid::bigint << 32 | l.objid::bigint) = " FLANKS_WINDOW_LOCK("e.credential_id") " "
    "where l.locktype = 'advisory' and l.objsubid = 1 and l.granted and l.pid <> pg_backend_pid()"};
// Expired, and not claimed: a claim skips a lease for as long as something locks its row. Those
// that are due are the first in the index.
constexpr statement locked_sql{"find_locked_leases", R"(
select credential_id from flanks_internal.leases
where next_due_at <= now() and lease_id is not null and expires_at <= now() order by next_due_at limit 100)"};

constexpr statement unheld_due_sql{"count_unheld_due", R"(
select count(*) from (select from flanks_internal.leases join flanks_internal.leases_kept k on k.claims_from <= now()
  where next_due_at <= now() - make_interval(secs => $1::float8) and (lease_id is null or expires_at <= now())
  order by next_due_at limit 1000) d)"};

constexpr statement renew_sql{"renew", R"(
update flanks_internal.leases set expires_at = now() + make_interval(secs => $3)
where credential_id = $1 and lease_id = $2 and expires_at > now())"};

// Of those before the first free one in the index, all are held: they are due when their lease has
// expired.
constexpr statement next_due_sql{"next_due", R"(
with free as (
  select next_due_at from flanks_internal.leases
  where next_due_at < 'infinity' and (lease_id is null or expires_at <= now()) order by next_due_at limit 1),
held as (
  select greatest(l.expires_at, l.next_due_at) as next_due_at from flanks_internal.leases l
  where l.next_due_at < coalesce((select f.next_due_at from free f), 'infinity') and l.lease_id is not null)
select greatest(0, ceil(extract(epoch from min(d.next_due_at) - clock_timestamp())))::bigint
from (select next_due_at from free union all select next_due_at from held) d
having count(*) > 0)"};

std::optional<instant> instant_of(const pg_value& f) {
  if (f.is_null()) return std::nullopt;
  return instant{std::chrono::seconds{f.as<std::int64_t>()}};
}

// Seconds since 1970, a blank between two.
std::vector<instant> instants_of(const pg_value& f) {
  std::vector<instant> all;
  if (f.is_null()) return all;
  std::istringstream words{f.c_str()};
  for (std::int64_t seconds = 0; words >> seconds;)
    all.push_back(instant{std::chrono::seconds{seconds}});
  return all;
}

// Eight digits each, as polls_text() in db/release.cpp writes them.
std::vector<instant> polls_from(std::string_view hex) {
  std::vector<instant> all;
  for (; hex.size() >= 8; hex.remove_prefix(8)) {
    std::uint32_t seconds = 0;
    std::from_chars(hex.data(), hex.data() + 8, seconds, 16);
    all.push_back(instant{std::chrono::seconds{seconds}});
  }
  return all;
}

void add_coverage(pg_connection& db, const db_options& options,
                  std::vector<claimed_credential>& claimed) {
  array_literal ids;
  std::unordered_map<std::int64_t, claimed_credential*> by_id;
  for (claimed_credential& c : claimed) {
    ids.add(c.id.value);
    by_id.emplace(c.id.value, &c);
  }
  const std::string all = ids.take();
  for (const auto& r : db.run(products_seen_sql, sql_values(all))) {
    const auto kind = product_kind_from(r[1].c_str());
    if (kind)
      by_id.at(r[0].as<std::int64_t>())->products_seen[static_cast<std::size_t>(*kind)] =
          instant_of(r[2]);
  }
  const pg_rows found = db.run(coverage_sql, sql_values(all, options.query));
  for (const auto& r : found) {
    const auto id = r[0].as<std::int64_t>();
    claimed_credential& c = *by_id.at(id);
    const auto what = product_from(r[1].c_str());
    if (!what) continue;
    product_coverage& p = c.coverage[static_cast<std::size_t>(*what)];
    p.from = day_from(r[2].c_str());
    p.to = day_from(r[3].c_str());
    p.provider_seen = instant_of(r[4]);
    p.last_success = instant_of(r[5]);
    p.last_sweep = instant_of(r[6]);
    p.last_recent_sweep = instant_of(r[7]);
    p.window_days = r[8].as<int>();
    p.unclean_from = day_from(r[9].c_str());
    p.history_days = r[10].as<int>();
  }
}

void end_windows(pg_connection& db, array_literal credentials) {
  if (!credentials.empty()) db.run(end_windows_sql, sql_values(credentials.take()));
}

std::vector<claimed_credential> claimed_from(pg_connection& db, const db_options& options,
                                             const pg_rows& rows) {
  std::vector<claimed_credential> claimed;
  array_literal taken_over;
  std::vector<credential_id> unsealed;
  for (const auto& r : rows) {
    claimed_credential c;
    c.id = credential_id{r[0].as<std::int64_t>()};
    c.lease = lease_id{r[1].c_str()};
    try {
      c.credentials_token = tokens::opened(options, c.id, r[2], r[11]);
    } catch (const failure& f) {
      c.token_failure = f;
    }
    if (tokens::wants_seal(options, r[2], r[11])) unsealed.push_back(c.id);
    c.bank = r[3].is_null() ? "" : r[3].c_str();
    c.state = credential_state_from(r[4].c_str()).value_or(credential_state::fresh);
    c.failures_in_a_row = r[5].as<int>();
    c.not_found_since = instant_of(r[6]);
    if (r[7].as<bool>()) taken_over.add(c.id.value);
    c.refreshes = instants_of(r[8]);
    c.polls = polls_from(r[9].c_str());
    c.slot_salt = static_cast<std::uint64_t>(r[10].is_null() ? 0 : r[10].as<std::int64_t>());
    claimed.push_back(std::move(c));
  }
  end_windows(db, std::move(taken_over));
  if (claimed.empty()) return claimed;
  row_security::check(db);  // before anything is asked of the provider
  tokens::seal(db, options, unsealed);
  add_coverage(db, options, claimed);
  return claimed;
}

void restore(pg_connection& db, const db_options& options) {
  db.run(restore_sql, sql_values(static_cast<std::int64_t>(options.lease_time.count())));
}

}  // namespace

std::string seconds_of(std::chrono::milliseconds time) {
  return fmt::format("{}.{:03}", time.count() / 1000, time.count() % 1000);
}

std::string holder_of(const db_options& options) {
  if (!options.holder.empty()) return options.holder;
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return fmt::format("{}:{}", host.data(), getpid());
}

std::vector<claimed_credential> claim_due(pg_connection& db, const db_options& options, int limit,
                                          std::chrono::milliseconds age) {
  db.begin();
  const sql_values values(limit, holder_of(options),
                          static_cast<std::int64_t>(options.lease_time.count()), seconds_of(age));
  auto claimed = claimed_from(db, options, db.run(claim_due_sql, values));
  if (claimed.empty()) restore(db, options);
  db.commit();
  if (static_cast<int>(claimed.size()) == limit) return claimed;
  array_literal locked;
  for (const auto& r : db.run(locked_sql))
    locked.add(r[0].as<std::int64_t>());
  end_windows(db, std::move(locked));
  return claimed;
}

std::int64_t unheld_due(pg_connection& db, std::chrono::milliseconds age) {
  return db.run(unheld_due_sql, sql_values(seconds_of(age)))[0][0].as<std::int64_t>();
}

void apply(pg_connection& db, const db_options& options, std::span<claim_request* const> requests) {
  if (requests.empty()) return;
  array_literal ids;
  std::unordered_map<std::int64_t, claim_request*> by_id;
  for (claim_request* r : requests) {
    ids.add(r->id.value);
    by_id.emplace(r->id.value, r);
  }
  auto claimed = claimed_from(
      db, options,
      db.run(claim_sql, sql_values(ids.take(), holder_of(options),
                                   static_cast<std::int64_t>(options.lease_time.count()))));
  if (claimed.empty()) restore(db, options);
  for (claimed_credential& c : claimed) {
    claim_request& r = *by_id.at(c.id.value);
    r.done = true;
    r.result = std::move(c);
  }
}

std::vector<bool> hold(pg_connection& db, std::span<const claimed_lease> leases, lease_lock how) {
  array_columns asked;
  for (const claimed_lease& l : leases)
    asked.add(sql_values(l.credential, l.lease.value));
  const statement& s = how == lease_lock::none   ? look_at_leases
                       : how == lease_lock::wait ? lock_leases
                                                 : lock_free_leases;
  std::vector<bool> held(leases.size());
  for (const auto& r : db.run(s, asked.take()))
    held[r[0].as<std::size_t>() - 1] = true;
  return held;
}

failure lease_lost(credential_id id, std::string_view what) {
  return failure(stage::lease, verdict::later, "lease_lost",
                 fmt::format("credential {}: the lease was lost{}", id.value, what));
}

void wait_for(pg_connection& db, std::span<const credential_id> ids) {
  array_literal all;
  for (const credential_id id : ids)
    all.add(id.value);
  db.run(wait_for_leases, sql_values(all.take()));
}

bool renew(pg_connection& db, const db_options& options, credential_id id, const lease_id& lease) {
  const auto seconds = static_cast<std::int64_t>(options.lease_time.count());
  return db.run(renew_sql, sql_values(id, lease.value, seconds)).affected_rows() == 1;
}

std::optional<std::chrono::seconds> next_due(pg_connection& db) {
  const pg_rows r = db.run(next_due_sql);
  if (r.empty()) return std::nullopt;
  return std::chrono::seconds{r[0][0].as<std::int64_t>()};
}

}  // namespace flanks::leases
