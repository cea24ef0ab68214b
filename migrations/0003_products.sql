-- migrate:up
-- Every product of a credential as its latest state, their balances day by day, who holds them, the names of the banks.
--
-- A product is known by (credential_id, the provider's id). Two credentials that show one joint account have a row each:
-- a product says what one login sees of it (isOwner, alias), and the two may truly differ. What vanishes at the provider
-- keeps its row with removed_at, and comes back into the same row. No foreign key to credentials, as for transactions.

create table flanks.accounts (
  credential_id bigint not null,
  account_id text collate "C" not null,
  external_id text,
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
  real_account_id bigint,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (credential_id, account_id)
);
-- From a real account to what shows it.
create index accounts_by_real_account on flanks.accounts (real_account_id);
comment on table flanks.accounts is 'The accounts of each credential as the provider last showed them, one row each.';
comment on column flanks.accounts.credential_id is 'The credential that shows it.';
comment on column flanks.accounts.account_id is 'The provider''s identification of the account (account_id, else _id): transactions.account_id names it.';
comment on column flanks.accounts.external_id is 'The provider''s identification of it that is made from the user''s external_id in place of the token: the same after a new connection of the user.';
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
comment on column flanks.accounts.real_account_id is 'The account as the bank knows it: real_accounts. Others that show it are other credentials'' connections of it.';
comment on column flanks.accounts.first_seen_at is 'When it first came.';
comment on column flanks.accounts.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.accounts.removed_at is 'When the provider stopped showing it; null while it shows it.';
comment on index flanks.accounts_by_real_account is 'From a real account to the products that show it.';

create table flanks.cards (
  credential_id bigint not null,
  card_id text collate "C" not null,
  external_id text,
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
  real_account_id bigint,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (credential_id, card_id)
);
-- From a real account to what shows it.
create index cards_by_real_account on flanks.cards (real_account_id);
comment on table flanks.cards is 'The cards of each credential as the provider last showed them, one row each.';
comment on column flanks.cards.credential_id is 'The credential that shows it.';
comment on column flanks.cards.card_id is 'The provider''s identification of the card (card_id, else _id): transactions.card_id names it.';
comment on column flanks.cards.external_id is 'The provider''s identification of it that is made from the user''s external_id in place of the token: the same after a new connection of the user.';
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
comment on column flanks.cards.real_account_id is 'The card as the bank knows it: real_accounts. Others that show it are other credentials'' connections of it.';
comment on column flanks.cards.first_seen_at is 'When it first came.';
comment on column flanks.cards.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.cards.removed_at is 'When the provider stopped showing it; null while it shows it.';
comment on index flanks.cards_by_real_account is 'From a real account to the products that show it.';

create table flanks.investments (
  credential_id bigint not null,
  investment_id text collate "C" not null,
  external_id text,
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
  real_account_id bigint,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (credential_id, investment_id)
);
-- From a real account to what shows it.
create index investments_by_real_account on flanks.investments (real_account_id);
comment on table flanks.investments is 'The investments of each credential as the provider last showed them, one row each.';
comment on column flanks.investments.credential_id is 'The credential that shows it.';
comment on column flanks.investments.investment_id is 'The provider''s identification of the investment (investment_id, else _id): transactions.investment_id names it.';
comment on column flanks.investments.external_id is 'The provider''s identification of it that is made from the user''s external_id in place of the token: the same after a new connection of the user.';
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
comment on column flanks.investments.real_account_id is 'The investment as the bank knows it: real_accounts. Others that show it are other credentials'' connections of it.';
comment on column flanks.investments.first_seen_at is 'When it first came.';
comment on column flanks.investments.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.investments.removed_at is 'When the provider stopped showing it; null while it shows it.';
comment on index flanks.investments_by_real_account is 'From a real account to the products that show it.';

create table flanks.liabilities (
  credential_id bigint not null,
  liability_id text collate "C" not null,
  external_id text,
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
  real_account_id bigint,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (credential_id, liability_id)
);
-- From a real account to what shows it.
create index liabilities_by_real_account on flanks.liabilities (real_account_id);
comment on table flanks.liabilities is 'The loans and other liabilities of each credential as the provider last showed them, one row each.';
comment on column flanks.liabilities.credential_id is 'The credential that shows it.';
comment on column flanks.liabilities.liability_id is 'The provider''s identification of the liability (liability_id, else _id): transactions.liability_id names it.';
comment on column flanks.liabilities.external_id is 'The provider''s identification of it that is made from the user''s external_id in place of the token: the same after a new connection of the user.';
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
comment on column flanks.liabilities.real_account_id is 'The liability as the bank knows it: real_accounts. Others that show it are other credentials'' connections of it.';
comment on column flanks.liabilities.first_seen_at is 'When it first came.';
comment on column flanks.liabilities.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.liabilities.removed_at is 'When the provider stopped showing it; null while it shows it.';
comment on index flanks.liabilities_by_real_account is 'From a real account to the products that show it.';

create table flanks.portfolios (
  credential_id bigint not null,
  portfolio_id text collate "C" not null,
  external_id text,
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
  real_account_id bigint,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (credential_id, portfolio_id)
);
-- From a real account to what shows it.
create index portfolios_by_real_account on flanks.portfolios (real_account_id);
comment on table flanks.portfolios is 'The portfolios of each credential as the provider last showed them, one row each; investments name theirs.';
comment on column flanks.portfolios.credential_id is 'The credential that shows it.';
comment on column flanks.portfolios.portfolio_id is 'The provider''s identification of the portfolio (portfolio_id, else _id): investments.portfolio_id names it.';
comment on column flanks.portfolios.external_id is 'The provider''s identification of it that is made from the user''s external_id in place of the token: the same after a new connection of the user.';
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
comment on column flanks.portfolios.real_account_id is 'The portfolio as the bank knows it: real_accounts. Others that show it are other credentials'' connections of it.';
comment on column flanks.portfolios.first_seen_at is 'When it first came.';
comment on column flanks.portfolios.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.portfolios.removed_at is 'When the provider stopped showing it; null while it shows it.';
comment on index flanks.portfolios_by_real_account is 'From a real account to the products that show it.';

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

-- -------------------------------------------------------------------------------------------------------- balances

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

-- -------------------------------------------------------------------------------------------------------- entities

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
comment on table flanks.entity_refresh is 'When the list of banks was last read: once a day, by one of the daemons. One row.';
comment on column flanks.entity_refresh.only_row is 'True: there is one row.';
comment on column flanks.entity_refresh.attempted_at is 'When it was last tried.';
comment on column flanks.entity_refresh.succeeded_at is 'When it was last read whole and stored.';
comment on column flanks.entity_refresh.refused is 'Records of it that could not be stored.';
comment on column flanks.entity_refresh.last_error is 'What the last attempt failed with, or why a record was refused; null when all went well.';

insert into flanks.entity_refresh default values;
