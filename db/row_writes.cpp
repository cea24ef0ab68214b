#include "db/row_writes.hpp"

#include <utility>

namespace flanks {

namespace {

constexpr statement copy_rows{"copy_transactions", R"(
copy flanks.transactions (credential_id, product, content_hash, _id, account_id, card_id, investment_id, liability_id,
  portfolio_id, operation_date, value_date, amount, currency, balance, description, product_description, category, shop,
  entity, card_number, transfer, extra) from stdin)"};

// Only what really differs becomes a revision: 1.0 and 1.00 are the same amount, spaces in a JSON
// object are no change. No lock is taken first: a version that somebody has replaced since is not
// found under its ctid and xmin, and is missing in what comes back. (xmin: after waiting for the
// other one, not every release of PostgreSQL looks at the ctid again.) `w` has all columns in the
// order in which jsonb keeps its keys, by length and then by bytes: it need not sort them then.
constexpr statement update_rows{"update_transactions", R"(
with old as materialized (
  select i.*, t.ctid as place, t.xmin as version, t.updated_at <> now() as first, to_jsonb(w) as was,
    t.credential_id as was_of, t.product as was_product, t.removed_at is not null as was_removed,
    (t.credential_id, t.product, t.removed_at, t.account_id, t.card_id, t.investment_id, t.liability_id, t.portfolio_id,
      t.operation_date, t.value_date, t.amount, t.currency, t.balance, t.description, t.product_description, t.category,
      t.shop, t.entity, t.card_number, t.transfer, t.extra)
    is distinct from (i.credential_id, i.product, null::timestamptz, i.account_id, i.card_id, i.investment_id, i.liability_id,
      i.portfolio_id, i.operation_date, i.value_date, i.amount, i.currency, i.balance, i.description,
      i.product_description, i.category, i.shop, i.entity, i.card_number, i.transfer, i.extra) as differs
  from unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::date[], $12::date[],
    $13::numeric[], $14::text[], $15::numeric[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[],
    $22::jsonb[], $23::jsonb[], $4::uuid[], $1::bigint[], $2::text[], $3::uuid[]) with ordinality
    as i(_id, account_id, card_id, investment_id, liability_id, portfolio_id, operation_date, value_date, amount, currency,
      balance, description, product_description, category, shop, entity, card_number, transfer, extra, content_hash,
      credential_id, product, sync_run_id, nr)
  join flanks.transactions t on t._id = i._id
  cross join lateral (select t._id, t.shop, t.extra, t.amount, t.entity, t.balance, t.card_id, t.product, t.category,
    t.currency, t.transfer, t.account_id, t.removed_at, t.updated_at, t.value_date, t.card_number, t.description,
    t.content_hash, t.liability_id, t.portfolio_id, t.credential_id, t.first_seen_at, t.investment_id, t.operation_date,
    t.product_description) w),
kept as (
  insert into flanks.transaction_revisions (_id, credential_id, sync_run_id, reason, content)
  select o._id, o.was_of, o.sync_run_id,
    case when o.was_removed then 'restored' when o.was_of <> o.credential_id then 'handed_over' else 'changed' end, o.was
  from old o where o.differs)
update flanks.transactions t set credential_id = o.credential_id, product = o.product, removed_at = null, updated_at = now(),
  content_hash = o.content_hash, account_id = o.account_id, card_id = o.card_id, investment_id = o.investment_id,
  liability_id = o.liability_id, portfolio_id = o.portfolio_id, operation_date = o.operation_date, value_date = o.value_date,
  amount = o.amount, currency = o.currency, balance = o.balance, description = o.description,
  product_description = o.product_description, category = o.category, shop = o.shop, entity = o.entity,
  card_number = o.card_number, transfer = o.transfer, extra = o.extra
from old o
where t.ctid = o.place and t.xmin = o.version
returning o.nr::integer, o.differs, o.first,
  o.was_of = o.credential_id and o.was_product = o.product and not o.was_removed)"};

}  // namespace

void new_rows::add(const window_scope& scope, const transaction& t) {
  append_copy_row(text_, scope.credential, scope.what, t);
  ++count_;
}

std::int64_t new_rows::copy(session& db) {
  const std::string text = std::exchange(text_, {});
  count_ = 0;
  return db.copy_in(copy_rows, text);
}

void changed_rows::add(const window_scope& scope, const std::string& sync_run_id,
                       const transaction& t) {
  credentials_.add(scope.credential.value);
  products_.add(to_string(scope.what));
  runs_.add(std::string_view(sync_run_id));
  std::string uuid;
  append_uuid(uuid, t.hash);
  hashes_.add(std::string_view(uuid));
  for (std::size_t i = 0; i < column_count; ++i)
    columns_[i].add(t.values[i]);
  ++count_;
}

call changed_rows::take() {
  sql_values values(credentials_.take(), products_.take(), runs_.take(), hashes_.take());
  for (array_literal& column : columns_)
    values.add(column.take());
  count_ = 0;
  return {update_rows, std::move(values)};
}

std::vector<changed_rows::outcome> changed_rows::write(session& db, std::vector<call> before,
                                                       std::vector<call> after) {
  const std::size_t count = count_;
  before.push_back(take());
  std::move(after.begin(), after.end(), std::back_inserter(before));
  std::vector<outcome> outcomes(count);
  std::size_t written = 0;
  db.run_together(before, [&](const session::binary_row& r) {
    outcomes.at(static_cast<std::size_t>(r.integer(0)) - 1) = {r.flag(1), r.flag(2), r.flag(3)};
    ++written;
  });
  outcomes.resize(written);  // of no use unless it has them all
  return outcomes;
}

}  // namespace flanks
