#include "db/commands/removal_reviews.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "db/commands/run_explained.hpp"
#include "db/departures.hpp"

namespace flanks::removal_reviews {

namespace {

constexpr statement list_sql{"list_reviews", R"(
select v.sync_run_id, v.credential_id, v.product, v.reason, v.state,
  to_char(v.raised_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), v.stored_rows, m.missing, m.first, m.last,
  coalesce(m.examples, '')
from flanks.removal_reviews v
cross join lateral (
  select count(*) as missing, min(t.operation_date) as first, max(t.operation_date) as last,
    array_to_string((array_agg(c._id order by t.operation_date desc, c._id))[1:3], E'\n') as examples
  from flanks.removal_candidates c left join flanks.transactions t using (_id) where c.sync_run_id = v.sync_run_id) m
where ($1 or v.state = 'open') and ($2::text is null or v.sync_run_id::text = $2)
order by v.raised_at, v.sync_run_id)"};

// Whoever synchronises the credential now may be about to show the rows: it must be at rest, and
// stays so while this lock is held. A removed credential has no lease.
constexpr statement busy_sql{"lock_idle_lease", R"(
select l.lease_id is not null and l.expires_at > clock_timestamp() from flanks_internal.leases l
where l.credential_id = $1 for update)"};

constexpr statement lock_review{"lock_review", R"(
select state from flanks.removal_reviews where sync_run_id::text = $1 for update)"};

constexpr statement candidates_sql{"read_candidates", R"(
select _id from flanks.removal_candidates where sync_run_id::text = $1)"};

constexpr statement decide_sql{"decide_review", R"(
update flanks.removal_reviews set state = $2, decided_at = now(), decided_by = session_user, removed_rows = $3
where sync_run_id::text = $1)"};

std::vector<review> read(pg_connection& db, bool all, const std::optional<std::string>& only) {
  std::vector<review> found;
  for (const auto& r : db.run(list_sql, sql_values(all, only))) {
    review v;
    v.sync_run_id = r[0].c_str();
    v.credential = credential_id{r[1].as<std::int64_t>()};
    v.what = r[2].c_str();
    v.reason = r[3].c_str();
    v.state = r[4].c_str();
    v.raised_at = r[5].c_str();
    v.stored = r[6].as<std::int64_t>();
    v.missing = r[7].as<std::int64_t>();
    if (!r[8].is_null()) v.first = r[8].c_str();
    if (!r[9].is_null()) v.last = r[9].c_str();
    const std::string examples = r[10].c_str();
    for (std::size_t at = 0; at < examples.size();) {
      const std::size_t end = std::min(examples.find('\n', at), examples.size());
      v.examples.push_back(examples.substr(at, end - at));
      at = end + 1;
    }
    found.push_back(std::move(v));
  }
  return found;
}

[[noreturn]] void refuse_unknown(const std::string& run, const std::string& why) {
  throw failure(stage::configuration, verdict::stop, "unknown_review",
                fmt::format("review {} {}", run, why));
}

decision_made decide(const db_options& options, const std::string& run, bool confirmed) {
  return on_own_connection(options, [&](pg_connection& db) {
    db.begin();
    std::vector<review> found = read(db, true, run);
    if (found.empty()) refuse_unknown(run, "does not exist");
    decision_made made{std::move(found[0]), 0};
    const review& about = made.about;
    // The lease before the review, as a window's commit takes them.
    const pg_rows lease = db.run(busy_sql, sql_values(about.credential));
    if (!lease.empty() && lease[0][0].as<bool>(false)) {
      throw failure(stage::lease, verdict::later, "review_busy",
                    fmt::format("credential {} is being synchronised now", about.credential.value));
    }
    const std::string state = db.run(lock_review, sql_values(run))[0][0].c_str();
    if (state != "open") refuse_unknown(run, fmt::format("is {} already", state));
    if (confirmed) {
      std::vector<departures::departure> rows;
      for (const auto& r : db.run(candidates_sql, sql_values(run)))
        rows.push_back({r[0].c_str(), "confirmed", {}});
      departures::effect done;
      departures::remove(db, {about.credential, product_from(about.what).value(), run},
                         std::move(rows), done);
      made.removed = done.removed;
    }
    db.run(decide_sql, sql_values(run, confirmed ? "confirmed" : "rejected", made.removed));
    db.commit();
    return made;
  });
}

}  // namespace

std::vector<review> list(const db_options& options, bool all) {
  return on_own_connection(options, [&](pg_connection& db) { return read(db, all, std::nullopt); });
}

decision_made confirm(const db_options& options, const std::string& sync_run_id) {
  return decide(options, sync_run_id, true);
}

decision_made reject(const db_options& options, const std::string& sync_run_id) {
  return decide(options, sync_run_id, false);
}

}  // namespace flanks::removal_reviews
