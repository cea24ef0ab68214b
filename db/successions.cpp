#include "db/successions.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/departures.hpp"
#include "db/pg/connection.hpp"
#include "db/pg/text_format.hpp"
#include "sync/succession.hpp"
#include "sync/types.hpp"

namespace flanks::successions {

namespace {

// Both directions: `mine` may be the dead one or the living one. Products that a credential has
// under several ids (renumbered) are one member; it lives where one of them does.
constexpr statement find_pairs{"find_successions", R"(
with members as (
  select o.real_account_id, o.product, o.credential_id, bool_or(o.living) as living, max(o.iban) as iban
  from flanks_internal.identifiable_products o
  where o.product <> 'portfolio' and o.real_account_id in (
    select m.real_account_id from flanks_internal.identifiable_products m where m.credential_id = $1)
  group by o.real_account_id, o.product, o.credential_id)
select a.real_account_id, a.product, a.credential_id, b.credential_id, coalesce(a.iban = b.iban, false), a.living,
  coalesce(s.state, '')
from members a join members b using (real_account_id, product)
left join flanks.successions s on s.real_account_id = a.real_account_id and s.from_credential_id = a.credential_id
  and s.to_credential_id = b.credential_id
where a.credential_id <> b.credential_id and $1 in (a.credential_id, b.credential_id)
  and (not a.living and b.living and coalesce(s.state, '') <> 'rejected' or a.living and s.state = 'confirmed')
order by 1, 3, 4)"};

// The leases of both, in order; a removed credential has none. False: somebody else works on one.
constexpr statement lock_both{"lock_succession", R"(
select coalesce(bool_and(l.lease_id is null or l.expires_at < clock_timestamp() or l.credential_id = $3), true)
from (select * from flanks_internal.leases where credential_id in ($1, $2) order by credential_id for update) l)"};

// The operations of both on the days that the new credential speaks for, from the first that it
// shows on. Twins in the order of their _ids. One that both show under one _id is one row already.
constexpr std::string_view twins_sql = R"(
with ids as materialized (
  select credential_id, product_id from flanks_internal.identifiable_products
  where real_account_id = $1 and product = $2 and credential_id in ($3, $4)),
named as materialized (
  select t._id, t.credential_id = $3 as old, t.operation_date, t.amount, t.currency, t.description, t.balance
  from flanks.transactions t
  where t.credential_id in ($3, $4) and t.product = $2 and t.removed_at is null
    and (t.credential_id, coalesce(t.account_id, t.card_id, t.investment_id, t.liability_id)) in (select * from ids)
    and not exists (select from flanks.transaction_sightings s where s._id = t._id and s.credential_id = $4)),
spoken as (
  select (select min(operation_date) from named where not old) as first_day,
    (select v.days from flanks_internal.proved_days v where v.credential_id = $4 and v.product = $2) as days,
    (select v.days from flanks_internal.proved_days v where v.credential_id = $3 and v.product = $2) as old_days),
twins as (
  select n.*, row_number() over (partition by old, operation_date, amount, currency, description, balance order by _id) as twin
  from named n cross join spoken s where n.operation_date >= s.first_day and n.operation_date <@ s.days))";

// Those of the old credential, each with the one that it has become.
constexpr std::string_view pairs_sql = R"(
select max(t._id) filter (where t.old), max(t._id) filter (where not t.old), bool_or(t.operation_date <@ s.old_days), s.first_day
from twins t cross join spoken s
group by t.operation_date, t.amount, t.currency, t.description, t.balance, t.twin, s.first_day
having bool_or(t.old))";

// Those that only one of the two shows, of the days that both have read: the newest of each.
constexpr std::string_view alone_sql = R"(
select a.old, a._id, a.operation_date, a.amount, coalesce(a.currency, ''), coalesce(a.description, ''), a.rows
from (
  select bool_or(t.old) as old, max(t._id) as _id, t.operation_date, t.amount::text as amount, t.currency, t.description,
    count(*) over (partition by bool_or(t.old)) as rows,
    row_number() over (partition by bool_or(t.old) order by t.operation_date desc, max(t._id)) as nr
  from twins t cross join spoken s
  where t.operation_date <@ s.old_days
  group by t.operation_date, t.amount, t.currency, t.description, t.balance, t.twin
  having count(*) = 1) a
where a.nr <= $5 order by a.old desc, a.nr)";

constexpr statement write_sql{"write_succession", R"(
insert into flanks.successions as s (real_account_id, product, from_credential_id, to_credential_id, state, compared_rows, paired_rows,
  succeeded_rows, first_day, decided_at, decided_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, case when $5 <> 'open' then now() end, $10)
on conflict (real_account_id, from_credential_id, to_credential_id) do update set state = excluded.state,
  compared_rows = case when excluded.succeeded_rows > 0 or excluded.state = 'open' then excluded.compared_rows else s.compared_rows end,
  paired_rows = case when excluded.succeeded_rows > 0 or excluded.state = 'open' then excluded.paired_rows else s.paired_rows end,
  succeeded_rows = s.succeeded_rows + excluded.succeeded_rows, first_day = coalesce(excluded.first_day, s.first_day),
  decided_at = excluded.decided_at, decided_by = excluded.decided_by
where s.state <> excluded.state or excluded.succeeded_rows > 0
  or (s.compared_rows, s.paired_rows) is distinct from (excluded.compared_rows, excluded.paired_rows))"};

constexpr statement reverse_sql{"reverse_succession", R"(
update flanks.successions set state = 'reversed', succeeded_rows = 0, decided_at = now(), decided_by = null
where real_account_id = $1 and from_credential_id = $2 and to_credential_id = $3)"};

// They are two: what the new credential shows is a real account of its own from now on, known by
// the keys that nothing else has. find_real_accounts leaves it so.
constexpr statement split_sql{"split_real_account", R"(
with mine as materialized (
  select p.product, p.credential_id, p.product_id, p.iban from flanks_internal.identifiable_products p
  where p.real_account_id = $1 and p.credential_id = $2),
made as (
  insert into flanks.real_accounts (product, iban)
  select product, max(iban) from mine group by product returning real_account_id),
keys as (
  update flanks_internal.real_account_keys r set real_account_id = made.real_account_id
  from made
  where r.real_account_id = $1
    and (r.kind, r.key) in (select k.kind, k.key from flanks_internal.identifiable_products p
      cross join flanks_internal.real_account_keys_of(p) k where p.real_account_id = $1 and p.credential_id = $2)
    and (r.kind, r.key) not in (select k.kind, k.key from flanks_internal.identifiable_products p
      cross join flanks_internal.real_account_keys_of(p) k where p.real_account_id = $1 and p.credential_id <> $2))
select flanks_internal.set_real_account(m.product, m.credential_id, m.product_id, made.real_account_id)::text from mine m cross join made)"};

struct evidence {
  succession_facts facts;
  std::vector<departures::departure> rows;
  std::optional<std::string> first_day;
};

evidence compare(pg_connection& db, const succession_pair& p, bool same_iban) {
  evidence found;
  found.facts.same_iban = same_iban;
  static const std::string text = std::string(twins_sql).append(pairs_sql);
  const statement pair_rows{"pair_succession", text.c_str()};
  for (const auto& r : db.run(pair_rows, sql_values(p.real_account, p.what, p.from, p.to))) {
    const bool paired = !r[1].is_null();
    found.rows.push_back(
        {std::string(r[0].view()), "succeeded", paired ? std::string(r[1].view()) : std::string()});
    found.first_day = r[3].c_str();
    if (!r[2].as<bool>(false)) continue;
    ++found.facts.compared;
    if (paired) ++found.facts.paired;
  }
  return found;
}

void write(pg_connection& db, const succession_pair& p, std::string_view state,
           const evidence& found, std::int64_t succeeded,
           const std::optional<std::string>& decided_by) {
  db.run(write_sql, sql_values(p.real_account, p.what, p.from, p.to, state, found.facts.compared,
                               found.facts.paired, succeeded, found.first_day, decided_by));
}

void take_over(pg_connection& db, const succession_pair& p, evidence found,
               const std::optional<std::string>& decided_by) {
  departures::effect done;
  departures::remove(db, {p.from, product_from(p.what).value(), random_uuid()},
                     std::move(found.rows), done);
  write(db, p, "confirmed", found, done.removed, decided_by);
}

// `known`: the state of the succession as it is on record; empty: there is none. True when it is
// open now.
bool follow_pair(pg_connection& db, const succession_pair& p, bool same_iban, bool reverse,
                 const std::string& known) {
  if (reverse) {
    departures::restore_succeeded(db, {p.from, product_from(p.what).value(), random_uuid()},
                                  p.real_account);
    db.run(reverse_sql, sql_values(p.real_account, p.from, p.to));
    return false;
  }
  evidence found = compare(db, p, same_iban);
  // What has been decided holds for later days as well.
  const succession_verdict decided =
      known == "confirmed" ? succession_verdict::confirm : decide_succession(found.facts);
  if (found.rows.empty() || decided == succession_verdict::nothing) return false;
  if (decided == succession_verdict::review) {
    write(db, p, "open", found, 0, {});
    return true;
  }
  take_over(db, p, std::move(found), {});
  return false;
}

}  // namespace

std::vector<succession_pair> follow(pg_connection& db, credential_id id) {
  struct candidate {
    succession_pair who;
    bool same_iban, reverse;
    std::string state;
  };
  std::vector<candidate> candidates;
  for (const auto& r : db.run(find_pairs, sql_values(id))) {
    candidates.push_back(
        {{r[0].as<std::int64_t>(), r[1].c_str(), credential_id{r[2].as<std::int64_t>()},
          credential_id{r[3].as<std::int64_t>()}},
         r[4].as<bool>(),
         r[5].as<bool>(),
         r[6].c_str()});
  }
  std::vector<succession_pair> opened;
  for (const candidate& c : candidates) {
    db.begin();
    db.force_index_plans();
    const bool open =
        lock_leases(db, c.who, id) && follow_pair(db, c.who, c.same_iban, c.reverse, c.state);
    db.commit();
    if (open && c.state != "open") opened.push_back(c.who);
  }
  return opened;
}

bool lock_leases(pg_connection& db, const succession_pair& p, credential_id held) {
  return db.run(lock_both, sql_values(p.from, p.to, held))[0][0].as<bool>();
}

void apply_decision(pg_connection& db, const succession_pair& p, bool confirmed,
                    const std::string& who) {
  evidence found = compare(db, p, false);
  if (confirmed) {
    take_over(db, p, std::move(found), who);
  } else {
    write(db, p, "rejected", found, 0, who);
    db.run(split_sql, sql_values(p.real_account, p.to));
  }
}

unpaired_operations unpaired(pg_connection& db, const succession_pair& p, int limit) {
  static const std::string text = std::string(twins_sql).append(alone_sql);
  const statement alone{"unpaired_succession", text.c_str()};
  unpaired_operations found;
  for (const auto& r : db.run(alone, sql_values(p.real_account, p.what, p.from, p.to, limit))) {
    const bool old = r[0].as<bool>();
    (old ? found.from : found.to)
        .push_back({r[1].c_str(), r[2].c_str(), r[3].c_str(), r[4].c_str(), r[5].c_str()});
    (old ? found.from_rows : found.to_rows) = r[6].as<std::int64_t>();
  }
  return found;
}

}  // namespace flanks::successions
