// The status page's list of credentials: searched, sorted, a page at a time.
#include <fmt/format.h>

#include "db/commands/page_reads.hpp"

namespace flanks {

namespace {

const char* column_of(credential_query::order by) {
  switch (by) {
    case credential_query::order::bank:
      return "t.bank";
    case credential_query::order::state:
      return "t.urgency";
    case credential_query::order::agreed:
      return "t.agreed_at";
    case credential_query::order::next:
      return "t.next_due_at";
    case credential_query::order::id:
      break;
  }
  return "t.credential_id";
}

// Whether one is stale, or has a problem, costs a look at all products: only where that is asked
// for.
bool asks_for_standing(const credential_query& asked) {
  return asked.by == credential_query::order::state || asked.state == "ok" ||
         asked.state == "stale" || asked.state == "problem";
}

std::string list_text(const credential_query& asked) {
  std::string text = "with fits as materialized (select t.* from (";
  text +=
      asks_for_standing(asked)
          ? FLANKS_CREDENTIALS_JUDGED
          : "select c.credential_id, coalesce(c.bank, '') as bank, case when c.removed_at is "
            "not null then 'removed' when c.paused then 'paused' else c.state end as state, "
            "coalesce(l.confirmed_at, c.created_at) as agreed_at, l.next_due_at "
            "from flanks.credentials c left join flanks_internal.schedule l using (credential_id) ";
  text +=
      asked.state == "removed" ? "where c.removed_at is not null" : "where c.removed_at is null";
  text +=
      ") t where ($1 = '' or t.credential_id::text = $1 or strpos(lower(t.bank), lower($1)) > 0 or "
      "t.credential_id in "
      "(select u.credential_id from flanks.user_credentials u where strpos(lower(u.user_id), "
      "lower($1)) > 0)) "
      "and ($2 = '' or t.bank = $2)";
  text +=
      asked.state == "problem" ? " and t.problem and $3 <> ''" : " and ($3 = '' or t.state = $3)";
  const char* way = asked.descending ? " desc" : "";
  text += fmt::format(
      ") select t.credential_id, n.total from (select count(*) as total from fits) n left join "
      "(select t.*, row_number() over (order by {}{} nulls last, t.credential_id{}) as place "
      "from fits t order by place limit $4 offset $5) t on true order by t.place",
      column_of(asked.by), way, way);
  return text;
}

}  // namespace

credential_list read_list(pg_connection& db, const credential_query& asked) {
  credential_list found;
  std::vector<credential_id> ids;
  const std::string text = list_text(asked);
  const std::int64_t offset = static_cast<std::int64_t>(asked.page - 1) * asked.limit;
  for (const auto& r :
       db.run({"page_credentials", text.c_str()},
              sql_values(asked.text, asked.bank, asked.state, asked.limit, offset))) {
    found.total = r[1].as<std::int64_t>();
    if (!r[0].is_null()) ids.push_back(credential_id{r[0].as<std::int64_t>()});
  }
  if (!ids.empty()) found.rows = read_status_of(db, ids);
  return found;
}

}  // namespace flanks
