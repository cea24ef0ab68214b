#include "db/prune.hpp"

#include <fmt/format.h>

#include <array>
#include <numeric>
#include <utility>

#include "db/pg/connection.hpp"
#include "db/pg/text_format.hpp"

namespace flanks {

namespace {

// A table whose rows go by themselves. x is the row, $1 the credentials, $2 the limit of its key,
// $3 that of revisions; both '-infinity' where nothing is to go.
struct prunable {
  const char* name;
  const char* table;
  const char* key;
  std::chrono::seconds retention_ages::*age;
  const char* condition;
};

// In this order: a run is looked at before what names it, so that a dry run counts what a pass
// deletes; the run itself goes with the next one.
constexpr std::array<prunable, 6> parts{{
    // A run that has written versions is kept as long as they are: `updated` and `removed` count
    // those of another credential's rows too, the look at the revisions finds what no count tells
    // (aged_out, rewritten).
    {"prune_sync_runs", "flanks.sync_runs", "retention.run_logs", &retention_ages::run_logs, R"(
x.started_at < $2::timestamptz
and exists (select from flanks.sync_runs n where n.credential_id = x.credential_id and n.product is not distinct from x.product
  and n.started_at >= x.started_at and (n.started_at, n.sync_run_id) > (x.started_at, x.sync_run_id))
and (x.updated + x.removed = 0 or x.finished_at < $3::timestamptz)
and not exists (select from flanks.transaction_revisions r where r.credential_id = x.credential_id
  and r.replaced_at between x.finished_at - interval '2 days' and x.finished_at and r.sync_run_id = x.sync_run_id)
and not exists (select from flanks.removal_reviews v where v.sync_run_id = x.sync_run_id)
and not exists (select from flanks.quarantine q where q.credential_id = x.credential_id
  and x.sync_run_id in (q.first_sync_run_id, q.last_sync_run_id, q.resolved_sync_run_id)))"},
    {"prune_product_runs", "flanks.product_runs", "retention.run_logs", &retention_ages::run_logs,
     R"(
x.started_at < $2::timestamptz and $3::text is not null
and exists (select from flanks.product_runs n where n.credential_id = x.credential_id and n.product = x.product
  and n.started_at >= x.started_at and (n.started_at, n.product_run_id) > (x.started_at, x.product_run_id))
and not exists (select from flanks.quarantine q where q.credential_id = x.credential_id
  and x.product_run_id in (q.first_sync_run_id, q.last_sync_run_id, q.resolved_sync_run_id)))"},
    // What was last proved is a gauge: all windows of that command.
    {"prune_verifications", "flanks.verifications", "retention.run_logs", &retention_ages::run_logs,
     R"(
x.finished_at < $2::timestamptz and $3::text is not null
and x.run_id <> (select n.run_id from flanks.verifications n where n.credential_id = x.credential_id and n.product = x.product
  order by n.finished_at desc limit 1))"},
    // Its state ended before the limit: what the newest row says, and what was so at the limit,
    // stays.
    {"prune_credential_states", "flanks.credential_states", "retention.credential_states",
     &retention_ages::credential_states, R"(
$3::text is not null and exists (select from flanks.credential_states n where n.credential_id = x.credential_id
  and n.from_at > x.from_at and n.from_at < $2::timestamptz))"},
    {"prune_quarantine", "flanks.quarantine", "retention.resolved_quarantine",
     &retention_ages::resolved_quarantine, R"(
x.resolved_at < $2::timestamptz and $3::text is not null)"},
    {"prune_revisions", "flanks.transaction_revisions", "retention.revisions",
     &retention_ages::revisions, R"(
x.replaced_at < $2::timestamptz and $3::text is not null)"},
}};
constexpr std::size_t removed_rows = parts.size();  // their lines come after the others
constexpr std::size_t their_revisions = removed_rows + 1;

// Not: what a succession may give back; what a person has been asked about, or has said is there;
// what keeps another credential's version in quarantine; what an older id leads to
// (flanks.current_id): the older one goes first.
constexpr const char* removed_condition = R"(
t.removed_at < $2::timestamptz and t.removal_reason is distinct from 'succeeded'
and not exists (select from flanks.transactions p where p.successor_id = t._id)
and t._id not in (select k._id from flanks.removal_candidates k join flanks.removal_reviews v using (sync_run_id)
  where v.state in ('open', 'rejected'))
and t._id not in (select q._id collate "C" from flanks.quarantine q where q.resolved_at is null))";

constexpr statement claim_sql{"claim_pruning", R"(
update flanks_internal.settings set pruned_at = now() where pruned_at < now() - interval '1 day')"};

constexpr statement limit_sql{"read_retention_limit", R"(
select to_char((now() - make_interval(secs => $1)) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))"};

constexpr statement credentials_sql{"read_credentials_to_prune", R"(
select credential_id from flanks.credentials where credential_id > $1 order by credential_id limit $2)"};

// In the order of every writer: first the lease, which a window holds locked from its begin to its
// end, then the credential. A removed credential has no lease.
constexpr statement lock_idle{"lock_credentials_to_prune", R"(
with idle as materialized (
  select credential_id from flanks_internal.leases where credential_id = any($1::bigint[])
  order by credential_id for update skip locked)
select c.credential_id from flanks.credentials c
where c.credential_id = any($1::bigint[]) and (c.credential_id in (select credential_id from idle)
  or not exists (select from flanks_internal.leases l where l.credential_id = c.credential_id))
order by c.credential_id for no key update of c skip locked)"};

std::string rows_text(const prunable& p) {
  return fmt::format("from unnest($1::bigint[]) c(id) join {} x on x.credential_id = c.id where {}",
                     p.table, p.condition);
}

// The texts are made once: a connection prepares them by their text.
const std::array<std::string, parts.size()>& delete_texts() {
  static const auto texts = [] {
    std::array<std::string, parts.size()> made;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      made.at(i) = fmt::format(
          "delete from {} where ctid = any(array(select x.ctid {} limit $4::bigint for update of x "
          "skip locked))",
          parts.at(i).table, rows_text(parts.at(i)));
    }
    return made;
  }();
  return texts;
}

const std::array<std::string, parts.size()>& count_texts() {
  static const auto texts = [] {
    std::array<std::string, parts.size()> made;
    for (std::size_t i = 0; i < parts.size(); ++i)
      made.at(i) = "select count(*) " + rows_text(parts.at(i));
    return made;
  }();
  return texts;
}

// Revisions that go by their own age are not counted here.
const std::string& count_removed_text() {
  static const std::string text = fmt::format(
      "select count(*), coalesce(sum((select count(*) from flanks.transaction_revisions r where "
      "r._id = t._id and r.replaced_at >= $3::timestamptz)), 0)::bigint "
      "from unnest($1::bigint[]) c(id) join flanks.transactions t on t.credential_id = c.id "
      "where {}",
      removed_condition);
  return text;
}

const std::string& find_removed_text() {
  static const std::string text = fmt::format(
      "select t._id, t.credential_id from unnest($1::bigint[]) c(id) join flanks.transactions t on "
      "t.credential_id = c.id where {} limit $3::bigint",
      removed_condition);
  return text;
}

// Looked at again, for the rows were not locked when they were found. The triggers on the table
// void the fingerprints of the credential, as for an erasure; sightings go with their row.
const std::string& delete_removed_text() {
  static const std::string text = fmt::format(
      R"(
with doomed as materialized (
  select t._id from unnest($3::text[]) i(_id) join flanks.transactions t on t._id = i._id
  where t.credential_id = any($1::bigint[]) and {} order by t._id for update of t skip locked),
versions as (
  delete from flanks.transaction_revisions r using doomed d where r._id = d._id returning 1),
gone as (
  delete from flanks.transactions t using doomed d where t._id = d._id returning 1)
select (select count(*) from gone), (select count(*) from versions))",
      removed_condition);
  return text;
}

std::string array_of_credentials(const pg_rows& rows) {
  array_literal ids;
  for (const auto& r : rows)
    ids.add(r[0].as<std::int64_t>());
  return ids.take();
}

}  // namespace

pruning::pruning(const retention_ages& keep, mode how, sizes batch)
    : keep_(keep), dry_run_(how == mode::dry_run), batch_(batch) {
  for (const prunable& p : parts)
    report_.push_back({p.table, p.key, "", 0});
  report_.push_back({"flanks.transactions", "retention.removed_rows", "", 0});
  report_.push_back({"flanks.transaction_revisions", "retention.removed_rows", "", 0});
}

pruning::pruning(const retention_ages& keep, mode how) : pruning(keep, how, sizes{}) {}

std::int64_t pruning::deleted() const {
  if (dry_run_) return 0;
  return std::accumulate(report_.begin(), report_.end(), std::int64_t{0},
                         [](std::int64_t sum, const pruned_rows& line) { return sum + line.rows; });
}

std::string pruning::limit_of(std::size_t part) const {
  const std::string& limit = report_.at(part).older_than;
  return limit.empty() ? "-infinity" : limit;
}

// By the database's clock, once: all batches of a pass have the same limits.
void pruning::read_limits(pg_connection& db) {
  const auto limit = [&](std::chrono::seconds age) -> std::string {
    if (age == retention_ages::never) return "";
    return db.run(limit_sql, sql_values(static_cast<std::int64_t>(age.count())))[0][0].c_str();
  };
  for (std::size_t i = 0; i < parts.size(); ++i)
    report_.at(i).older_than = limit(keep_.*parts.at(i).age);
  report_.at(removed_rows).older_than = limit(keep_.removed_rows);
  report_.at(their_revisions).older_than = report_.at(removed_rows).older_than;
  started_ = true;
}

bool pruning::next_credentials(pg_connection& db) {
  const pg_rows found = db.run(credentials_sql, sql_values(after_, batch_.credentials));
  if (found.empty()) return false;
  for (const auto& r : found)
    after_ = r[0].as<std::int64_t>();
  credentials_ = array_of_credentials(found);
  part_ = 0;
  return true;
}

// What it counts is noted after the commit: a batch that was not committed is done again.
std::int64_t pruning::prune_part(pg_connection& db, std::size_t part) {
  const std::string& text = (dry_run_ ? count_texts() : delete_texts()).at(part);
  sql_values values(credentials_, limit_of(part), limit_of(parts.size() - 1));
  if (!dry_run_) values.add(batch_.rows);
  db.begin();
  db.force_index_plans();
  const pg_rows done = db.run(statement{parts.at(part).name, text.c_str()}, values);
  const auto rows =
      dry_run_ ? done[0][0].as<std::int64_t>() : static_cast<std::int64_t>(done.affected_rows());
  db.commit();
  report_.at(part).rows += rows;
  return dry_run_ ? 0 : rows;
}

std::int64_t pruning::prune_removed(pg_connection& db) {
  const std::string limit = limit_of(removed_rows);
  std::int64_t rows = 0, versions = 0;
  db.begin();
  db.force_index_plans();
  if (dry_run_) {
    const pg_rows counted = db.run(statement{"count_removed_rows", count_removed_text().c_str()},
                                   sql_values(credentials_, limit, limit_of(parts.size() - 1)));
    rows = counted[0][0].as<std::int64_t>(), versions = counted[0][1].as<std::int64_t>();
  } else {
    array_literal ids, owners;
    for (const auto& r : db.run(statement{"find_removed_rows", find_removed_text().c_str()},
                                sql_values(credentials_, limit, batch_.rows))) {
      ids.add(r[0].view());
      owners.add(r[1].as<std::int64_t>());
    }
    const std::string idle = array_of_credentials(db.run(lock_idle, sql_values(owners.take())));
    const pg_rows gone = db.run(statement{"prune_removed_rows", delete_removed_text().c_str()},
                                sql_values(idle, limit, ids.take()));
    rows = gone[0][0].as<std::int64_t>(), versions = gone[0][1].as<std::int64_t>();
  }
  db.commit();
  report_.at(removed_rows).rows += rows;
  report_.at(their_revisions).rows += versions;
  return dry_run_ ? 0 : rows;
}

pruning::progress pruning::step(pg_connection& db) {
  if (!started_) read_limits(db);
  if (credentials_.empty() && !next_credentials(db)) return progress::done;
  for (; part_ <= removed_rows; ++part_) {
    if (report_.at(part_).older_than.empty()) continue;
    // The same credentials and table again until nothing is left.
    if ((part_ == removed_rows ? prune_removed(db) : prune_part(db, part_)) > 0)
      return progress::deleted;
  }
  credentials_.clear();
  return progress::looked;
}

bool claim_pruning(pg_connection& db) {
  return db.run(claim_sql).affected_rows() == 1;
}

}  // namespace flanks
