#include "db/windows/conflict_resolver.hpp"

#include <fmt/format.h>

#include "db/pg/array_columns.hpp"
#include "db/pg/text_format.hpp"
#include "db/windows/window_in_batch.hpp"

namespace flanks {

namespace {

constexpr statement look_up_rows{"look_up", R"(
select i.nr, t.credential_id, t.product, t.content_hash, t.removed_at is not null or t.aged_out_at is not null, coalesce(flanks_internal.shows_nothing(c, $3), true),
  t.updated_at = now(), s._id is not null, t.operation_date
from unnest($1::text[], $2::bigint[]) with ordinality as i(_id, credential_id, nr)
join flanks.transactions t on t._id = i._id
left join flanks.credentials c on c.credential_id = t.credential_id
left join flanks.transaction_sightings s on s._id = t._id and s.credential_id = i.credential_id)"};

constexpr statement insert_sightings{"insert_sightings", R"(
insert into flanks.transaction_sightings (_id, credential_id, product)
select i, $1, $2 from unnest($3::text[]) i order by i on conflict do nothing)"};

constexpr statement sighted_removed{"sighted_removed", R"(
select exists (select from flanks.transactions where _id = any($1::text[]) and removed_at is not null))"};

constexpr statement delete_sightings{"forget_sightings", R"(
delete from flanks.transaction_sightings where credential_id = $1 and _id = any($2::text[]))"};

}  // namespace

std::vector<found_row> look_up(pg_connection& db, std::span<const row_to_write> rows) {
  std::vector<found_row> found;
  if (rows.empty()) return found;
  array_columns asked;
  for (const row_to_write& r : rows)
    asked.add(sql_values(r.update.row->id(), r.window->scope().credential));
  sql_values values = asked.take();
  values.add(db.handover_after());
  for (const auto& r : db.run(look_up_rows, values)) {
    found.push_back(
        {rows[r[0].as<std::size_t>() - 1],
         {credential_id{r[1].as<std::int64_t>()}, r[2].c_str(), uuid_from_text(r[3].c_str()),
          r[4].as<bool>(), r[5].as<bool>(), r[6].as<bool>(), r[7].as<bool>(), r[8].as<day>()}});
  }
  return found;
}

void write_sightings(pg_connection& db, const window_scope& scope,
                     std::span<const transaction* const> rows) {
  if (rows.empty()) return;
  array_literal list;
  for (const transaction* t : rows)
    list.add(t->id());
  const std::string ids = list.take();
  db.run(insert_sightings, sql_values(scope.credential, to_string(scope.what), ids));
  // The sightings hold the rows now; the owner may have removed one just before.
  if (!db.run(sighted_removed, sql_values(ids))[0][0].as<bool>()) return;
  throw failure(stage::write, verdict::retry, "database_race",
                fmt::format("credential {}: another credential removed a row that this one shows",
                            scope.credential.value));
}

void forget_sightings(pg_connection& db, credential_id credential,
                      std::span<const updated_row> rows) {
  array_literal ids;
  for (const updated_row& r : rows)
    ids.add(r.row.update.row->id());
  db.run(delete_sightings, sql_values(credential, ids.take()));
}

}  // namespace flanks
