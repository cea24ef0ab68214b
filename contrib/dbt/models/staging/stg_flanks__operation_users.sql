-- One row for each operation and user that it belongs to: a joint account's operation has several. One that belongs to
-- nobody any more has one row, without a user.
select o.operation_id, u.user_id, cardinality(o.users) > 1 as is_shared
from {{ ref('stg_flanks__operations') }} o
left join lateral unnest(o.users) u(user_id) on true
