-- The same as flanks.monthly_cash_flow, as a table.
select
  date_trunc('month', o.operation_date::timestamp)::date as month,
  u.user_id,
  o.product,
  o.category,
  o.currency,
  coalesce(sum(o.amount) filter (where o.amount > 0), 0) as money_in,
  coalesce(sum(o.amount) filter (where o.amount < 0), 0) as money_out,
  sum(o.amount) as net,
  count(*) as operations,
  count(*) filter (where u.is_shared) as shared_operations
from {{ ref('stg_flanks__operations') }} o
join {{ ref('stg_flanks__operation_users') }} u on u.operation_id = o.operation_id
group by 1, 2, 3, 4, 5
