-- migrate:up
-- Every product of a credential as its latest state, their balances day by day, who holds them, the names of the banks,
-- and the view that answers "what does this user own".
--
-- A product is known by (credential_id, the provider's id). Two credentials that show one joint account have a row each:
-- a product says what one login sees of it (isOwner, alias), and the two may truly differ. What vanishes at the provider
-- keeps its row with removed_at, and comes back into the same row. No foreign key to credentials, as for transactions.


create table flanks.accounts (
  credential_id bigint not null,
  account_id text collate "C" not null,
  iban text,
  entity text,
  alias text,
  description text,
  balance numeric check (balance <> 'NaN'),
  currency text,
  is_owner boolean,
  num_owners integer,
  owners jsonb,
  type text,
  flanks_category text,
  provider_updated_at timestamptz,
  extra jsonb,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (credential_id, account_id)
);
comment on table flanks.accounts is 'The accounts of each credential as the provider last showed them, one row each.';
comment on column flanks.accounts.credential_id is 'The credential that shows it.';
comment on column flanks.accounts.account_id is 'The provider''s identification of the account (account_id, else _id): transactions.account_id names it.';
comment on column flanks.accounts.iban is 'IBAN.';
comment on column flanks.accounts.entity is 'The bank: entities.entity_id.';
comment on column flanks.accounts.alias is 'The name that the end user or the bank gave it.';
comment on column flanks.accounts.description is 'The bank''s text.';
comment on column flanks.accounts.balance is 'Balance: exactly the digits that the provider sent.';
comment on column flanks.accounts.currency is 'ISO 4217 code of the balance.';
comment on column flanks.accounts.is_owner is 'The end user owns it (isOwner).';
comment on column flanks.accounts.num_owners is 'How many own it (numOwners).';
comment on column flanks.accounts.owners is 'Names of the owners, a list.';
comment on column flanks.accounts.type is 'The provider''s type of the account.';
comment on column flanks.accounts.flanks_category is 'The provider''s category of the account.';
comment on column flanks.accounts.provider_updated_at is 'When the provider last refreshed it (updated_at_timestamp).';
comment on column flanks.accounts.extra is 'Every field of the provider that has no column here; null when there is none.';
comment on column flanks.accounts.first_seen_at is 'When it first came.';
comment on column flanks.accounts.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.accounts.removed_at is 'When the provider stopped showing it; null while it shows it.';

create table flanks.cards (
  credential_id bigint not null,
  card_id text collate "C" not null,
  pan text,
  entity text,
  alias text,
  description text,
  balance numeric check (balance <> 'NaN'),
  credit_limit numeric check (credit_limit <> 'NaN'),
  currency text,
  type text,
  provider_updated_at timestamptz,
  extra jsonb,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (credential_id, card_id)
);
comment on table flanks.cards is 'The cards of each credential as the provider last showed them, one row each.';
comment on column flanks.cards.credential_id is 'The credential that shows it.';
comment on column flanks.cards.card_id is 'The provider''s identification of the card (card_id, else _id): transactions.card_id names it.';
comment on column flanks.cards.pan is 'Number of the card, masked as the provider sends it.';
comment on column flanks.cards.entity is 'The bank: entities.entity_id.';
comment on column flanks.cards.alias is 'The name that the end user or the bank gave it.';
comment on column flanks.cards.description is 'The bank''s text.';
comment on column flanks.cards.balance is 'Balance: exactly the digits that the provider sent; negative is owed.';
comment on column flanks.cards.credit_limit is 'The card''s limit (limit).';
comment on column flanks.cards.currency is 'ISO 4217 code of the amounts.';
comment on column flanks.cards.type is 'The provider''s type of the card.';
comment on column flanks.cards.provider_updated_at is 'When the provider last refreshed it (updated_at_timestamp).';
comment on column flanks.cards.extra is 'Every field of the provider that has no column here; null when there is none.';
comment on column flanks.cards.first_seen_at is 'When it first came.';
comment on column flanks.cards.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.cards.removed_at is 'When the provider stopped showing it; null while it shows it.';

create table flanks.investments (
  credential_id bigint not null,
  investment_id text collate "C" not null,
  portfolio_id text,
  entity text,
  alias text,
  description text,
  isin text,
  cusip text,
  symbol text,
  amount numeric check (amount <> 'NaN'),
  balance numeric check (balance <> 'NaN'),
  currency text,
  type text,
  provider_updated_at timestamptz,
  extra jsonb,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (credential_id, investment_id)
);
comment on table flanks.investments is 'The investments of each credential as the provider last showed them, one row each.';
comment on column flanks.investments.credential_id is 'The credential that shows it.';
comment on column flanks.investments.investment_id is 'The provider''s identification of the investment (investment_id, else _id): transactions.investment_id names it.';
comment on column flanks.investments.portfolio_id is 'The portfolio that it is held in.';
comment on column flanks.investments.entity is 'The bank: entities.entity_id.';
comment on column flanks.investments.alias is 'The name that the end user or the bank gave it.';
comment on column flanks.investments.description is 'The bank''s text.';
comment on column flanks.investments.isin is 'ISIN of the security.';
comment on column flanks.investments.cusip is 'CUSIP of the security.';
comment on column flanks.investments.symbol is 'Its symbol at the exchange.';
comment on column flanks.investments.amount is 'Units held: exactly the digits that the provider sent.';
comment on column flanks.investments.balance is 'Their value: exactly the digits that the provider sent.';
comment on column flanks.investments.currency is 'ISO 4217 code of the value.';
comment on column flanks.investments.type is 'The provider''s type of the investment.';
comment on column flanks.investments.provider_updated_at is 'When the provider last refreshed it (updated_at_timestamp).';
comment on column flanks.investments.extra is 'Every field of the provider that has no column here; null when there is none.';
comment on column flanks.investments.first_seen_at is 'When it first came.';
comment on column flanks.investments.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.investments.removed_at is 'When the provider stopped showing it; null while it shows it.';

create table flanks.liabilities (
  credential_id bigint not null,
  liability_id text collate "C" not null,
  entity text,
  alias text,
  description text,
  type text,
  balance numeric check (balance <> 'NaN'),
  available_balance numeric check (available_balance <> 'NaN'),
  credit_limit numeric check (credit_limit <> 'NaN'),
  currency text,
  provider_updated_at timestamptz,
  extra jsonb,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (credential_id, liability_id)
);
comment on table flanks.liabilities is 'The loans and other liabilities of each credential as the provider last showed them, one row each.';
comment on column flanks.liabilities.credential_id is 'The credential that shows it.';
comment on column flanks.liabilities.liability_id is 'The provider''s identification of the liability (liability_id, else _id): transactions.liability_id names it.';
comment on column flanks.liabilities.entity is 'The bank: entities.entity_id.';
comment on column flanks.liabilities.alias is 'The name that the end user or the bank gave it.';
comment on column flanks.liabilities.description is 'The bank''s text.';
comment on column flanks.liabilities.type is 'The provider''s type of the liability: mortgage, ...';
comment on column flanks.liabilities.balance is 'Balance: exactly the digits that the provider sent; negative is owed.';
comment on column flanks.liabilities.available_balance is 'What may still be drawn (availableBalance).';
comment on column flanks.liabilities.credit_limit is 'What was granted (limit).';
comment on column flanks.liabilities.currency is 'ISO 4217 code of the amounts.';
comment on column flanks.liabilities.provider_updated_at is 'When the provider last refreshed it (updated_at_timestamp).';
comment on column flanks.liabilities.extra is 'Every field of the provider that has no column here; null when there is none.';
comment on column flanks.liabilities.first_seen_at is 'When it first came.';
comment on column flanks.liabilities.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.liabilities.removed_at is 'When the provider stopped showing it; null while it shows it.';

create table flanks.portfolios (
  credential_id bigint not null,
  portfolio_id text collate "C" not null,
  entity text,
  alias text,
  description text,
  type text,
  balance numeric check (balance <> 'NaN'),
  currency text,
  ref_account text,
  ref_accounts jsonb,
  provider_updated_at timestamptz,
  extra jsonb,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (credential_id, portfolio_id)
);
comment on table flanks.portfolios is 'The portfolios of each credential as the provider last showed them, one row each; investments name theirs.';
comment on column flanks.portfolios.credential_id is 'The credential that shows it.';
comment on column flanks.portfolios.portfolio_id is 'The provider''s identification of the portfolio (portfolio_id, else _id): investments.portfolio_id names it.';
comment on column flanks.portfolios.entity is 'The bank: entities.entity_id.';
comment on column flanks.portfolios.alias is 'The name that the end user or the bank gave it.';
comment on column flanks.portfolios.description is 'The bank''s text.';
comment on column flanks.portfolios.type is 'The provider''s type of the portfolio.';
comment on column flanks.portfolios.balance is 'Its value: exactly the digits that the provider sent.';
comment on column flanks.portfolios.currency is 'ISO 4217 code of the value.';
comment on column flanks.portfolios.ref_account is 'The account that it settles through (refAccount): accounts.account_id.';
comment on column flanks.portfolios.ref_accounts is 'The same, where the provider sends a list (refAccounts).';
comment on column flanks.portfolios.provider_updated_at is 'When the provider last refreshed it (updated_at_timestamp).';
comment on column flanks.portfolios.extra is 'Every field of the provider that has no column here; null when there is none.';
comment on column flanks.portfolios.first_seen_at is 'When it first came.';
comment on column flanks.portfolios.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.portfolios.removed_at is 'When the provider stopped showing it; null while it shows it.';

create table flanks.identities (
  credential_id bigint not null,
  identity_id text collate "C" not null,
  name text,
  document text,
  contact_info jsonb,
  address text,
  extra jsonb,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (credential_id, identity_id)
);
comment on table flanks.identities is 'Who the bank says that the person behind a credential is.';
comment on column flanks.identities.credential_id is 'The credential that shows it.';
comment on column flanks.identities.identity_id is 'The provider''s identification of the identity (_id).';
comment on column flanks.identities.name is 'Name.';
comment on column flanks.identities.document is 'Number of the identity document.';
comment on column flanks.identities.contact_info is 'E-mail addresses, telephone numbers (contactInfo).';
comment on column flanks.identities.address is 'Postal address; one that the provider sends in parts is in extra.';
comment on column flanks.identities.extra is 'Every field of the provider that has no column here; null when there is none.';
comment on column flanks.identities.first_seen_at is 'When it first came.';
comment on column flanks.identities.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.identities.removed_at is 'When the provider stopped showing it; null while it shows it.';

create table flanks.holders (
  credential_id bigint not null,
  holder_id text collate "C" not null,
  product_id text,
  rel text,
  name text,
  document text,
  extra jsonb,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (credential_id, holder_id)
);
comment on table flanks.holders is 'Who holds which product, and as what: one row per product, person and relation. The provider gives holders no identification of their own; see holder_id.';
comment on column flanks.holders.credential_id is 'The credential that shows it.';
comment on column flanks.holders.holder_id is 'Made here: the list [product_id, rel, "document" or "name", its value]. The document tells people apart where it is known, the name where it is not; the relation belongs to it, so that a change of it ends one row and begins another, and nothing is overwritten.';
comment on column flanks.holders.product_id is 'The account, card, investment, liability or portfolio.';
comment on column flanks.holders.rel is 'The relation: Titular (holder), Autorizado (authorised), ...';
comment on column flanks.holders.name is 'Name.';
comment on column flanks.holders.document is 'Number of the identity document.';
comment on column flanks.holders.extra is 'Every field of the provider that has no column here; null when there is none.';
comment on column flanks.holders.first_seen_at is 'When it first came.';
comment on column flanks.holders.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.holders.removed_at is 'When the provider stopped showing it; null while it shows it.';

-- ------------------------------------------------------------------------------------------------ balances

create table flanks.balances (
  credential_id bigint not null,
  product text not null check (product in ('account', 'card', 'investment', 'liability', 'portfolio')),
  product_id text collate "C" not null,
  day date not null,
  balance numeric not null check (balance <> 'NaN'),
  currency text,
  updated_at timestamptz not null default now(),
  -- Also the question that is asked of it: this product's balance from day to day.
  primary key (credential_id, product, product_id, day)
);
comment on table flanks.balances is 'The balance of every product on every day that the provider refreshed it: one row a day, the last refresh of the day wins.';
comment on column flanks.balances.credential_id is 'The credential that shows the product.';
comment on column flanks.balances.product is 'account, card, investment (its value), liability or portfolio (its value).';
comment on column flanks.balances.product_id is 'The product: account_id, card_id, ...';
comment on column flanks.balances.day is 'UTC day of the provider''s refresh; of our reading, where the provider did not say when it refreshed.';
comment on column flanks.balances.balance is 'Exactly the digits that the provider sent.';
comment on column flanks.balances.currency is 'ISO 4217 code of the balance.';
comment on column flanks.balances.updated_at is 'When this row was last written.';

-- ------------------------------------------------------------------------------------------------ entities

create table flanks.entities (
  entity_id text collate "C" primary key,
  name text,
  extra jsonb,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table flanks.entities is 'The banks that the provider knows. One that it no longer lists stays: rows may name it.';
comment on column flanks.entities.entity_id is 'The provider''s identifier of the bank: credentials.bank, entity of a product.';
comment on column flanks.entities.name is 'Its name for people.';
comment on column flanks.entities.extra is 'Every other field of the provider; null when there is none.';
comment on column flanks.entities.first_seen_at is 'When it first came.';
comment on column flanks.entities.updated_at is 'When this row was last written.';

create table flanks.entity_refresh (
  only_row boolean primary key default true check (only_row),
  attempted_at timestamptz not null default '-infinity',
  succeeded_at timestamptz,
  refused integer not null default 0,
  last_error text
);
insert into flanks.entity_refresh default values;
comment on table flanks.entity_refresh is 'When the list of banks was last read: once a day, by one of the daemons. One row.';
comment on column flanks.entity_refresh.only_row is 'True: there is one row.';
comment on column flanks.entity_refresh.attempted_at is 'When it was last tried.';
comment on column flanks.entity_refresh.succeeded_at is 'When it was last read whole and stored.';
comment on column flanks.entity_refresh.refused is 'Records of it that could not be stored.';
comment on column flanks.entity_refresh.last_error is 'What the last attempt failed with, or why a record was refused; null when all went well.';

-- ---------------------------------------------------------------------------------- runs, coverage, quarantine

-- Not in sync_runs: those speak of windows of transactions, and everything that reads them relies on it.
create table flanks.product_runs (
  product_run_id uuid primary key,
  run_id uuid not null,
  trigger text not null check (trigger in ('schedule', 'sweep', 'backfill', 'manual')),
  credential_id bigint not null,
  product text not null check (product in ('account', 'card', 'investment', 'liability', 'portfolio', 'identity', 'holder')),
  outcome text not null check (outcome in ('ok', 'partial', 'failed', 'suspicious')),
  fetched bigint not null default 0,
  inserted bigint not null default 0,
  updated bigint not null default 0,
  unchanged bigint not null default 0,
  duplicates bigint not null default 0,
  removed bigint not null default 0,
  quarantined bigint not null default 0,
  warnings bigint not null default 0,
  error_class text,
  error_stage text,
  error_message text,
  error_hint text,
  http_status integer,
  provider_code text,
  trace_id text,
  response_bytes bigint not null default 0,
  provider_updated_at timestamptz,
  started_at timestamptz not null,
  finished_at timestamptz not null default clock_timestamp(),
  check (fetched = inserted + updated + unchanged + duplicates + quarantined)
);
-- What happened to this credential's products lately.
create index product_runs_by_credential on flanks.product_runs (credential_id, started_at);
-- What happened last night: written in this order, so BRIN does.
create index product_runs_by_time on flanks.product_runs using brin (started_at) with (autosummarize = on);
comment on table flanks.product_runs is 'One row per fetch of one kind of product of one credential: what came, what was written, how it ended. What was not fetched is in product_coverage.';
comment on column flanks.product_runs.product_run_id is 'This row.';
comment on column flanks.product_runs.run_id is 'One cycle of the daemon, one backfill or one sync command: the same as in sync_runs.';
comment on column flanks.product_runs.trigger is 'schedule, sweep, backfill or manual.';
comment on column flanks.product_runs.credential_id is 'The credential.';
comment on column flanks.product_runs.product is 'account, card, investment, liability, portfolio, identity or holder.';
comment on column flanks.product_runs.outcome is 'ok; partial (some records in quarantine); failed (nothing stored); suspicious (stored, but so much had vanished that nothing was marked as removed).';
comment on column flanks.product_runs.fetched is 'Records in the response = inserted + updated + unchanged + duplicates + quarantined.';
comment on column flanks.product_runs.inserted is 'Rows that were new.';
comment on column flanks.product_runs.updated is 'Rows whose content changed, or that came back.';
comment on column flanks.product_runs.unchanged is 'Records that were stored already, equal.';
comment on column flanks.product_runs.duplicates is 'Records that came before, equal, in the same response.';
comment on column flanks.product_runs.removed is 'Rows that the provider no longer shows.';
comment on column flanks.product_runs.quarantined is 'Records that could not be stored.';
comment on column flanks.product_runs.warnings is 'Records that were stored but changed on the way (U+0000); their bytes are in quarantine.';
comment on column flanks.product_runs.error_class is 'Short stable name of the error.';
comment on column flanks.product_runs.error_stage is 'How far it came: resolve, connect, tls, ..., write, commit.';
comment on column flanks.product_runs.error_message is 'The error, one sentence.';
comment on column flanks.product_runs.error_hint is 'What a person can do.';
comment on column flanks.product_runs.http_status is 'The provider''s HTTP status when it answered with an error.';
comment on column flanks.product_runs.provider_code is 'The provider''s error code.';
comment on column flanks.product_runs.trace_id is 'The provider''s trace_id: give it to their support.';
comment on column flanks.product_runs.response_bytes is 'Bytes of the response''s body.';
comment on column flanks.product_runs.provider_updated_at is 'The provider''s last refresh, as its status said at the start of this run.';
comment on column flanks.product_runs.started_at is 'When it began, by the daemon''s clock.';
comment on column flanks.product_runs.finished_at is 'When its record was written, by the database''s clock.';
comment on index flanks.product_runs_by_credential is 'What happened to a credential''s products lately.';
comment on index flanks.product_runs_by_time is 'What happened in a span of time.';

create table flanks.product_coverage (
  credential_id bigint not null references flanks.credentials,
  product text not null check (product in ('account', 'card', 'investment', 'liability', 'portfolio', 'identity', 'holder')),
  provider_seen_at timestamptz,
  last_success_at timestamptz,
  outcome text not null check (outcome in ('ok', 'partial', 'failed', 'suspicious', 'not_available')),
  reason text,
  doubted_at timestamptz,
  primary key (credential_id, product)
) with (fillfactor = 80);
comment on table flanks.product_coverage is 'How far each kind of product of each credential can be trusted: an empty table of cards means "no cards" only where its row here says ok.';
comment on column flanks.product_coverage.credential_id is 'The credential.';
comment on column flanks.product_coverage.product is 'account, card, investment, liability, portfolio, identity or holder.';
comment on column flanks.product_coverage.provider_seen_at is 'The watermark: the provider''s last refresh that has been read. Never goes back.';
comment on column flanks.product_coverage.last_success_at is 'When it was last fetched whole and stored.';
comment on column flanks.product_coverage.outcome is 'How the last attempt ended: as product_runs.outcome, or not_available (not fetched: the provider has not extracted it).';
comment on column flanks.product_coverage.reason is 'Why, where it is not ok.';
comment on column flanks.product_coverage.doubted_at is 'The refresh of the provider in which too much had vanished at once. A later one that says the same is believed.';

-- Bad records of products go where those of transactions go; `part` tells the two apart.
alter table flanks.quarantine drop constraint quarantine_product_check;
alter table flanks.quarantine add constraint quarantine_product_check
  check (product in ('account', 'card', 'investment', 'liability', 'portfolio', 'identity', 'holder'));
alter table flanks.quarantine add column part text not null default 'transactions' check (part in ('transactions', 'products'));
comment on column flanks.quarantine.part is 'transactions: it was an operation of the product; products: it was the product itself.';
comment on column flanks.quarantine.first_sync_run_id is 'The run that first met it: sync_runs.sync_run_id, for products product_runs.product_run_id.';
comment on column flanks.quarantine.last_sync_run_id is 'The run that last met it.';

-- ------------------------------------------------------------------------------------------------ user_assets

create view flanks.user_assets as
with products as (
  select credential_id, 'account' as product, account_id as product_id, coalesce(alias, description) as name, iban as number,
    type, balance, currency, is_owner, num_owners, owners, entity, first_seen_at, provider_updated_at
  from flanks.accounts where removed_at is null
  union all
  select credential_id, 'card', card_id, coalesce(alias, description), pan,
    type, balance, currency, null, null, null, entity, first_seen_at, provider_updated_at
  from flanks.cards where removed_at is null
  union all
  select credential_id, 'investment', investment_id, coalesce(alias, description, symbol), coalesce(isin, cusip),
    type, balance, currency, null, null, null, entity, first_seen_at, provider_updated_at
  from flanks.investments where removed_at is null
  union all
  select credential_id, 'liability', liability_id, coalesce(alias, description), null,
    type, balance, currency, null, null, null, entity, first_seen_at, provider_updated_at
  from flanks.liabilities where removed_at is null
  union all
  select credential_id, 'portfolio', portfolio_id, coalesce(alias, description), null,
    type, balance, currency, null, null, null, entity, first_seen_at, provider_updated_at
  from flanks.portfolios where removed_at is null)
select u.user_id, p.credential_id, coalesce(p.entity, c.bank) as bank, e.name as bank_name, p.product, p.product_id,
  p.name, p.number, p.type, p.balance, p.currency, p.is_owner, p.num_owners, p.owners,
  h.holders, i.identities, o.transactions, o.first_operation_date, o.last_operation_date,
  p.first_seen_at, coalesce(p.provider_updated_at, v.provider_seen_at) as as_of, v.last_success_at as verified_at
from flanks.user_credentials u
join flanks.credentials c using (credential_id)
join products p using (credential_id)
left join flanks.entities e on e.entity_id = coalesce(p.entity, c.bank)
left join flanks.product_coverage v on v.credential_id = p.credential_id and v.product = p.product
cross join lateral (
  select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', x.name, 'document', x.document, 'rel', x.rel)) order by x.holder_id) as holders
  from flanks.holders x
  where x.credential_id = p.credential_id and x.product_id = p.product_id and x.removed_at is null) h
cross join lateral (
  select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', x.name, 'document', x.document, 'contact_info', x.contact_info,
      'address', x.address)) order by x.identity_id) as identities
  from flanks.identities x
  where x.credential_id = p.credential_id and x.removed_at is null) i
-- A joint account's operations are rows of the credential that showed them first; the other ones have sightings of them.
cross join lateral (
  select count(*) as transactions, min(s.operation_date) as first_operation_date, max(s.operation_date) as last_operation_date
  from (
    select t.operation_date, t.product, t.account_id, t.card_id, t.investment_id, t.liability_id, t.portfolio_id
    from flanks.transactions t
    where t.credential_id = p.credential_id and t.removed_at is null
    union all
    select t.operation_date, t.product, t.account_id, t.card_id, t.investment_id, t.liability_id, t.portfolio_id
    from flanks.transaction_sightings g
    join flanks.transactions t using (_id)
    where g.credential_id = p.credential_id and t.credential_id <> p.credential_id and t.removed_at is null) s
  where s.product = case p.product when 'portfolio' then 'investment' else p.product end
    and p.product_id = case p.product when 'account' then s.account_id when 'card' then s.card_id
      when 'investment' then s.investment_id when 'liability' then s.liability_id else s.portfolio_id end) o;
comment on view flanks.user_assets is 'What each of your users owns and owes: every product that the provider shows today with its balance, its holders, the identity behind the login, and how far back its operations go. Filter by user_id. A joint account that one user has through two credentials is in it twice.';
comment on column flanks.user_assets.user_id is 'Your user.';
comment on column flanks.user_assets.credential_id is 'The credential that shows the product.';
comment on column flanks.user_assets.bank is 'The provider''s identifier of the bank.';
comment on column flanks.user_assets.bank_name is 'Its name for people; null until the list of banks has been read.';
comment on column flanks.user_assets.product is 'account, card, investment, liability or portfolio. A portfolio''s balance may be that of its investments: do not add the two up.';
comment on column flanks.user_assets.product_id is 'The product: account_id, card_id, ...';
comment on column flanks.user_assets.name is 'Its alias, else its description.';
comment on column flanks.user_assets.number is 'IBAN, masked card number, ISIN or CUSIP.';
comment on column flanks.user_assets.type is 'The provider''s type of it.';
comment on column flanks.user_assets.balance is 'Exactly the digits that the provider sent; negative is owed.';
comment on column flanks.user_assets.currency is 'ISO 4217 code of the balance.';
comment on column flanks.user_assets.is_owner is 'Accounts: the end user owns it; null where the provider does not say.';
comment on column flanks.user_assets.num_owners is 'Accounts: how many own it.';
comment on column flanks.user_assets.owners is 'Accounts: names of the owners.';
comment on column flanks.user_assets.holders is 'Who holds it, and as what: [{"name", "document", "rel"}]; null when the provider names nobody.';
comment on column flanks.user_assets.identities is 'Who the bank says that the person behind the login is: [{"name", "document", "contact_info", "address"}]; null when it does not say.';
comment on column flanks.user_assets.transactions is 'How many operations of it the provider shows.';
comment on column flanks.user_assets.first_operation_date is 'Day of the oldest of them.';
comment on column flanks.user_assets.last_operation_date is 'Day of the newest of them.';
comment on column flanks.user_assets.first_seen_at is 'When the product first came.';
comment on column flanks.user_assets.as_of is 'When the provider last refreshed it.';
comment on column flanks.user_assets.verified_at is 'When the mirror last read it from the provider.';
