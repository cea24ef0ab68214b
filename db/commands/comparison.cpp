#include "db/commands/comparison.hpp"

#include <fmt/format.h>

#include "db/leases.hpp"
#include "db/pg/savepoints.hpp"
#include "db/pg/text_format.hpp"
#include "db/transaction_sql.hpp"

namespace flanks {

namespace {

// The types, and so the meaning of "equal", are those of the table itself. `n` tells which of two
// equal _ids came later.
constexpr statement make_tables{"proof_tables", R"(
create temporary table shown (n bigint generated always as identity, like flanks.transactions including defaults) on commit drop;
create temporary table refused (_id text collate "C" primary key) on commit drop)"};

const std::string& copy_shown_text() {
  static const std::string text = copy_rows_into("pg_temp.shown");
  return text;
}

constexpr statement note_refused{"proof_refused", R"(
insert into pg_temp.refused (_id) values ($1) on conflict do nothing)"};

constexpr statement keep_latest{"proof_keep_latest", R"(
delete from pg_temp.shown s using (select _id, max(n) as last from pg_temp.shown group by _id having count(*) > 1) twice
where s._id = twice._id and s.n < twice.last)"};

// The planner knows nothing of a table that was filled a moment ago, and may know nothing of a
// mirror that was: with the index no plan that it can choose is a slow one.
constexpr statement index_shown{"proof_index", R"(
create unique index shown_by_id on pg_temp.shown (_id);
analyze pg_temp.shown)"};

// What is known to differ and says so in quarantine: another credential's (or product's) row with
// other content, and a row that the database could not hold.
constexpr statement drop_quarantined{"proof_drop_quarantined", R"(
with known as materialized (
  select distinct s._id from flanks.quarantine q
  join pg_temp.shown s on s._id = q._id
  left join flanks.transactions t on t._id = q._id
  where q.credential_id = $1 and q.product = $2 and not q.stored_anyway and q.resolved_at is null
    and (t._id is null and q.reason = 'refused_by_database'
      or t.credential_id <> s.credential_id and q.reason = 'joint_conflict'
      or t.product <> s.product and q.reason = 'product_conflict')),
noted as (insert into pg_temp.refused (_id) select _id from known on conflict do nothing)
delete from pg_temp.shown s using known where s._id = known._id)"};

// One line a value that differs. The row comparison comes first: nearly all rows end there. A
// sighting makes another credential's row ours as well. An operation that two lists of a credential
// show alike is one row, under the first: a row under a list that does not show it is found as
// extra there.
// One that is void (migrations: void_content_hash) says nothing of the row, which has its values.
constexpr const char* known_hash =
    "coalesce(nullif(t.content_hash, '00000000-0000-0000-0000-000000000000'), s.content_hash)";

constexpr const char* differences_template = R"(
create temporary table found on commit drop as
with differing as materialized (
  select s._id from pg_temp.shown s left join flanks.transactions t on t._id = s._id
  where t._id is null or (s.credential_id, s.product, {shown}, null::timestamptz, s.content_hash)
    is distinct from (t.credential_id, t.product, {table}, t.removed_at, {hash}))
select s._id, case when t._id is null then 'missing' else 'altered' end as kind, v.position, v.name, v.provider, v.database
from differing
join pg_temp.shown s on s._id = differing._id
left join flanks.transactions t on t._id = s._id
left join lateral (select d.* from (values
    (-2, 'credential_id', s.credential_id::text, t.credential_id::text, t.credential_id <> s.credential_id
      and not exists (select from flanks.transaction_sightings w where w._id = s._id and w.credential_id = s.credential_id)),
    (-1, 'product', s.product, t.product, s.product <> t.product and s.content_hash <> {hash}),
{values}
    (1000, 'removed_at', null, t.removed_at::text, t.removed_at is not null),
    (1001, 'content_hash', s.content_hash::text, t.content_hash::text, s.content_hash <> {hash}))
    as d(position, name, provider, database, differs) where d.differs) v on t._id is not null
where t._id is null or v.position is not null)";

const std::string& differences_text() {
  static const std::string text = [] {
    std::string values;
    for (std::size_t i = 1; i < column_count; ++i) {
      values +=
          fmt::format("    ({0}, '{1}', s.{1}::text, t.{1}::text, s.{1} is distinct from t.{1}),\n",
                      i, transaction_columns[i].name);
    }
    return fmt::format(fmt::runtime(differences_template), fmt::arg("shown", content_columns("s")),
                       fmt::arg("table", content_columns("t")), fmt::arg("values", values),
                       fmt::arg("hash", known_hash));
  }();
  return text;
}

// What the database claims to be current in this window and the provider did not show.
constexpr statement find_extra{"proof_extra", R"(
insert into pg_temp.found (_id, kind)
select t._id, 'extra' from flanks.transactions t
where t.credential_id = $1 and t.product = $2 and t.operation_date between $3 and $4 and t.removed_at is null and t.aged_out_at is null
  and not exists (select from pg_temp.shown s where s._id = t._id)
  and not exists (select from pg_temp.refused r where r._id = t._id))"};

constexpr statement count_all{"proof_count", R"(
select (select count(*) from pg_temp.shown) + count(*) filter (where kind = 'extra'),
  (select count(*) from pg_temp.refused),
  count(*) filter (where kind = 'missing'), count(*) filter (where kind = 'extra'),
  count(distinct _id) filter (where kind = 'altered')
from pg_temp.found)"};

constexpr statement list_first{"proof_list", R"(
select f._id, f.kind, f.name, left(f.provider, 2000), left(f.database, 2000)
from pg_temp.found f
where f._id in (select distinct _id from pg_temp.found order by _id limit $1)
order by f._id, f.kind, f.position)"};

std::optional<std::string> text_of(const pg_value& f) {
  if (f.is_null()) return std::nullopt;
  return std::string(f.view());
}

difference_kind kind_of(std::string_view name) {
  if (name == "missing") return difference_kind::missing;
  return name == "extra" ? difference_kind::extra : difference_kind::altered;
}

}  // namespace

window_comparison::window_comparison(pg_connection& db, window_scope scope)
    : db_(db), scope_(std::move(scope)) {
  db_.begin();
  db_.run(make_tables);
}

void window_comparison::take(std::vector<transaction_batch>& batches) {
  std::vector<const transaction*> shown;
  for (transaction_batch& batch : batches) {
    batch.hash_content(db_.key());
    for (const transaction& t : batch.transactions)
      shown.push_back(&t);
    for (const rejected_record& r : batch.rejected) {
      if (!r.stored_anyway && !r.id.empty()) refuse(storable_text(r.id, 256));
    }
  }
  if (!shown.empty()) copy_shown(shown);
}

void window_comparison::copy_shown(rows shown) {
  write_in_halves(
      db_, shown,
      [&](rows part) {
        db_.copy_in({"proof_copy", copy_shown_text().c_str()}, [&](std::string& text) {
          append_copy_row(text, scope_.credential, scope_.what, *part.front());
          part = part.subspan(1);
          return !part.empty();
        });
      },
      [](auto&&...) { return false; },
      [&](const transaction* t, const sql_problem&) { refuse(t->id()); });
}

void window_comparison::refuse(std::string_view id) {
  db_.run(note_refused, sql_values(id));
}

void window_comparison::check_lease() {
  const leases::claimed_lease ours{scope_.credential, scope_.lease};
  if (leases::hold(db_, std::span(&ours, 1), leases::lease_lock::none).front()) return;
  throw leases::lease_lost(scope_.credential, " while it was compared");
}

comparison window_comparison::count() {
  const pg_rows r = db_.run(count_all);
  comparison found;
  found.compared = r[0][0].as<std::int64_t>();
  found.quarantined = r[0][1].as<std::int64_t>();
  found.missing = r[0][2].as<std::int64_t>();
  found.extra = r[0][3].as<std::int64_t>();
  found.altered = r[0][4].as<std::int64_t>();
  return found;
}

comparison window_comparison::compare(int limit) {
  const std::string_view what = to_string(scope_.what);
  db_.run(keep_latest);
  db_.run(index_shown);
  db_.run(drop_quarantined, sql_values(scope_.credential, what));
  db_.run({"proof_differences", differences_text().c_str()});
  // With a filter, what is not shown may merely not have passed.
  if (!scope_.filtered())
    db_.run(find_extra,
            sql_values(scope_.credential, what, scope_.days.from, scope_.days.last_day()));
  comparison found = count();
  for (const auto& r : db_.run(list_first, sql_values(limit))) {
    const difference_kind kind = kind_of(r[1].c_str());
    const std::string id(r[0].view());
    if (found.listed.empty() || found.listed.back().id != id)
      found.listed.push_back({kind, id, {}});
    if (kind == difference_kind::altered)
      found.listed.back().values.push_back({r[2].c_str(), text_of(r[3]), text_of(r[4])});
  }
  check_lease();
  return found;
}

}  // namespace flanks
