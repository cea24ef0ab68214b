#include "db/ready_windows.hpp"

#include "db/array_columns.hpp"
#include "db/window_lock.hpp"

namespace flanks {

namespace {

constexpr statement find{"find_ready_windows", R"(
select a.nr, )" FLANKS_READ_BACK_STATE R"(
from flanks_internal.transactions_watch w
cross join unnest($1::bigint[], $2::text[], $3::date[], $4::date[]) with ordinality
  as a(credential_id, product, first_month, last_month, nr)
join flanks_internal.read_backs b on b.credential_id = a.credential_id and b.product = a.product and b.watch = w.watch
  and b.first_month <= a.first_month and b.last_month >= a.last_month
where not exists (select from flanks.transaction_sightings s where s.credential_id = a.credential_id)
  and not exists (select from flanks.removal_reviews v where v.credential_id = a.credential_id and v.product = a.product
    and v.state in ('open', 'rejected'))
  and not exists (select from flanks.quarantine q where q.credential_id = a.credential_id and q.product = a.product
    and q.part = 'transactions' and q.resolved_at is null))"};

// In the order of all who lock leases.
constexpr statement hold{"hold_ready_windows", R"(
select a.nr, )" FLANKS_SHARE_WINDOW_LOCK("a.credential_id") R"(
from flanks_internal.transactions_watch w
cross join unnest($1::bigint[], $2::text[], $3::uuid[], $4::uuid[], $5::bigint[])
  as a(credential_id, product, generation, lease_id, nr)
join flanks_internal.read_backs b on b.credential_id = a.credential_id and b.product = a.product and b.watch = w.watch
  and b.generation = a.generation
join flanks_internal.leases l on l.credential_id = a.credential_id and l.lease_id = a.lease_id
  and l.expires_at > clock_timestamp()
order by a.credential_id for update of l skip locked)"};

}  // namespace

std::vector<ready_window> find_ready(session& db, std::span<window_request* const> requests) {
  array_columns asked;
  for (const window_request* r : requests) {
    asked.add(sql_values(r->scope.credential, to_string(r->scope.what),
                         read_back::month_of(r->scope.days.from),
                         read_back::month_of(r->scope.days.to)));
  }
  std::vector<ready_window> found;
  for (const auto& r : db.run(find, asked.take()))
    found.push_back({requests[r[0].as<std::size_t>() - 1], read_back_state_of(r, 1)});
  return found;
}

std::unordered_set<const window_request*> hold_ready(session& db,
                                                     std::span<const ready_window* const> windows) {
  std::unordered_set<const window_request*> held;
  if (windows.empty()) return held;
  array_columns asked;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const window_request& r = *windows[i]->request;
    asked.add(sql_values(r.scope.credential, to_string(r.scope.what), windows[i]->state.generation,
                         r.scope.lease.value, static_cast<std::int64_t>(i)));
  }
  for (const auto& r : db.run(hold, asked.take()))
    held.insert(windows[r[0].as<std::size_t>()]->request);
  return held;
}

}  // namespace flanks
