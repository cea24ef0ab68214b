#include "db/departures.hpp"

#include <algorithm>
#include <span>

#include "db/pg/connection.hpp"
#include "db/pg/text_format.hpp"
#include "db/transaction_sql.hpp"

namespace flanks::departures {

namespace {

constexpr std::size_t chunk = 10'000;  // ids in one statement

// In a statement of its own, in the order of _id: another credential that is just noting a sighting
// holds its row until it commits, and what comes after this sees that sighting.
constexpr statement lock_rows{"lock_absent", R"(
select from flanks.transactions where _id = any($1::text[]) order by _id for update)"};

constexpr statement drop_sightings{"drop_sightings", R"(
delete from flanks.transaction_sightings where credential_id = $1 and product = $2 and _id = any($3::text[]))"};

// A row that another credential still shows is handed to it; else it is removed. A credential that
// an operator removed shows nothing any more. By key only: under force_index_plans() a join of what
// the statement itself has made would compare each with each.
constexpr statement remove_rows{"remove_absent", R"(
with gone as materialized (
  select t._id, t.credential_id, t.product, t.updated_at, to_jsonb(t) as content, h.credential_id as heir, h.product as heir_product,
    i.reason, nullif(i.successor_id, '') as successor_id
  from unnest($4::text[], $5::text[], $6::text[]) i(_id, reason, successor_id)
  join flanks.transactions t on t._id = i._id
  left join lateral (
    select s.credential_id, s.product from flanks.transaction_sightings s
    join flanks.credentials c on c.credential_id = s.credential_id
    where s._id = t._id and c.removed_at is null and s.credential_id <> $1
    order by s.first_seen_at, s.credential_id limit 1) h on true
  where t.credential_id = $1 and t.product = $2 and t.removed_at is null),
kept as (
  insert into flanks.transaction_revisions (_id, credential_id, sync_run_id, valid_from, reason, content)
  select g._id, g.credential_id, $3, )" FLANKS_VALID_FROM("g._id", "g.updated_at") R"(,
    case when g.heir is not null then 'handed_over' when g.reason in ('renumbered', 'succeeded') then g.reason
    else 'removed' end, g.content from gone g),
own as (
  delete from flanks.transaction_sightings s using gone g where s._id = g._id and s.credential_id = g.heir)
update flanks.transactions t set credential_id = coalesce(g.heir, g.credential_id),
  product = coalesce(g.heir_product, g.product), removed_at = case when g.heir is null then now() end,
  removal_reason = case when g.heir is null then g.reason end, successor_id = case when g.heir is null then g.successor_id end,
  updated_at = now()
from gone g
where t._id = g._id
returning g.heir is null, t.operation_date, t.credential_id, t.product)"};

constexpr statement age_out_sql{"age_out", R"(
with aged as materialized (
  select t._id, t.credential_id, t.updated_at, to_jsonb(t) as content
  from unnest($4::text[]) i(_id) join flanks.transactions t on t._id = i._id
  where t.credential_id = $1 and t.product = $2 and t.removed_at is null and t.aged_out_at is null),
kept as (
  insert into flanks.transaction_revisions (_id, credential_id, sync_run_id, valid_from, reason, content)
  select a._id, a.credential_id, $3, )" FLANKS_VALID_FROM("a._id", "a.updated_at") R"(,
    'aged_out', a.content from aged a)
update flanks.transactions t set aged_out_at = now(), updated_at = now()
from aged a
where t._id = a._id
returning t.operation_date)"};

constexpr statement restore_sql{"restore_succeeded", R"(
with back as materialized (
  select t._id, t.credential_id, t.updated_at, to_jsonb(t) as content from flanks.transactions t
  where t.credential_id = $1 and t.product = $2 and t.removed_at is not null and t.removal_reason = 'succeeded'
    and coalesce(t.account_id, t.card_id, t.investment_id, t.liability_id) in (
      select product_id from flanks_internal.identifiable_products where real_account_id = $4 and product = $2 and credential_id = $1)
  order by t._id for update of t),
kept as (
  insert into flanks.transaction_revisions (_id, credential_id, sync_run_id, valid_from, reason, content)
  select b._id, b.credential_id, $3, )" FLANKS_VALID_FROM("b._id", "b.updated_at") R"(,
    'restored', b.content from back b)
update flanks.transactions t set removed_at = null, removal_reason = null, successor_id = null, updated_at = now()
from back b where t._id = b._id)"};

}  // namespace

void remove(pg_connection& db, const list_of_rows& list, std::vector<departure> rows,
            effect& done) {
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (std::size_t at = 0; at < rows.size(); at += chunk) {
    array_literal id_list, reasons, successors;
    for (const departure& d : std::span(rows).subspan(at, std::min(chunk, rows.size() - at))) {
      id_list.add(std::string_view(d.id));
      reasons.add(d.reason);
      successors.add(std::string_view(d.successor));
    }
    const std::string ids = id_list.take();
    db.run(lock_rows, sql_values(ids));
    db.run(drop_sightings, sql_values(list.credential, to_string(list.what), ids));
    for (const auto& r :
         db.run(remove_rows, sql_values(list.credential, to_string(list.what), list.sync_run_id,
                                        ids, reasons.take(), successors.take()))) {
      done.days.insert(r[1].as<day>());
      if (r[0].as<bool>()) {
        ++done.removed;
      } else {
        done.heirs.emplace(credential_id{r[2].as<std::int64_t>()}, r[3].c_str());
      }
    }
  }
}

void age_out(pg_connection& db, const list_of_rows& list, const std::string& ids, effect& done) {
  db.run(lock_rows, sql_values(ids));
  for (const auto& r : db.run(
           age_out_sql, sql_values(list.credential, to_string(list.what), list.sync_run_id, ids)))
    done.days.insert(r[0].as<day>());
}

void restore_succeeded(pg_connection& db, const list_of_rows& list, std::int64_t real_account) {
  db.run(restore_sql,
         sql_values(list.credential, to_string(list.what), list.sync_run_id, real_account));
}

}  // namespace flanks::departures
