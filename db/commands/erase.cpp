#include "db/commands/erase.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "db/commands/run_explained.hpp"
#include "db/pg/text_format.hpp"

namespace flanks {

namespace {

// Now or once: `credentials remove` ends the links and leaves the rows.
constexpr statement owned_sql{"erase_owned", R"(
select credential_id from flanks.user_credentials where user_id = $1
union select credential_id from flanks_internal.former_users where user_id = $1 order by 1)"};

// The order of every writer: first the lease, then the credential. Who registers one of them for
// another user meanwhile waits for these locks, or we for him.
constexpr statement lock_leases{"erase_lock_leases", R"(
select from flanks_internal.leases where credential_id = any($1::bigint[]) order by credential_id for update)"};
constexpr statement lock_credentials{"erase_lock_credentials", R"(
select from flanks.credentials where credential_id = any($1::bigint[]) order by credential_id for update)"};

// Another user's too: linked now; or nobody is linked any more, and another one was.
constexpr statement shared_sql{"erase_shared", R"(
select c.id from unnest($1::bigint[]) c(id)
where exists (select from flanks.user_credentials u where u.credential_id = c.id and u.user_id <> $2)
   or (not exists (select from flanks.user_credentials u where u.credential_id = c.id)
       and exists (select from flanks_internal.former_users f where f.credential_id = c.id and f.user_id <> $2))
order by 1)"};

constexpr statement plans_sql{"erase_plans", R"(
select backfill_id from flanks_internal.backfills
where $1 = any((arguments->>'users')::text[]) or (arguments->>'credentials')::bigint[] && $2::bigint[])"};

constexpr statement write_tombstones{"erase_tombstones", R"(
insert into flanks_internal.erased_tokens (token_digest)
select token_digest from flanks_internal.credentials_tokens where credential_id = any($1::bigint[]) on conflict do nothing)"};

// A sighting that is being written holds its operation by its foreign key: after this, every one is
// there to be seen, and no new one can come.
constexpr statement lock_rows{"erase_lock_rows", R"(
select from flanks.transactions where credential_id = any($1::bigint[]) for update)"};

// The other credential's version of a joint operation could not be stored because ours was: it must
// be read again, all of it, for nobody knows how old it is.
constexpr statement read_again{"erase_read_again", R"(
with losers as (
  select distinct q.credential_id, q.product from flanks.quarantine q
  join flanks.transactions t on t._id = q._id collate "C"
  where q.reason = 'joint_conflict' and q.resolved_at is null and t.credential_id = any($1::bigint[]) and q.credential_id <> all($1::bigint[]))
update flanks.coverage c set provider_seen_at = null, last_sweep_at = null
from losers l where c.credential_id = l.credential_id and c.product = l.product)"};

constexpr statement hand_over{"erase_hand_over", R"(
with heirs as (
  select distinct on (s._id) s._id, s.credential_id, s.product
  from flanks.transaction_sightings s
  join flanks.transactions t on t._id = s._id
  join flanks.credentials c on c.credential_id = s.credential_id
  where t.credential_id = any($1::bigint[]) and s.credential_id <> all($1::bigint[])
  order by s._id, c.removed_at is not null, s.credential_id),
noted as (
  delete from flanks.transaction_sightings s using heirs h where s._id = h._id and s.credential_id = h.credential_id)
update flanks.transactions t set credential_id = h.credential_id, product = h.product, updated_at = now()
from heirs h where t._id = h._id)"};

// What an operation of somebody else's has become, or had become once, names none of these.
constexpr statement forget_successors{"erase_successors", R"(
update flanks.transactions t set successor_id = null from flanks.transactions v
where v.credential_id = any($1::bigint[]) and t.successor_id = v._id and t.credential_id <> all($1::bigint[]))"};
constexpr statement forget_old_successors{"erase_old_successors", R"(
update flanks.transaction_revisions r set content = r.content || '{"successor_id": null}'
where r.credential_id in (select s.from_credential_id from flanks.successions s where s.to_credential_id = any($1::bigint[]))
  and r.credential_id <> all($1::bigint[])
  and r.content->>'successor_id' in (select v._id from flanks.transactions v where v.credential_id = any($1::bigint[])))"};
constexpr statement delete_successions{"erase_successions", R"(
delete from flanks.successions where from_credential_id = any($1::bigint[]) or to_credential_id = any($1::bigint[]))"};
// By what their products were known: the user's name, and ids that are made from it.
constexpr statement delete_keys{"erase_real_account_keys", R"(
delete from flanks_internal.real_account_keys k
where k.kind = 'masked_number' and right(k.key, length($2) + 1) = ' ' || $2
  or (k.product, k.key) in (select p.product, p.external_id from flanks_internal.identifiable_products p
    where p.credential_id = any($1::bigint[])) and k.kind = 'external_id')"};
constexpr statement real_accounts_sql{"erase_find_real_accounts", R"(
select distinct real_account_id from flanks_internal.identifiable_products
where credential_id = any($1::bigint[]) and real_account_id is not null)"};
// Those that nobody shows any more.
constexpr statement delete_real_accounts{"erase_real_accounts", R"(
delete from flanks.real_accounts a where a.real_account_id = any($1::bigint[])
  and not exists (select from flanks_internal.identifiable_products p where p.real_account_id = a.real_account_id))"};

constexpr statement delete_rows{
    "erase_transactions",
    "delete from flanks.transactions where credential_id = any($1::bigint[])"};
constexpr statement unlink_user{"erase_links", R"(
delete from flanks.user_credentials where user_id = $1 or credential_id = any($2::bigint[]))"};
constexpr statement delete_plan{
    "erase_plan", "delete from flanks_internal.backfills where backfill_id = any($1::bigint[])"};
constexpr statement delete_credentials{
    "erase_credentials", "delete from flanks.credentials where credential_id = any($1::bigint[])"};

// Every table that has the column, but credentials itself, which the others refer to.
constexpr statement tables_sql{"erase_tables", R"(
select format('%I.%I', n.nspname, c.relname)
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('flanks', 'flanks_internal') and c.relkind in ('r', 'p') and not c.relispartition
  and a.attname = $1 and not a.attisdropped and c.oid <> 'flanks.credentials'::regclass
order by n.nspname, c.relname)"};

constexpr statement erase_savepoint{"savepoint", "savepoint piece"};
constexpr statement erase_release{"release", "release savepoint piece"};
constexpr statement erase_undo{"undo", "rollback to savepoint piece"};

std::string array_of(const std::vector<credential_id>& ids) {
  array_literal out;
  for (const credential_id id : ids)
    out.add(id.value);
  return out.take();
}

std::vector<credential_id> ids_of(const pg_rows& rows) {
  std::vector<credential_id> ids;
  for (const auto& r : rows)
    ids.push_back(credential_id{r[0].as<std::int64_t>()});
  return ids;
}

class eraser {
 public:
  eraser(pg_connection& db, user_id user) : db_(db), user_(std::move(user)) {}

  // Who goes and who stays.
  void decide(bool locked) {
    const std::vector<credential_id> owned = ids_of(db_.run(owned_sql, sql_values(user_.value)));
    const std::string all = array_of(owned);
    if (locked) db_.run(lock_leases, sql_values(all));
    if (locked) db_.run(lock_credentials, sql_values(all));
    report_.kept = ids_of(db_.run(shared_sql, sql_values(all, user_.value)));
    std::set_difference(owned.begin(), owned.end(), report_.kept.begin(), report_.kept.end(),
                        std::back_inserter(report_.erased));
    victims_ = array_of(report_.erased);
    array_literal plans;
    const auto named = db_.run(plans_sql, sql_values(user_.value, victims_));
    for (const auto& r : named)
      plans.add(r[0].as<std::int64_t>());
    plans_ = plans.take();
    if (owned.empty() && named.empty()) refuse();
  }

  erase_report erase() {
    decide(true);
    db_.run(write_tombstones, sql_values(victims_));
    db_.run(lock_rows, sql_values(victims_));
    db_.run(read_again, sql_values(victims_));
    report_.handed_over =
        static_cast<std::int64_t>(db_.run(hand_over, sql_values(victims_)).affected_rows());
    db_.run(forget_successors, sql_values(victims_));
    db_.run(forget_old_successors, sql_values(victims_));
    count("flanks.successions", db_.run(delete_successions, sql_values(victims_)));
    count("flanks_internal.real_account_keys",
          db_.run(delete_keys, sql_values(victims_, user_.value)));
    array_literal shown;
    for (const auto& r : db_.run(real_accounts_sql, sql_values(victims_)))
      shown.add(r[0].as<std::int64_t>());
    count("flanks.transactions", db_.run(delete_rows, sql_values(victims_)));
    count("flanks.user_credentials", db_.run(unlink_user, sql_values(user_.value, victims_)));
    count("flanks_internal.backfills", db_.run(delete_plan, sql_values(plans_)));
    sweep("credential_id", "= any($1::bigint[])", victims_);
    sweep("user_id", "= $1", user_.value);
    count("flanks.real_accounts", db_.run(delete_real_accounts, sql_values(shown.take())));
    count("flanks.credentials", db_.run(delete_credentials, sql_values(victims_)));
    return report_;
  }

  [[nodiscard]] const erase_report& report() const { return report_; }

 private:
  [[noreturn]] void refuse() const {
    throw failure(stage::configuration, verdict::stop, "unknown_user",
                  fmt::format("nothing is stored of user \"{}\"", user_.value));
  }

  void count(const std::string& table, const pg_rows& deleted) {
    const auto rows = static_cast<std::int64_t>(deleted.affected_rows());
    if (rows > 0) report_.tables.push_back({table, rows});
  }

  // Tables may refer to one another: one that cannot be emptied yet waits for the others.
  void sweep(const char* column, const char* condition, const std::string& value) {
    std::vector<std::string> left;
    const auto found = db_.run(tables_sql, sql_values(column));
    for (const auto& r : found)
      left.emplace_back(r[0].c_str());
    while (!left.empty()) {
      std::vector<std::string> waiting;
      std::optional<sql_problem> problem;
      for (const std::string& table : left) {
        const auto refused = empty(table, column, condition, value);
        if (!refused) continue;
        waiting.push_back(table);
        problem = refused;
      }
      if (waiting.size() == left.size()) throw *problem;
      left = std::move(waiting);
    }
  }

  std::optional<sql_problem> empty(const std::string& table, const char* column,
                                   const char* condition, const std::string& value) {
    const std::string text = fmt::format("delete from {} where {} {}", table, column, condition);
    db_.run(erase_savepoint);
    try {
      count(table, db_.run(statement{"erase_table", text.c_str()}, sql_values(value)));
    } catch (const sql_problem& problem) {
      if (problem.sqlstate != "23503") throw;  // foreign key: another table's turn
      db_.run(erase_undo);
      return problem;
    }
    db_.run(erase_release);
    return std::nullopt;
  }

  pg_connection& db_;
  user_id user_;
  erase_report report_;
  std::string victims_, plans_;
};

}  // namespace

erase_report preview_erase(const db_options& options, const user_id& user) {
  return on_own_connection(options, [&](pg_connection& db) {
    eraser e(db, user);
    e.decide(false);
    return e.report();
  });
}

erase_report erase_user(const db_options& options, const user_id& user) {
  return on_own_connection(options, [&](pg_connection& db) {
    db.begin();
    eraser e(db, user);
    const erase_report report = e.erase();
    db.commit();
    return report;
  });
}

}  // namespace flanks
