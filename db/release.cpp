#include "db/release.hpp"

#include <fmt/format.h>

#include <unordered_map>

#include "db/lease_sql.hpp"
#include "db/pg/array_columns.hpp"
#include "db/pg/text_format.hpp"

namespace flanks::leases {

namespace {

// A status that says nothing new is not worth a lock: nothing is written under it.
constexpr statement write_statuses{"record_status", R"(
with asked as (
  select a.*, (coalesce(a.bank, c.bank), a.pending, a.blocked, a.reset_required, a.sca_required, a.token_required,
      a.product_status, a.updated_at, a.created_at, a.last_date)
    is distinct from (c.bank, c.provider_pending, c.provider_blocked, c.reset_required, c.sca_required,
      c.transaction_token_required, c.product_status, c.provider_updated_at, c.provider_created_at, c.last_transaction_date)
    as differs,
    (a.pending, a.product_status) is distinct from (c.provider_pending, c.product_status) as availability_changed
  from unnest($1::bigint[], $2::uuid[], $3::text[], $4::boolean[], $5::boolean[], $6::boolean[], $7::boolean[],
      $8::boolean[], $9::jsonb[], $10::timestamptz[], $11::timestamptz[], $12::date[])
    as a(credential_id, lease_id, bank, pending, blocked, reset_required, sca_required, token_required, product_status,
      updated_at, created_at, last_date)
  join flanks.credentials c using (credential_id)),
unchanged as (
  select a.credential_id from asked a join flanks_internal.leases l using (credential_id)
  where not a.differs and )" FLANKS_HOLDS_LEASE("l", "a.lease_id") R"(),
held as (
  select l.credential_id, a.availability_changed from flanks_internal.leases l join asked a using (credential_id)
  where a.differs and )" FLANKS_HOLDS_LEASE("l", "a.lease_id") R"(
  order by l.credential_id for share of l skip locked),
written as (
  update flanks.credentials c set bank = coalesce(a.bank, c.bank), provider_pending = a.pending,
    provider_blocked = a.blocked, reset_required = a.reset_required, sca_required = a.sca_required,
    transaction_token_required = a.token_required, product_status = a.product_status,
    provider_refresh_seen_at = case when a.updated_at is distinct from c.provider_updated_at then now()
      else c.provider_refresh_seen_at end,
    provider_updated_at = a.updated_at, provider_created_at = a.created_at, last_transaction_date = a.last_date
  from asked a join held h using (credential_id) where c.credential_id = a.credential_id)
select credential_id, false from unchanged union all select credential_id, availability_changed from held)"};

// next_due_at says whether it is paused (infinity), and not flanks.credentials: a pause that is
// being committed has locked the lease, so what is read under the lock is true. `paused` is the
// operator's own column: a state that says so is not stored. flanks.credentials is written only
// where it says something else.
constexpr statement release_leases{"release", R"(
with asked as (
  select * from unnest($1::bigint[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::boolean[], $7::boolean[],
      $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
    as a(credential_id, lease_id, how, seconds, state, confirmed, not_found, error, hint, error_class, polls, refreshes)),
held as (
  select l.credential_id from flanks_internal.leases l join asked a using (credential_id)
  where l.lease_id = a.lease_id order by l.credential_id for update of l skip locked),
freed as (
  update flanks_internal.leases l set lease_id = null, holder = null, expires_at = null,
    next_due_at = case when a.how = 'untouched' or l.next_due_at = 'infinity' then l.next_due_at
      else now() + make_interval(secs => a.seconds) end
  from asked a join held h using (credential_id) where l.credential_id = a.credential_id
  returning l.credential_id, l.next_due_at, a.how, a.confirmed, a.polls, a.refreshes),
planned as (
  update flanks_internal.schedule s set next_due_at = f.next_due_at,
    confirmed_at = case when f.confirmed then clock_timestamp() else s.confirmed_at end,
    asked_at = case when f.confirmed or f.how = 'postponed' then s.asked_at else clock_timestamp() end,
    failures_in_a_row = case f.how when 'failed' then s.failures_in_a_row + 1 when 'good' then 0
      else s.failures_in_a_row end,
    polls = coalesce(f.polls::bytea, s.polls),
    refreshes = coalesce(f.refreshes::timestamptz[], s.refreshes)
  from freed f where s.credential_id = f.credential_id and f.how <> 'untouched'),
noted as (
  update flanks.credentials c set state = n.state, not_found_since = n.not_found_since, last_error = n.error,
    last_error_hint = n.hint, last_error_class = n.error_class,
    last_error_at = case when n.error is not null then coalesce(c.last_error_at, clock_timestamp()) end
  from asked a join held h using (credential_id)
  join flanks.credentials b using (credential_id)
  cross join lateral (select coalesce(a.state, b.state) as state,
    case when a.not_found then coalesce(b.not_found_since, now()) end as not_found_since, nullif(a.error, '') as error,
    nullif(a.hint, '') as hint, nullif(a.error_class, '') as error_class) n
  where c.credential_id = a.credential_id and a.how in ('good', 'failed')
    and (b.state, b.not_found_since, b.last_error, b.last_error_hint, b.last_error_class)
      is distinct from (n.state, n.not_found_since, n.error, n.hint, n.error_class))
select credential_id from held)"};

// The same without flanks.credentials.
constexpr statement release_leases_only{"release_lease_only", R"(
with asked as (
  select * from unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::text[]) as a(credential_id, lease_id, seconds, polls)),
held as (
  select l.credential_id from flanks_internal.leases l join asked a using (credential_id)
  where l.lease_id = a.lease_id order by l.credential_id for update of l skip locked),
freed as (
  update flanks_internal.leases l set lease_id = null, holder = null, expires_at = null,
    next_due_at = case when l.next_due_at = 'infinity' then l.next_due_at else now() + make_interval(secs => a.seconds) end
  from asked a join held h using (credential_id) where l.credential_id = a.credential_id
  returning l.credential_id, l.next_due_at, a.polls)
update flanks_internal.schedule s set next_due_at = f.next_due_at, asked_at = clock_timestamp(),
  failures_in_a_row = s.failures_in_a_row + 1, polls = coalesce(f.polls::bytea, s.polls)
from freed f where s.credential_id = f.credential_id
returning s.credential_id)"};

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

// Marks the requests whose credentials a statement has returned, and gives each with its row to
// `more`.
template <class Request, class More>
void mark(std::span<Request* const> requests, const pg_rows& done, More more) {
  std::unordered_map<std::int64_t, Request*> by_id;
  for (Request* r : requests)
    by_id.emplace(r->id.value, r);
  for (const auto& row : done) {
    Request& r = *by_id.at(row[0].template as<std::int64_t>());
    r.done = true;
    more(r, row);
  }
}

std::optional<std::string> array_of(const std::optional<std::vector<instant>>& instants) {
  if (!instants) return std::nullopt;
  array_literal list;
  for (const instant t : *instants)
    list.add(std::string_view(to_string(t)));
  return list.take();
}

// bytea: four bytes each, seconds since 1970. The row is rewritten by every poll, and an array of
// timestamps would be three times as long.
std::optional<std::string> polls_text(const std::optional<std::vector<instant>>& polls) {
  if (!polls) return std::nullopt;
  std::string text = "\\x";
  for (const instant t : *polls)
    fmt::format_to(std::back_inserter(text), "{:08x}",
                   static_cast<std::uint32_t>(t.time_since_epoch().count()));
  return text;
}

void add(array_columns& rows, const release_request& r) {
  if (!r.next || r.next->postponed) {
    const std::int64_t seconds = r.next ? r.next->delay.count() : 0;
    rows.add(sql_values(r.id, r.lease.value, r.next ? "postponed" : "untouched", seconds, nullptr,
                        false, false, "", "", "", nullptr, nullptr));
    return;
  }
  const next_attempt& next = *r.next;
  std::optional<std::string_view> state;
  if (next.state != credential_state::paused) state = to_string(next.state);
  const bool confirmed = next.error.empty() && next.state == credential_state::ok;
  rows.add(sql_values(r.id, r.lease.value, next.failed ? "failed" : "good",
                      static_cast<std::int64_t>(next.delay.count()), state, confirmed,
                      next.not_found, storable_words(next.error), storable_words(next.hint),
                      storable_words(next.error_class), polls_text(next.polls),
                      array_of(next.refreshes)));
}

}  // namespace

void apply(pg_connection& db, std::span<status_request* const> requests) {
  if (requests.empty()) return;
  array_columns rows;
  for (const status_request* r : requests) {
    const credential_status& s = r->status;
    std::optional<std::string> bank;
    if (!s.bank.empty()) bank = s.bank;
    rows.add(sql_values(r->id, r->lease.value, bank, s.pending, s.blocked, s.reset_required,
                        s.sca_required, s.transaction_token_required, product_status_json(s),
                        s.last_update, s.created_at, s.last_transaction_date));
  }
  mark(requests, db.run(write_statuses, rows.take()), [](status_request& r, const auto& row) {
    r.availability_changed = row[1].template as<bool>();
  });
}

void apply(pg_connection& db, std::span<release_request* const> requests) {
  if (requests.empty()) return;
  array_columns rows, lease_only;
  for (const release_request* r : requests) {
    if (r->next && r->next->lease_only) {
      lease_only.add(sql_values(r->id, r->lease.value,
                                static_cast<std::int64_t>(r->next->delay.count()),
                                polls_text(r->next->polls)));
    } else {
      add(rows, *r);
    }
  }
  const auto no_more = [](auto&&...) {};
  if (!rows.empty()) mark(requests, db.run(release_leases, rows.take()), no_more);
  if (!lease_only.empty()) mark(requests, db.run(release_leases_only, lease_only.take()), no_more);
}

}  // namespace flanks::leases
