#include "db/windows/row_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "db/pg/savepoints.hpp"
#include "db/pg/text_format.hpp"
#include "db/transaction_sql.hpp"
#include "db/windows/window_in_batch.hpp"

namespace flanks {

namespace {

const std::string& copy_text() {
  static const std::string text = copy_rows_into("flanks.transactions");
  return text;
}

// Whatever is overwritten becomes a revision, or transactions_as_of() would not know it. 1.0
// and 1.00 are the same amount, so that such a row counts as unchanged; a content hash under
// another key is written and is no new version. What does not differ, its content hash included, is
// not written. No lock is taken first: a version that somebody has replaced since is not found
// under its ctid and xmin, and is missing in what comes back. (xmin: after waiting for the other
// one, not every release of PostgreSQL looks at the ctid again.) No join of what was written with
// what was asked: under force_index_plans() it would compare each with each.
constexpr const char* update_template = R"(
with old as materialized (
  select i.*, t.ctid as place, t.xmin as version, t.updated_at <> now() as first, t.updated_at as was_written, to_jsonb(w) as was,
    t.credential_id as was_of, t.product as was_product, t.removed_at is not null as was_removed,
    (t.credential_id, t.product, t.removed_at, {table})
    is distinct from (i.credential_id, i.product, null::timestamptz, {input}) as differs,
    t.content_hash <> i.content_hash as other_hash, t.aged_out_at is not null as was_aged_out,
    t.content_hash <> i.content_hash and ({table_notation}) is distinct from ({input_notation}) as other_notation,
    case when coalesce(t.account_id, t.card_id, t.investment_id, t.liability_id)
        <> coalesce(i.account_id, i.card_id, i.investment_id, i.liability_id)
      then coalesce(t.account_id, t.card_id, t.investment_id, t.liability_id) else '' end as other_account,
    case when t.operation_date <> i.operation_date and t.amount <> i.amount and t.description is distinct from i.description
      then concat_ws(' ', t.operation_date, t.amount, t.currency, t.description) else '' end as other_operation
  from unnest($1::bigint[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], {parameters}) with ordinality
    as i(credential_id, product, sync_run_id, content_hash, _id, {names}, nr)
  join flanks.transactions t on t._id = i._id
  cross join lateral (select {all}) w),
judged as (select o.*, o.differs or o.was_aged_out or o.other_notation as replaced from old o),
kept as (
  insert into flanks.transaction_revisions (_id, credential_id, sync_run_id, valid_from, reason, content)
  select o._id, o.was_of, o.sync_run_id, )" FLANKS_VALID_FROM("o._id", "o.was_written") R"(,
    case when o.was_removed or o.was_aged_out then 'restored' when o.was_of <> o.credential_id then 'handed_over'
      when o.differs then 'changed' else 'rewritten' end, o.was
  from judged o where o.replaced),
written as (
  update flanks.transactions t set credential_id = o.credential_id, product = o.product, removed_at = null,
    removal_reason = null, successor_id = null, aged_out_at = null,
    updated_at = case when o.replaced then now() else t.updated_at end, content_hash = o.content_hash, {set}
  from judged o
  where t.ctid = o.place and t.xmin = o.version and (o.replaced or o.other_hash)
  returning o.nr::integer, o.differs, o.first and o.replaced, o.was_of = o.credential_id and o.was_product = o.product,
    o.other_account, o.other_operation)
select * from written
union all
select o.nr::integer, false, false, o.was_of = o.credential_id and o.was_product = o.product, '', ''
from judged o where not (o.replaced or o.other_hash))";

std::string content_parameters() {
  std::string text;
  for (std::size_t i = 1; i < column_count; ++i) {
    text += fmt::format("{}${}::{}[]", i == 1 ? "" : ", ", i + 5,
                        sql_type(transaction_columns[i].type));
  }
  return text;
}

const std::string& update_text() {
  static const std::string text = fmt::format(
      fmt::runtime(update_template), fmt::arg("table", content_columns("t")),
      fmt::arg("input", content_columns("i")), fmt::arg("parameters", content_parameters()),
      fmt::arg("table_notation", notation_columns("t")),
      fmt::arg("input_notation", notation_columns("i")),
      fmt::arg("names", for_each_content_column("{}")), fmt::arg("all", all_columns("t")),
      fmt::arg("set", for_each_content_column("{0} = o.{0}")));
  return text;
}

std::int64_t copy(pg_connection& db, std::span<const row_to_write> rows) {
  return db.copy_in({"copy_transactions", copy_text().c_str()}, [&](std::string& text) {
    const row_to_write& r = rows.front();
    append_copy_row(text, r.window->scope().credential, r.window->scope().what, *r.update.row);
    rows = rows.subspan(1);
    return !rows.empty();
  });
}

sql_values values_of(std::span<const row_to_write> rows) {
  array_literal credentials, products, runs, hashes;
  std::array<array_literal, column_count> columns;
  std::string uuid;
  for (const row_to_write& r : rows) {
    const transaction& t = *r.update.row;
    const window_request& request = r.window->request;
    credentials.add(request.scope.credential.value);
    products.add(to_string(request.scope.what));
    runs.add(std::string_view(request.sync_run_id));
    uuid.clear();
    append_uuid(uuid, t.hash);
    hashes.add(std::string_view(uuid));
    for (std::size_t i = 0; i < column_count; ++i)
      columns[i].add(t.values[i]);
  }
  sql_values values(credentials.take(), products.take(), runs.take(), hashes.take());
  for (array_literal& column : columns)
    values.add(column.take());
  return values;
}

void update(pg_connection& db, std::span<const row_to_write> rows, updated_rows& done) {
  std::vector<updated_row> stored;
  db.fetch(
      {"update_transactions", update_text().c_str()}, values_of(rows),
      [&](const pg_connection::binary_row& r) {
        stored.push_back({rows[static_cast<std::size_t>(r.integer(0)) - 1], r.flag(1), r.flag(2),
                          r.flag(3), std::string(r.field(4)), std::string(r.field(5))});
      });
  done.missing += static_cast<std::int64_t>(rows.size() - stored.size());
  std::move(stored.begin(), stored.end(), std::back_inserter(done.stored));
}

bool by_day_and_id(const row_to_write& a, const row_to_write& b) {
  const transaction &x = *a.update.row, &y = *b.update.row;
  const int days = x[column::operation_date].compare(y[column::operation_date]);
  return days != 0 ? days < 0 : x.id() < y.id();
}

bool by_id(const row_to_write& a, const row_to_write& b) {
  return a.update.row->id() < b.update.row->id();
}

}  // namespace

inserted_rows insert_rows(pg_connection& db, std::vector<row_to_write> rows, bool bisect) {
  inserted_rows done;
  if (rows.empty()) return done;
  std::sort(rows.begin(), rows.end(), by_day_and_id);
  const auto write = [&](std::span<row_to_write> part) {
    done.missing += static_cast<std::int64_t>(part.size()) - copy(db, part);
    done.stored.insert(done.stored.end(), part.begin(), part.end());
  };
  if (bisect) {
    const auto answered = [&](std::span<row_to_write> part, const sql_problem& problem) {
      const bool stored = problem.sqlstate == "23505" && problem.constraint == "transactions_pkey";
      if (stored) done.unresolved.insert(done.unresolved.end(), part.begin(), part.end());
      return stored;
    };
    write_in_halves(db, std::span(rows), write, answered,
                    [&](const row_to_write& row, const sql_problem& problem) {
                      done.refused.push_back({row, problem});
                    });
  } else {
    write(rows);
  }
  return done;
}

updated_rows update_rows(pg_connection& db, std::vector<row_to_write> rows, bool bisect) {
  updated_rows done;
  if (rows.empty()) return done;
  std::sort(rows.begin(), rows.end(), by_id);
  if (bisect) {
    write_in_halves(
        db, std::span(rows), [&](std::span<row_to_write> part) { update(db, part, done); },
        [](auto&&...) { return false; },
        [&](const row_to_write& row, const sql_problem& problem) {
          done.refused.push_back({row, problem});
        });
  } else {
    update(db, rows, done);
  }
  return done;
}

}  // namespace flanks
