#include "db/commands/succession_reviews.hpp"

#include <fmt/format.h>

#include "db/commands/run_explained.hpp"
#include "db/pg/text_format.hpp"
#include "db/successions.hpp"

namespace flanks::succession_reviews {

namespace {

constexpr statement list_sql{"list_successions", R"(
select s.succession_id, s.real_account_id, s.product, coalesce(a.iban, ''), s.state,
  to_char(s.raised_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), coalesce(s.first_day::text, ''), coalesce(s.decided_by, ''),
  s.from_credential_id, s.to_credential_id, s.compared_rows, s.paired_rows, s.succeeded_rows
from flanks.successions s join flanks.real_accounts a using (real_account_id)
where ($1 or s.state = 'open') and ($2::bigint is null or s.succession_id = $2) order by s.raised_at, s.succession_id)"};

succession read_one(const pg_row& r) {
  succession s;
  s.id = r[0].as<std::int64_t>();
  s.real_account = r[1].as<std::int64_t>();
  s.product = r[2].c_str();
  s.iban = r[3].c_str();
  s.state = r[4].c_str();
  s.raised_at = r[5].c_str();
  s.first_day = r[6].c_str();
  s.decided_by = r[7].c_str();
  s.from = credential_id{r[8].as<std::int64_t>()};
  s.to = credential_id{r[9].as<std::int64_t>()};
  s.compared = r[10].as<std::int64_t>();
  s.paired = r[11].as<std::int64_t>();
  s.succeeded = r[12].as<std::int64_t>();
  return s;
}

[[noreturn]] void refuse_unknown(std::int64_t id, const std::string& why) {
  throw failure(stage::configuration, verdict::stop, "unknown_succession",
                fmt::format("succession {} {}", id, why));
}

succession find(pg_connection& db, std::int64_t id) {
  const pg_rows found = db.run(list_sql, sql_values(true, id));
  if (found.empty()) refuse_unknown(id, "does not exist");
  return read_one(found[0]);
}

succession decide(const db_options& options, std::int64_t id, bool confirmed) {
  return on_own_connection(options, [&](pg_connection& db) {
    db.begin();
    const succession s = find(db, id);
    if (s.state != "open") refuse_unknown(id, fmt::format("is {} already", s.state));
    const succession_pair p{s.real_account, s.product, s.from, s.to};
    if (!successions::lock_leases(db, p, credential_id{0})) {
      throw failure(
          stage::lease, verdict::later, "succession_busy",
          fmt::format("credential {} or {} is being synchronised now", s.from.value, s.to.value));
    }
    const std::string who = db.run({"read_user", "select session_user"})[0][0].c_str();
    successions::apply_decision(db, p, confirmed, who);
    const succession decided = find(db, id);
    db.commit();
    return decided;
  });
}

}  // namespace

std::vector<succession> list(const db_options& options, bool all) {
  return on_own_connection(options, [&](pg_connection& db) {
    std::vector<succession> found;
    for (const auto& r : db.run(list_sql, sql_values(all, nullptr)))
      found.push_back(read_one(r));
    return found;
  });
}

succession show(const db_options& options, std::int64_t id) {
  constexpr int listed = 20;
  return on_own_connection(options, [&](pg_connection& db) {
    succession s = find(db, id);
    if (s.state == "open")
      s.unpaired = successions::unpaired(db, {s.real_account, s.product, s.from, s.to}, listed);
    return s;
  });
}

succession confirm(const db_options& options, std::int64_t id) {
  return decide(options, id, true);
}

succession reject(const db_options& options, std::int64_t id) {
  return decide(options, id, false);
}

}  // namespace flanks::succession_reviews
