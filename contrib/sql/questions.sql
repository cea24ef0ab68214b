-- Ten questions that analysts ask first, for psql, Metabase or any other tool: each is one statement and runs as it is.
-- What each table and column means: docs/tables.md.

-- 1. Is the mirror current, and what is wrong?
select state, who_must_act, count(*) as credentials, max(lag) as longest_lag
from flanks.sync_status
group by state, who_must_act
order by count(*) desc;

-- 2. From which day on is the history of each user complete, without a hole?
select uc.user_id, v.product, min(lower(newest.days)) as complete_since, max(v.last_success_at) as last_read_at
from flanks.coverage v
join flanks.user_credentials uc using (credential_id)
cross join lateral (select days from unnest(v.days) days order by days desc limit 1) newest
group by uc.user_id, v.product
order by uc.user_id, v.product;

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

-- 7. How did the balances of the accounts develop, day by day?
select b.day, b.currency, count(*) as accounts, sum(b.balance) as balance
from flanks.balances b
where b.product = 'account'
group by b.day, b.currency
order by b.day desc, b.currency;

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
