-- Each real operation once. A table, not a view: finding out what counts once reads all of them, and is paid for here only.
select
  _id as operation_id,
  real_account_id,
  credential_id,
  users,
  product,
  operation_date,
  value_date,
  amount,
  currency,
  category,
  shop,
  description,
  entity as bank,
  first_seen_at,
  updated_at
from {{ source('flanks', 'transactions_distinct') }}
