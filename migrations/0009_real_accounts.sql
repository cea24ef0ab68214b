-- migrate:up
-- One real account, many ids: the provider derives ids from the credentials_token, so an account that is connected again,
-- or by its second holder, comes under other ids. Here each product finds the account that the bank knows, and each
-- operation is counted once.

create table flanks.real_accounts (
  real_account_id bigint generated always as identity primary key,
  product text not null check (product in ('account', 'card', 'investment', 'liability', 'portfolio')),
  iban text,
  first_seen_at timestamptz not null default now()
);
comment on table flanks.real_accounts is 'One row per account, card, ... as the bank knows it; accounts.real_account_id and its like point here.';
comment on column flanks.real_accounts.real_account_id is 'Our number of it.';
comment on column flanks.real_accounts.product is 'account, card, investment, liability or portfolio.';
comment on column flanks.real_accounts.iban is 'IBAN in capitals, without blanks; null when no credential has shown one.';
comment on column flanks.real_accounts.first_seen_at is 'When it was first told from others.';

-- A key names one real account. Strongest first: iban; the product's external_id; of cards entity and whole number; of
-- cards entity, masked number and user.
create table flanks_internal.real_account_keys (
  product text not null,
  kind text not null check (kind in ('iban', 'external_id', 'number', 'masked_number')),
  key text collate "C" not null,
  real_account_id bigint not null references flanks.real_accounts on delete cascade,
  primary key (product, kind, key)
);
create index real_account_keys_by_account on flanks_internal.real_account_keys (real_account_id);
comment on table flanks_internal.real_account_keys is 'By what a real account is known again.';
comment on column flanks_internal.real_account_keys.product is 'account, card, investment, liability or portfolio.';
comment on column flanks_internal.real_account_keys.kind is 'iban, external_id, number (of a card: bank and whole number) or masked_number (bank, masked number and user).';
comment on column flanks_internal.real_account_keys.key is 'The key, as real_account_keys_of writes it.';
comment on column flanks_internal.real_account_keys.real_account_id is 'The real account.';
comment on index flanks_internal.real_account_keys_by_account is 'The keys of a real account.';

-- Every product that can be the same real account as another one. What of them is compared, and who still says something
-- of them: a credential that was removed, is gone or blocked does not, nor one whose list has lost the product. A left
-- join, because the planner leaves it out, as a rule, where nobody asks for `living`.
create view flanks_internal.identifiable_products as
select p.*, p.removed_at is null and c.removed_at is null and c.state not in ('gone', 'blocked') as living
from (
  select 'account' as product, credential_id, account_id as product_id, real_account_id, external_id,
    nullif(upper(regexp_replace(iban, '\s', '', 'g')), '') as iban, null as pan, entity, removed_at
  from flanks.accounts
  union all
  select 'card', credential_id, card_id, real_account_id, external_id, null, nullif(regexp_replace(pan, '\s', '', 'g'), ''), entity, removed_at
  from flanks.cards
  union all
  select 'investment', credential_id, investment_id, real_account_id, external_id, null, null, entity, removed_at
  from flanks.investments
  union all
  select 'liability', credential_id, liability_id, real_account_id, external_id, null, null, entity, removed_at
  from flanks.liabilities
  union all
  select 'portfolio', credential_id, portfolio_id, real_account_id, external_id, null, null, entity, removed_at
  from flanks.portfolios
) p left join flanks.credentials c on c.credential_id = p.credential_id;
comment on view flanks_internal.identifiable_products is 'The products of all credentials with what tells whether two are one real account.';
comment on column flanks_internal.identifiable_products.product is 'account, card, investment, liability or portfolio.';
comment on column flanks_internal.identifiable_products.credential_id is 'The credential that shows it.';
comment on column flanks_internal.identifiable_products.product_id is 'The provider''s identification of it.';
comment on column flanks_internal.identifiable_products.real_account_id is 'The real account that it was found to be.';
comment on column flanks_internal.identifiable_products.external_id is 'external_id of the product.';
comment on column flanks_internal.identifiable_products.iban is 'IBAN in capitals, without blanks.';
comment on column flanks_internal.identifiable_products.pan is 'Number of a card, without blanks; masked, as a rule.';
comment on column flanks_internal.identifiable_products.entity is 'The bank.';
comment on column flanks_internal.identifiable_products.removed_at is 'When the provider stopped showing it.';
comment on column flanks_internal.identifiable_products.living is 'Its credential lives and shows it.';

create function flanks_internal.set_real_account(product text, credential_id bigint, product_id text, real_account_id bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  case set_real_account.product
    when 'account' then update flanks.accounts x set real_account_id = set_real_account.real_account_id
      where x.credential_id = set_real_account.credential_id and x.account_id = set_real_account.product_id;
    when 'card' then update flanks.cards x set real_account_id = set_real_account.real_account_id
      where x.credential_id = set_real_account.credential_id and x.card_id = set_real_account.product_id;
    when 'investment' then update flanks.investments x set real_account_id = set_real_account.real_account_id
      where x.credential_id = set_real_account.credential_id and x.investment_id = set_real_account.product_id;
    when 'liability' then update flanks.liabilities x set real_account_id = set_real_account.real_account_id
      where x.credential_id = set_real_account.credential_id and x.liability_id = set_real_account.product_id;
    when 'portfolio' then update flanks.portfolios x set real_account_id = set_real_account.real_account_id
      where x.credential_id = set_real_account.credential_id and x.portfolio_id = set_real_account.product_id;
  end case;
end $$;
comment on function flanks_internal.set_real_account(text, bigint, text, bigint) is 'Points a product at its real account.';
revoke execute on function flanks_internal.set_real_account(text, bigint, text, bigint) from public;

create function flanks_internal.real_account_keys_of(p flanks_internal.identifiable_products) returns table (strength integer, kind text, key text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select 1, 'iban', p.iban where p.iban is not null
  union all
  select 2, 'external_id', p.external_id where nullif(p.external_id, '') is not null
  union all
  select 3, 'number', upper(p.entity) || ' ' || p.pan where p.entity is not null and p.pan ~ '^[0-9]{12,19}$'
  union all
  select 4, 'masked_number', upper(p.entity) || ' ' || upper(p.pan) || ' ' || u.user_id from flanks.user_credentials u
  where u.credential_id = p.credential_id and p.entity is not null and p.pan !~ '^[0-9]{12,19}$' and p.pan ~ '[0-9]{4}'
$$;
comment on function flanks_internal.real_account_keys_of(flanks_internal.identifiable_products) is 'The keys of a product, strongest first. Never a name or a balance.';
revoke execute on function flanks_internal.real_account_keys_of(flanks_internal.identifiable_products) from public;

create function flanks_internal.find_real_accounts(credential_id bigint, product text, shown text[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  p flanks_internal.identifiable_products;
  k record;
  found_account bigint;
  chosen bigint;
  merged bigint;
begin
  -- In the order of what several credentials may show alike, so that two that bring the same new accounts wait for each
  -- other and do not deadlock.
  for p in select i.* from flanks_internal.identifiable_products i
    where i.credential_id = find_real_accounts.credential_id and i.product = find_real_accounts.product and i.product_id = any (shown)
    order by coalesce(i.iban, i.external_id, i.pan, i.product_id)
  loop
    loop
      chosen := p.real_account_id;
      if exists (select from flanks.real_accounts a where a.real_account_id = chosen and a.iban <> p.iban) then
        chosen := null;
      end if;
      for k in select x.kind, x.key from flanks_internal.real_account_keys_of(p) x order by x.strength, x.key
      loop
        select r.real_account_id into found_account from flanks_internal.real_account_keys r
          where r.product = p.product and r.kind = k.kind and r.key = k.key;
        if found_account is null or found_account = chosen then
          continue;
        end if;
        -- Another IBAN is another account. A login that shows two such products in one answer shows two accounts, unless
        -- both have this IBAN. One that the answer lacks has another id now.
        if exists (select from flanks.real_accounts a where a.real_account_id = found_account and a.iban <> p.iban)
          or k.kind <> 'iban' and exists (select from flanks_internal.identifiable_products o
            where o.real_account_id = found_account and o.product = p.product and o.credential_id = p.credential_id
              and o.product_id <> p.product_id and o.product_id = any (shown))
          -- A person has said that they are two.
          or exists (select from flanks.successions z where z.real_account_id = found_account and z.state = 'rejected'
            and z.to_credential_id = p.credential_id) then
          continue;
        end if;
        if chosen is null then
          chosen := found_account;
        elsif not exists (select from flanks.real_accounts a join flanks.real_accounts b
            on b.real_account_id = found_account where a.real_account_id = chosen and a.iban <> b.iban) then
          perform pg_advisory_xact_lock(hashtextextended('flanks.real_accounts', 0));
          merged := greatest(chosen, found_account);
          chosen := least(chosen, found_account);
          perform flanks_internal.set_real_account(o.product, o.credential_id, o.product_id, chosen)
            from flanks_internal.identifiable_products o where o.real_account_id = merged;
          update flanks_internal.real_account_keys r set real_account_id = chosen where r.real_account_id = merged;
          update flanks.real_accounts a set iban = coalesce(a.iban, b.iban)
            from flanks.real_accounts b where a.real_account_id = chosen and b.real_account_id = merged;
          update flanks.successions x set real_account_id = chosen where x.real_account_id = merged
            and not exists (select from flanks.successions y where y.real_account_id = chosen
              and y.from_credential_id = x.from_credential_id and y.to_credential_id = x.to_credential_id);
          delete from flanks.real_accounts a where a.real_account_id = merged;
        end if;
      end loop;
      exit when chosen is not null;
      -- A new one, unless somebody else has just made it: then its strongest key is there, and is found.
      insert into flanks.real_accounts (product, iban) values (p.product, p.iban) returning real_accounts.real_account_id into chosen;
      select x.kind, x.key into k from flanks_internal.real_account_keys_of(p) x
        where not exists (select from flanks_internal.real_account_keys r where r.product = p.product and r.kind = x.kind and r.key = x.key)
        order by x.strength, x.key limit 1;
      exit when not found;
      insert into flanks_internal.real_account_keys (product, kind, key, real_account_id) values (p.product, k.kind, k.key, chosen)
        on conflict do nothing;
      exit when found;
      delete from flanks.real_accounts a where a.real_account_id = chosen;
    end loop;
    update flanks.real_accounts a set iban = p.iban where a.real_account_id = chosen and a.iban is null and p.iban is not null;
    insert into flanks_internal.real_account_keys (product, kind, key, real_account_id)
      select p.product, x.kind, x.key, chosen from flanks_internal.real_account_keys_of(p) x on conflict do nothing;
    if chosen is distinct from p.real_account_id then
      perform flanks_internal.set_real_account(p.product, p.credential_id, p.product_id, chosen);
    end if;
  end loop;
end $$;
comment on function flanks_internal.find_real_accounts(bigint, text, text[]) is 'Points the products that a credential shows at their real accounts, and makes those that are new. shown: the ids of the present answer.';
revoke execute on function flanks_internal.find_real_accounts(bigint, text, text[]) from public;

-- ------------------------------------------------------------------------------------------------------ successions

create table flanks.successions (
  succession_id bigint generated always as identity primary key,
  real_account_id bigint not null references flanks.real_accounts on delete cascade,
  product text not null check (product in ('account', 'card', 'investment', 'liability')),
  from_credential_id bigint not null references flanks.credentials,
  to_credential_id bigint not null references flanks.credentials,
  state text not null check (state in ('open', 'confirmed', 'rejected', 'reversed')),
  compared_rows bigint not null,
  paired_rows bigint not null,
  succeeded_rows bigint not null default 0,
  first_day date,
  raised_at timestamptz not null default now(),
  decided_at timestamptz,
  decided_by text,
  unique (real_account_id, from_credential_id, to_credential_id),
  check ((decided_at is null) = (state = 'open'))
);
comment on table flanks.successions is 'Which real account passed from which credential to which: the one that no longer shows it, and the one that does. For the days that the new one shows, the old one''s operations are removed (removal_reason = succeeded); older ones stay. flanks-sync successions list, confirm, reject.';
comment on column flanks.successions.succession_id is 'Its name on the command line.';
comment on column flanks.successions.real_account_id is 'The real account.';
comment on column flanks.successions.product is 'account, card, investment or liability.';
comment on column flanks.successions.from_credential_id is 'The credential that is gone, removed or blocked, or no longer shows the account.';
comment on column flanks.successions.to_credential_id is 'The credential that shows it now.';
comment on column flanks.successions.state is 'open: the evidence is not enough, a person must look; confirmed; rejected: a person said no; reversed: the old credential shows the account again and has its rows back.';
comment on column flanks.successions.compared_rows is 'Operations of the old credential on days that both have read.';
comment on column flanks.successions.paired_rows is 'Of them, those that the new credential shows alike: day, amount, currency, text and balance.';
comment on column flanks.successions.succeeded_rows is 'Operations that were removed by it.';
comment on column flanks.successions.first_day is 'The oldest day that the new credential shows.';
comment on column flanks.successions.raised_at is 'When it was first considered.';
comment on column flanks.successions.decided_at is 'When it was decided; null while it is open.';
comment on column flanks.successions.decided_by is 'The database role that decided; null when the evidence did.';

-- The days of which a credential can say what is not there: not those with records in quarantine, and none that were read
-- through a filter.
create view flanks_internal.proved_days as
select credential_id, product, provider_seen_at as seen_at, case when query = '' then days - unclean else '{}' end as days
from flanks.coverage;
comment on view flanks_internal.proved_days is 'For which days the rows of a credential''s product are all that there is.';
comment on column flanks_internal.proved_days.credential_id is 'The credential.';
comment on column flanks_internal.proved_days.product is 'account, card, investment or liability.';
comment on column flanks_internal.proved_days.seen_at is 'The provider''s refresh that was last read.';
comment on column flanks_internal.proved_days.days is 'Those days.';

-- Who shows a real account, and from which day on. Only where more than one credential does: elsewhere nothing needs to
-- be compared. A credential that is dead says nothing more; of those that live the one that was refreshed last is right.
create view flanks_internal.account_members as
select p.real_account_id, p.credential_id, p.product, p.product_id, p.living, v.seen_at, v.days, o.operation_date as first_day,
  array_remove(array[p.iban, 'external_id ' || nullif(p.external_id, ''),
    case when p.pan ~ '^[0-9]{12,19}$' then upper(p.entity) || ' ' || p.pan end], null) as own_keys
from flanks_internal.identifiable_products p
left join flanks_internal.proved_days v on v.credential_id = p.credential_id and v.product = p.product
left join lateral (
  select t.operation_date from flanks.transactions t
  where t.credential_id = p.credential_id and t.product = p.product and t.removed_at is null
    and p.product_id = case p.product when 'account' then t.account_id when 'card' then t.card_id
      when 'investment' then t.investment_id when 'liability' then t.liability_id end
  order by t.operation_date limit 1) o on true
where p.product <> 'portfolio' and p.real_account_id in (
  select i.real_account_id from flanks_internal.identifiable_products i group by 1 having count(distinct i.credential_id) > 1);
comment on view flanks_internal.account_members is 'The credentials that show or showed a real account that several have shown: one row each.';
comment on column flanks_internal.account_members.real_account_id is 'The real account.';
comment on column flanks_internal.account_members.credential_id is 'The credential.';
comment on column flanks_internal.account_members.product is 'account, card, investment or liability.';
comment on column flanks_internal.account_members.product_id is 'The account, card, ... as this credential knows it.';
comment on column flanks_internal.account_members.living is 'It shows the account today.';
comment on column flanks_internal.account_members.seen_at is 'The provider''s refresh that was last read.';
comment on column flanks_internal.account_members.days is 'The days of which it can say what is not there.';
comment on column flanks_internal.account_members.first_day is 'The oldest operation of the account that it shows.';
comment on column flanks_internal.account_members.own_keys is 'What no other account can have: IBAN, external_id, whole number. A masked number is not among them.';

-- ---------------------------------------------------------------------------------------------- transactions_distinct

-- The users are looked up arm by arm: with "or" between the three the planner would read all of user_credentials for each row.
create view flanks.transactions_distinct as
with members as materialized (select * from flanks_internal.account_members),
  holders as materialized (select o.real_account_id, array_agg(uc.user_id) as users
    from members o join flanks.user_credentials uc using (credential_id) group by 1)
select x.real_account_id, a.iban, u.users, t._id, t.credential_id, t.product, t.account_id, t.card_id,
  t.investment_id, t.liability_id, t.portfolio_id, t.operation_date, t.value_date, t.amount, t.currency, t.balance,
  t.description, t.product_description, t.category, t.shop, t.entity, t.card_number, t.transfer, t.extra, t.first_seen_at,
  t.updated_at, t.aged_out_at
from flanks.transactions t
left join members m on m.credential_id = t.credential_id and m.product = t.product
  and m.product_id = case t.product when 'account' then t.account_id when 'card' then t.card_id
    when 'investment' then t.investment_id when 'liability' then t.liability_id end
cross join lateral (select case t.product
    when 'account' then (select b.real_account_id from flanks.accounts b where b.credential_id = t.credential_id and b.account_id = t.account_id)
    when 'card' then (select b.real_account_id from flanks.cards b where b.credential_id = t.credential_id and b.card_id = t.card_id)
    when 'investment' then (select b.real_account_id from flanks.investments b
      where b.credential_id = t.credential_id and b.investment_id = t.investment_id)
    when 'liability' then (select b.real_account_id from flanks.liabilities b
      where b.credential_id = t.credential_id and b.liability_id = t.liability_id)
  end as real_account_id) x
left join flanks.real_accounts a on a.real_account_id = x.real_account_id
left join holders h on h.real_account_id = m.real_account_id
cross join lateral (select coalesce(array_agg(distinct n.user_id order by n.user_id), '{}') as users from (
    select uc.user_id from flanks.user_credentials uc where uc.credential_id = t.credential_id
    union all
    select uc.user_id from flanks.transaction_sightings s join flanks.user_credentials uc using (credential_id) where s._id = t._id
    union all
    select unnest(h.users)) n) u
where t.removed_at is null
  and not exists (
    select from members o
    where o.real_account_id = m.real_account_id and o.credential_id <> m.credential_id
      and (o.living, coalesce(o.seen_at, '-infinity'), o.credential_id) > (m.living, coalesce(m.seen_at, '-infinity'), m.credential_id)
      and t.operation_date <@ o.days and t.operation_date >= o.first_day
      and not exists (select from flanks.transaction_sightings s where s._id = t._id and s.credential_id = o.credential_id)
      -- Two that have no more than a masked number in common may be two cards: one hides what it shows alike.
      -- (twins in the order of their _ids).
      and (m.own_keys && o.own_keys or (
        select count(*) filter (where e.credential_id = o.credential_id) >= count(*) filter (where e.credential_id = m.credential_id and e._id <= t._id)
        from flanks.transactions e
        where e.credential_id in (m.credential_id, o.credential_id) and e.product = t.product and e.operation_date = t.operation_date
          and e.removed_at is null
          and coalesce(e.account_id, e.card_id, e.investment_id, e.liability_id)
            = case e.credential_id when o.credential_id then o.product_id else m.product_id end
          and (e.amount, e.currency, e.description, e.balance) is not distinct from (t.amount, t.currency, t.description, t.balance))));
comment on view flanks.transactions_distinct is 'Each real operation once, whoever and however many have connected the account: of several credentials a living one before a dead one, then the one that the provider refreshed last, speaks for the days that it has read; of the others counts what it does not reach. Where a masked number is all that two have in common, only operations that both show alike count once. transactions_current has a line for each credential''s operation.';
comment on column flanks.transactions_distinct.real_account_id is 'The real account; null for an operation of no known product.';
comment on column flanks.transactions_distinct.iban is 'Its IBAN; null when no credential has shown one.';
comment on column flanks.transactions_distinct.users is 'Your users it belongs to: those of every credential that shows or showed the real account.';
comment on column flanks.transactions_distinct._id is 'The provider''s unique identification of the operation.';
comment on column flanks.transactions_distinct.credential_id is 'The credential that it was first seen through; others that show it too are in transaction_sightings.';
comment on column flanks.transactions_distinct.product is 'account, card, investment or liability: which list it is in.';
comment on column flanks.transactions_distinct.account_id is 'The account it belongs to.';
comment on column flanks.transactions_distinct.card_id is 'The card it belongs to.';
comment on column flanks.transactions_distinct.investment_id is 'The investment it belongs to.';
comment on column flanks.transactions_distinct.liability_id is 'The liability it belongs to.';
comment on column flanks.transactions_distinct.portfolio_id is 'The portfolio it belongs to.';
comment on column flanks.transactions_distinct.operation_date is 'Day of the operation, as the bank says it, in no time zone.';
comment on column flanks.transactions_distinct.value_date is 'Day from which the amount counts.';
comment on column flanks.transactions_distinct.amount is 'Exactly the digits that the provider sent; negative is money out.';
comment on column flanks.transactions_distinct.currency is 'ISO 4217 code of the amount.';
comment on column flanks.transactions_distinct.balance is 'Balance after the operation, where the bank shows it.';
comment on column flanks.transactions_distinct.description is 'The bank''s text.';
comment on column flanks.transactions_distinct.product_description is 'The bank''s text about the product.';
comment on column flanks.transactions_distinct.category is 'The provider''s category.';
comment on column flanks.transactions_distinct.shop is 'The shop that the provider recognised.';
comment on column flanks.transactions_distinct.entity is 'The bank.';
comment on column flanks.transactions_distinct.card_number is 'Number of the card, masked as the provider sends it.';
comment on column flanks.transactions_distinct.transfer is 'Beneficiary and payer with their IBANs, when it is a transfer.';
comment on column flanks.transactions_distinct.extra is 'Every field of the provider that has no column here; null when there is none.';
comment on column flanks.transactions_distinct.first_seen_at is 'When it first came.';
comment on column flanks.transactions_distinct.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.transactions_distinct.aged_out_at is 'Since when the bank''s history no longer reaches back to it; null while it does.';

-- ------------------------------------------------------------------------------------------------------------- assets

create view flanks.assets as
select distinct on (p.real_account_id) p.real_account_id, p.product, a.iban, p.credential_id, p.product_id, b.balance, b.currency,
  coalesce(p.entity, c.bank) as bank, b.name, b.provider_updated_at as as_of, u.users
from flanks_internal.identifiable_products p
join flanks.real_accounts a using (real_account_id)
join flanks.credentials c using (credential_id)
cross join lateral (
  select x.balance, x.currency, coalesce(x.alias, x.description) as name, x.provider_updated_at from flanks.accounts x
    where p.product = 'account' and x.credential_id = p.credential_id and x.account_id = p.product_id
  union all
  select x.balance, x.currency, coalesce(x.alias, x.description), x.provider_updated_at from flanks.cards x
    where p.product = 'card' and x.credential_id = p.credential_id and x.card_id = p.product_id
  union all
  select x.balance, x.currency, coalesce(x.alias, x.description, x.symbol), x.provider_updated_at from flanks.investments x
    where p.product = 'investment' and x.credential_id = p.credential_id and x.investment_id = p.product_id
  union all
  select x.balance, x.currency, coalesce(x.alias, x.description), x.provider_updated_at from flanks.liabilities x
    where p.product = 'liability' and x.credential_id = p.credential_id and x.liability_id = p.product_id
  union all
  select x.balance, x.currency, coalesce(x.alias, x.description), x.provider_updated_at from flanks.portfolios x
    where p.product = 'portfolio' and x.credential_id = p.credential_id and x.portfolio_id = p.product_id) b
left join flanks.product_coverage v on v.credential_id = p.credential_id and v.product = p.product
cross join lateral (select coalesce(array_agg(distinct uc.user_id order by uc.user_id), '{}') as users
    from flanks_internal.identifiable_products o join flanks.user_credentials uc on uc.credential_id = o.credential_id
    where o.real_account_id = p.real_account_id) u
where p.removed_at is null and c.removed_at is null
order by p.real_account_id, p.living desc, v.provider_seen_at desc nulls last, p.credential_id desc;
comment on view flanks.assets is 'What all your users own and owe together: each real account once, as the credential that the provider refreshed last shows it. user_assets has a line for each user and credential.';
comment on column flanks.assets.real_account_id is 'The real account.';
comment on column flanks.assets.product is 'account, card, investment, liability or portfolio. A portfolio''s balance may be that of its investments: do not add the two up.';
comment on column flanks.assets.iban is 'IBAN; null when no credential has shown one.';
comment on column flanks.assets.credential_id is 'The credential that this line is taken from.';
comment on column flanks.assets.product_id is 'The product as that credential shows it.';
comment on column flanks.assets.balance is 'Exactly the digits that the provider sent; negative is owed.';
comment on column flanks.assets.currency is 'ISO 4217 code of the balance.';
comment on column flanks.assets.bank is 'The provider''s identifier of the bank.';
comment on column flanks.assets.name is 'Its alias, else its description.';
comment on column flanks.assets.as_of is 'When the provider last refreshed it.';
comment on column flanks.assets.users is 'Your users it belongs to.';

-- --------------------------------------------------------------------------------------------------------- current_id

create function flanks.current_id(_id text) returns text
language sql stable parallel safe as $$
  with recursive way as (
    select t._id, t.successor_id, t.removed_at, array[t._id] as seen from flanks.transactions t where t._id = current_id._id
    union all
    select t._id, t.successor_id, t.removed_at, w.seen || t._id from way w join flanks.transactions t on t._id = w.successor_id
    where w.removed_at is not null and t._id <> all(w.seen))
  select w._id from way w order by cardinality(w.seen) desc limit 1
$$;
comment on function flanks.current_id(text) is 'The _id that an operation has today: follows successor_id from an id of earlier. The id itself when nothing succeeded it; null for an id that is not stored. Notes of yours that hang on an _id find their operation by it.';

create function flanks.replace_credentials_token(credential_id bigint, new_token text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  refusal text := flanks_internal.registration_refusal('-', replace_credentials_token.new_token);
  digest bytea;
  other bigint;
begin
  if refusal is not null then
    raise exception '%', refusal using errcode = '22023';
  end if;
  digest := sha256(convert_to(replace_credentials_token.new_token, 'UTF8'));
  perform pg_advisory_xact_lock(hashtextextended('flanks.register_credential', 0)
    # ('x' || left(encode(digest, 'hex'), 16))::bit(64)::bigint);
  if not exists (select from flanks.credentials c where c.credential_id = replace_credentials_token.credential_id and c.removed_at is null) then
    raise exception 'there is no credential %, or it was removed', replace_credentials_token.credential_id using errcode = '22023';
  end if;
  -- First the lease, like every writer.
  perform from flanks_internal.leases l where l.credential_id = replace_credentials_token.credential_id for update;
  select t.credential_id into other from flanks_internal.credentials_tokens t where t.token_digest = digest;
  if other = replace_credentials_token.credential_id then
    -- Its own, given again: the key that sealed it may be lost. Only then is it tried at once.
    update flanks_internal.credentials_tokens t set credentials_token = replace_credentials_token.new_token, sealed_token = null, updated_at = now()
      where t.credential_id = other and t.sealed_token is not null;
    if found and exists (select from flanks.credentials c where c.credential_id = other and c.last_error_class = 'sealed_token') then
      update flanks_internal.leases l set next_due_at = now() where l.credential_id = other and l.next_due_at < 'infinity';
      update flanks_internal.schedule s set next_due_at = now(), failures_in_a_row = 0 where s.credential_id = other and s.next_due_at < 'infinity';
    end if;
    return;
  end if;
  if other is not null then
    raise exception 'this token is registered as credential %', other using errcode = '22023',
      hint = 'remove that credential first: its operations are then recognised as those of the account that both show';
  end if;
  if exists (select from flanks_internal.erased_tokens e where e.token_digest = digest) then
    raise exception 'this credential was erased with the data of its user; it is not taken again' using errcode = 'ZE001';
  end if;
  update flanks_internal.credentials_tokens t set credentials_token = replace_credentials_token.new_token, sealed_token = null, token_digest = digest, updated_at = now()
    where t.credential_id = replace_credentials_token.credential_id;
  update flanks.credentials c set not_found_since = null, state = case when c.state = 'gone' then 'new' else c.state end
    where c.credential_id = replace_credentials_token.credential_id;
  -- Due at once unless it is paused, and nothing that was read under the old token counts as read.
  update flanks_internal.leases l set next_due_at = now()
    where l.credential_id = replace_credentials_token.credential_id and l.next_due_at < 'infinity';
  update flanks_internal.schedule s set next_due_at = now(), failures_in_a_row = 0
    where s.credential_id = replace_credentials_token.credential_id and s.next_due_at < 'infinity';
  update flanks.coverage v set provider_seen_at = null, last_sweep_at = case when v.last_sweep_at is not null then now() - interval '10 years' end
    where v.credential_id = replace_credentials_token.credential_id;
  update flanks.product_coverage v set provider_seen_at = null where v.credential_id = replace_credentials_token.credential_id;
end $$;
comment on function flanks.replace_credentials_token(bigint, text) is
  'Says that a credential has another credentials_token now: the provider has rotated it. The credential keeps its number, its users and its operations; those come under new ids with the next synchronisation and are recognised (removal_reason = renumbered). The token that it has is taken as well: one that is sealed is then sealed anew (a key was lost). Bind parameters only, as for register_credential.';
revoke execute on function flanks.replace_credentials_token(bigint, text) from public;
