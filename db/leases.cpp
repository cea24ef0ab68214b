#include "db/leases.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>

#include "db/text_format.hpp"

namespace flanks::leases {

namespace {

// While it is claimed it is due at the end of its lease: so a dead worker's credential comes back
// by itself. A credential whose token is gone (removed) has no lease row.
constexpr statement claim_due_sql{"claim_due", R"(
with due as (
  select credential_id from flanks_internal.leases where next_due_at <= now()
  order by next_due_at limit $1 for update skip locked),
claimed as (
  update flanks_internal.leases l set lease_id = gen_random_uuid(), holder = $2,
    expires_at = now() + make_interval(secs => $3), next_due_at = now() + make_interval(secs => $3),
    due_before_claim = coalesce(case when l.lease_id is not null then l.due_before_claim end, l.next_due_at)
  from due where l.credential_id = due.credential_id
  returning l.credential_id, l.lease_id, l.due_before_claim, l.failures_in_a_row)
select l.credential_id, l.lease_id, t.credentials_token, c.bank, c.state, l.failures_in_a_row,
  floor(extract(epoch from c.not_found_since))::bigint
from claimed l
join flanks.credentials c using (credential_id)
join flanks_internal.credentials_tokens t using (credential_id)
where t.credentials_token is not null
order by l.due_before_claim, l.credential_id)"};

constexpr statement claim_one_sql{"claim_one", R"(
with free as (
  select credential_id from flanks_internal.leases
  where credential_id = $1 and (lease_id is null or expires_at <= now()) for update),
claimed as (
  update flanks_internal.leases l set lease_id = gen_random_uuid(), holder = $2,
    expires_at = now() + make_interval(secs => $3), next_due_at = now() + make_interval(secs => $3),
    due_before_claim = coalesce(case when l.lease_id is not null then l.due_before_claim end, l.next_due_at)
  from free where l.credential_id = free.credential_id
  returning l.credential_id, l.lease_id, l.failures_in_a_row)
select l.credential_id, l.lease_id, t.credentials_token, c.bank, c.state, l.failures_in_a_row,
  floor(extract(epoch from c.not_found_since))::bigint
from claimed l
join flanks.credentials c using (credential_id)
join flanks_internal.credentials_tokens t using (credential_id)
where t.credentials_token is not null)"};

// What was verified under another filter says nothing about this one.
constexpr statement coverage_sql{"read_coverage", R"(
select c.credential_id, c.product, lower(r.latest), upper(r.latest) - 1,
  floor(extract(epoch from c.provider_seen_at))::bigint, floor(extract(epoch from c.last_success_at))::bigint,
  floor(extract(epoch from c.last_sweep_at))::bigint, floor(extract(epoch from c.last_recent_sweep_at))::bigint, coalesce(w.days, 0)
from flanks.coverage c
left join flanks_internal.window_sizes w on w.credential_id = c.credential_id and w.product = c.product
left join lateral (select u.r as latest from unnest(c.days) u(r) order by u.r desc limit 1) r on true
where c.credential_id = any($1::bigint[]) and c.query = $2)"};

constexpr statement products_seen_sql{"read_product_coverage", R"(
select credential_id, product, floor(extract(epoch from provider_seen_at))::bigint
from flanks.product_coverage where credential_id = any($1::bigint[]) and provider_seen_at is not null)"};

constexpr statement renew_sql{"renew", R"(
update flanks_internal.leases set expires_at = now() + make_interval(secs => $3), next_due_at = now() + make_interval(secs => $3)
where credential_id = $1 and lease_id = $2 and expires_at > now())"};

constexpr statement release_sql{"release", R"(
update flanks_internal.leases l set lease_id = null, holder = null, expires_at = null, due_before_claim = null,
  next_due_at = case when c.paused then 'infinity' else now() + make_interval(secs => $3) end,
  failures_in_a_row = case when $4 then l.failures_in_a_row + 1 else 0 end
from flanks.credentials c
where l.credential_id = $1 and l.lease_id = $2 and c.credential_id = l.credential_id)"};

// `paused` is the operator's own column: a state that says so is not stored.
constexpr statement write_state{"write_state", R"(
update flanks.credentials c set last_attempt_at = clock_timestamp(),
  state = coalesce($2, c.state),
  last_confirmed_at = case when $3 then clock_timestamp() else c.last_confirmed_at end,
  not_found_since = case when $6 then coalesce(c.not_found_since, now()) end,
  last_error = nullif($4, ''), last_error_hint = nullif($5, ''),
  last_error_class = nullif($7, ''),
  last_error_at = case when $4 = '' then null else coalesce(c.last_error_at, clock_timestamp()) end
where c.credential_id = $1)"};

constexpr statement release_untouched_sql{"release_untouched", R"(
update flanks_internal.leases l set lease_id = null, holder = null, expires_at = null,
  next_due_at = case when c.paused then 'infinity' else coalesce(l.due_before_claim, now()) end, due_before_claim = null
from flanks.credentials c
where l.credential_id = $1 and l.lease_id = $2 and c.credential_id = l.credential_id)"};

constexpr statement postpone_sql{"postpone", R"(
update flanks_internal.leases l set lease_id = null, holder = null, expires_at = null, due_before_claim = null,
  next_due_at = case when c.paused then 'infinity' else now() + make_interval(secs => $3) end
from flanks.credentials c
where l.credential_id = $1 and l.lease_id = $2 and c.credential_id = l.credential_id)"};

constexpr statement next_due_sql{"next_due", R"(
select greatest(0, ceil(extract(epoch from next_due_at - clock_timestamp())))::bigint
from flanks_internal.leases where next_due_at < 'infinity' order by next_due_at limit 1)"};

constexpr statement hold_lease{"hold_lease", R"(
select from flanks_internal.leases where credential_id = $1 and lease_id = $2 and expires_at > clock_timestamp() for share)"};

constexpr statement write_status{"record_status", R"(
update flanks.credentials set bank = coalesce(nullif($2, ''), bank), provider_pending = $3, provider_blocked = $4,
  reset_required = $5, sca_required = $6, transaction_token_required = $7, product_status = $8,
  provider_updated_at = $9, provider_created_at = $10, last_transaction_date = $11
where credential_id = $1
  and (coalesce(nullif($2, ''), bank), provider_pending, provider_blocked, reset_required, sca_required,
    transaction_token_required, product_status, provider_updated_at, provider_created_at, last_transaction_date)
  is distinct from (coalesce(nullif($2, ''), bank), $3::boolean, $4::boolean, $5::boolean, $6::boolean, $7::boolean,
    $8::jsonb, $9::timestamptz, $10::timestamptz, $11::date))"};

std::string holder_of(const db_options& options) {
  if (!options.holder.empty()) return options.holder;
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return fmt::format("{}:{}", host.data(), getpid());
}

std::optional<instant> instant_of(const pqxx::field& f) {
  if (f.is_null()) return std::nullopt;
  return instant{std::chrono::seconds{f.as<std::int64_t>()}};
}

void add_coverage(session& db, const db_options& options,
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
  const pqxx::result found = db.run(coverage_sql, sql_values(all, options.query));
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
  }
}

std::vector<claimed_credential> claimed_from(session& db, const db_options& options,
                                             const pqxx::result& rows) {
  std::vector<claimed_credential> claimed;
  for (const auto& r : rows) {
    claimed_credential c;
    c.id = credential_id{r[0].as<std::int64_t>()};
    c.lease = lease_id{r[1].c_str()};
    c.credentials_token = secret(r[2].c_str());
    c.bank = r[3].is_null() ? "" : r[3].c_str();
    c.state = credential_state_from(r[4].c_str()).value_or(credential_state::fresh);
    c.failures_in_a_row = r[5].as<int>();
    c.not_found_since = instant_of(r[6]);
    claimed.push_back(std::move(c));
  }
  if (!claimed.empty()) add_coverage(db, options, claimed);
  return claimed;
}

std::string product_status_json(const credential_status& status) {
  std::string out = "{";
  for (const product p : all_products) {
    const product_status& s = status.of(p);
    if (!s.created && !s.errored) continue;
    fmt::format_to(std::back_inserter(out), "{}\"{}\":{{", out.size() > 1 ? "," : "", to_string(p));
    if (s.created) fmt::format_to(std::back_inserter(out), "\"created\":{}", *s.created);
    if (s.created && s.errored) out += ',';
    if (s.errored) fmt::format_to(std::back_inserter(out), "\"errored\":{}", *s.errored);
    out += '}';
  }
  return out + "}";
}

}  // namespace

std::vector<claimed_credential> claim_due(session& db, const db_options& options, int limit) {
  db.begin();
  auto claimed = claimed_from(
      db, options,
      db.run(claim_due_sql, sql_values(limit, holder_of(options),
                                       static_cast<std::int64_t>(options.lease_time.count()))));
  db.commit();
  return claimed;
}

std::optional<claimed_credential> claim(session& db, const db_options& options, credential_id id) {
  db.begin();
  auto claimed = claimed_from(
      db, options,
      db.run(claim_one_sql, sql_values(id, holder_of(options),
                                       static_cast<std::int64_t>(options.lease_time.count()))));
  db.commit();
  if (claimed.empty()) return std::nullopt;
  return std::move(claimed.front());
}

bool renew(session& db, const db_options& options, credential_id id, const lease_id& lease) {
  const auto seconds = static_cast<std::int64_t>(options.lease_time.count());
  return db.run(renew_sql, sql_values(id, lease.value, seconds)).affected_rows() == 1;
}

void release(session& db, credential_id id, const lease_id& lease, const next_attempt& next) {
  const auto seconds = static_cast<std::int64_t>(next.delay.count());
  if (next.postponed) {
    db.run(postpone_sql, sql_values(id, lease.value, seconds));
    return;
  }
  db.begin();
  const auto released = db.run(release_sql, sql_values(id, lease.value, seconds, next.failed));
  if (released.affected_rows() == 1) {
    std::optional<std::string_view> state;
    if (next.state != credential_state::paused) state = to_string(next.state);
    const bool confirmed = next.error.empty() && next.state == credential_state::ok;
    db.run(write_state, sql_values(id, state, confirmed, next.error, next.hint, next.not_found,
                                   next.error_class));
  }
  db.commit();
}

void release_untouched(session& db, credential_id id, const lease_id& lease) {
  db.run(release_untouched_sql, sql_values(id, lease.value));
}

std::optional<std::chrono::seconds> next_due(session& db) {
  const pqxx::result r = db.run(next_due_sql);
  if (r.empty()) return std::nullopt;
  return std::chrono::seconds{r[0][0].as<std::int64_t>()};
}

void record_status(session& db, credential_id id, const lease_id& lease,
                   const credential_status& s) {
  db.begin();
  if (db.run(hold_lease, sql_values(id, lease.value)).empty()) {
    db.rollback();
    throw failure(
        stage::lease, verdict::later, "lease_lost",
        fmt::format("credential {}: the lease was lost, its status was not stored", id.value));
  }
  db.run(write_status,
         sql_values(id, s.bank, s.pending, s.blocked, s.reset_required, s.sca_required,
                    s.transaction_token_required, product_status_json(s), s.last_update,
                    s.created_at, s.last_transaction_date));
  db.commit();
}

}  // namespace flanks::leases
