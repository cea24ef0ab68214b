-- Ten questions that analysts ask first, for psql, Metabase or any other tool: each is one statement and runs as it is.
-- What each table and column means: docs/tables.md.

-- 1. Is the mirror current, and what is wrong?
select state, who_must_act, count(*) as credentials, max(lag) as longest_lag
from flanks.sync_status
group by state, who_must_act
order by count(*) desc;

-- 2. From which day on is the history of each user complete, without a hole, in all of the user's credentials? Null: it is not,
-- as long as some were never read (unread). Days of unclean hold records that could not be stored (flanks.quarantine).
select uc.user_id, p.product, case when bool_and(newest.days is not null) then max(lower(newest.days)) end as complete_since,
  case when bool_and(newest.days is not null) then min(upper(newest.days)) - 1 end as complete_until,
  min(v.last_success_at) as last_read_at, count(*) as credentials, count(*) filter (where newest.days is null) as unread,
  range_agg(v.unclean) as unclean
from flanks.user_credentials uc
cross join (select distinct product from flanks.coverage) p
left join flanks.coverage v using (credential_id, product)
left join lateral (select days from unnest(v.days) days order by days desc limit 1) newest on true
group by uc.user_id, p.product
order by uc.user_id, p.product;

-- 3. What came in and went out each month, of all users together? Each real operation once, so not from monthly_cash_flow.
select date_trunc('month', operation_date::timestamp)::date as month, currency,
  sum(amount) filter (where amount > 0) as money_in, sum(amount) filter (where amount < 0) as money_out, sum(amount) as net,
  count(*) as operations
from flanks.transactions_distinct
where product = 'account'
group by 1, 2
order by 1 desc, 2;

-- 4. What did each user spend most on in the last three months?
select user_id, currency, category, spent
from (
  select user_id, currency, category, -sum(money_out) as spent,
    row_number() over (partition by user_id, currency order by sum(money_out)) as place
  from flanks.monthly_cash_flow
  where month > current_date - interval '3 months' and money_out < 0
  group by user_id, currency, category) ranked
where place <= 3
order by user_id, currency, place;

-- 5. What does each user own and owe? Portfolios left out: their value is that of their investments.
select user_id, currency, sum(balance) filter (where product = 'account') as accounts,
  sum(balance) filter (where product = 'card') as cards, sum(balance) filter (where product = 'investment') as investments,
  sum(balance) filter (where product = 'liability') as liabilities, sum(balance) as total
from (
  select distinct on (user_id, coalesce(real_account_id::text, credential_id || ' ' || product_id)) *
  from flanks.user_assets where product <> 'portfolio'
  order by user_id, coalesce(real_account_id::text, credential_id || ' ' || product_id), as_of desc nulls last) once
group by user_id, currency
order by user_id, currency;

-- 6. How much is at which bank, each account once?
select bank, product, currency, count(*) as how_many, sum(balance) as balance
from flanks.assets
where product <> 'portfolio'
group by bank, product, currency
order by bank, product, currency;

-- 7. How did the balances of the accounts develop, day by day? Each real account once, with its last balance of before on days
-- without a refresh, until nobody shows it any more. An account counts from the day on which its first balance came.
with shown as (
  select coalesce(real_account_id::text, credential_id || ' ' || account_id) as account, credential_id, account_id,
    least(a.removed_at, c.removed_at) as ended_at
  from flanks.accounts a join flanks.credentials c using (credential_id)),
ended as (
  select account, case when bool_and(ended_at is not null) then max(ended_at)::date end as ended_on from shown group by account),
once as (
  select distinct on (s.account, b.day) s.account, b.day, b.currency, b.balance
  from flanks.balances b join shown s on s.credential_id = b.credential_id and s.account_id = b.product_id
  where b.product = 'account'
  order by s.account, b.day, b.updated_at desc),
lasting as (
  select o.*, least(lead(day) over (partition by account order by day), e.ended_on, (select max(day) + 1 from once)) - 1 as last_day
  from once o join ended e using (account))
select d::date as day, l.currency, count(*) as accounts, sum(l.balance) as balance
from lasting l cross join generate_series(l.day::timestamp, l.last_day::timestamp, interval '1 day') d
group by d, l.currency
order by d desc, l.currency;

-- 8. Which were the largest operations of the last 90 days?
select operation_date, users, amount, currency, description, category
from flanks.transactions_distinct
where operation_date > current_date - 90
order by abs(amount) desc, _id
limit 20;

-- 9. Who has several banks, and who has none that works?
select uc.user_id, count(*) as credentials, count(distinct s.bank) as banks, count(*) filter (where s.state = 'ok') as working
from flanks.user_credentials uc
join flanks.sync_status s using (credential_id)
group by uc.user_id
order by working, credentials desc, uc.user_id;

-- 10. How much of the data came late: operations that were first seen more than a week after their day, once the credential
-- was being followed?
select t.product, count(*) as operations,
  count(*) filter (where t.first_seen_at::date - t.operation_date > 7 and t.first_seen_at > c.created_at + interval '1 day') as late,
  count(*) filter (where t.removed_at is not null) as removed
from flanks.transactions t
join flanks.credentials c using (credential_id)
group by t.product
order by t.product;
