-- The mart and flanks.monthly_cash_flow say the same, to the last digit.
with mart as (
  select month, user_id, product, category, currency, money_in, money_out, net, operations, shared_operations
  from {{ ref('cash_flow') }}
), view as (
  select month, user_id, product, category, currency, money_in, money_out, net, operations, shared_operations
  from {{ source('flanks', 'monthly_cash_flow') }}
)
(select 'only in the mart' as difference, * from mart except all select 'only in the mart', * from view)
union all
(select 'only in the view', * from view except all select 'only in the view', * from mart)
