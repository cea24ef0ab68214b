#include "db/backfill.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "db/pg/array_columns.hpp"
#include "db/pg/text_format.hpp"

namespace flanks::backfill {

namespace {

// Arrays that are empty name everything. Removed credentials have no token: there is nothing to
// fetch them with. Paused ones are for whoever names them by their number.
constexpr statement resolve_sql{"resolve", R"(
select c.credential_id, c.paused and c.credential_id <> all($2::bigint[]) from flanks.credentials c
where c.removed_at is null
  and ((cardinality($1::text[]) = 0 and cardinality($2::bigint[]) = 0)
    or c.credential_id = any($2::bigint[])
    or c.credential_id in (select uc.credential_id from flanks.user_credentials uc where uc.user_id = any($1::text[])))
order by c.credential_id)"};

constexpr statement unknown_sql{"unknown_names", R"(
select format('user "%s" is not registered', u) from unnest($1::text[]) u
where not exists (select from flanks.user_credentials uc where uc.user_id = u)
union all
select format('credential %s is %s', n, case when exists (select from flanks.credentials c where c.credential_id = n)
  then 'removed' else 'not registered' end) from unnest($2::bigint[]) n
where not exists (select from flanks.credentials c where c.credential_id = n and c.removed_at is null)
limit 1)"};

// Two equal commands at once: the second waits here.
constexpr statement lock_plans{
    "lock_plans", "select pg_advisory_xact_lock(hashtextextended('flanks.backfill', 0))"};

constexpr statement find_plan{"find_plan", R"(
select b.backfill_id, b.window_from, b.window_to, count(i.item_id), count(i.done_at), count(distinct i.credential_id)
from flanks_internal.backfills b left join flanks_internal.backfill_items i
  on i.backfill_id = b.backfill_id and (i.done_at is not null or i.credential_id <> all($2::bigint[]))
where b.finished_at is null and b.arguments = $1::jsonb
group by b.backfill_id)"};

// Paused since the plan was made: no item of theirs keeps it open.
constexpr statement leave_out{"leave_out_of_backfill", R"(
delete from flanks_internal.backfill_items where backfill_id = $1 and done_at is null and credential_id = any($2::bigint[]))"};

constexpr statement close_plan{
    "close_plan",
    "update flanks_internal.backfills set finished_at = now() where backfill_id = $1"};
constexpr statement drop_plan{"drop_plan",
                              "delete from flanks_internal.backfills where backfill_id = $1"};

constexpr statement make_plan{"make_plan", R"(
insert into flanks_internal.backfills (arguments, window_from, window_to) values ($1::jsonb, $2, $3) returning backfill_id)"};

constexpr statement make_items{"make_items", R"(
insert into flanks_internal.backfill_items (backfill_id, credential_id, product, window_from, window_to)
select $1, c.id, p.name, $4, $5
from unnest($2::bigint[]) c(id) cross join unnest($3::text[]) with ordinality p(name, nr)
order by c.id, p.nr)"};

constexpr statement credentials_sql{"backfill_credentials", R"(
select distinct i.credential_id from flanks_internal.backfill_items i
where i.backfill_id = $1 and i.done_at is null and i.credential_id > $2
  and not exists (select from flanks.credentials c join flanks_internal.backfills b on b.backfill_id = $1
    where c.credential_id = i.credential_id and c.paused and c.credential_id <> all((b.arguments->>'credentials')::bigint[]))
order by i.credential_id limit $3)"};

// By the unique key: planned when the table was small, the index of what is open would be read from
// end to end ever after. So what is open is said in words that it does not know.
constexpr statement open_items_sql{"open_items", R"(
select i.backfill_id, i.credential_id, i.item_id, i.product, i.window_from, i.window_to
from unnest($1::bigint[], $2::bigint[]) a(backfill_id, credential_id)
join flanks_internal.backfill_items i using (backfill_id, credential_id)
where coalesce(i.done_at, 'infinity') = 'infinity' order by i.item_id)"};

constexpr statement fail_item_sql{"fail_item", R"(
update flanks_internal.backfill_items set attempts = attempts + 1, last_error = $2 where item_id = $1 and done_at is null)"};

constexpr statement skip_item_sql{"skip_item", R"(
update flanks_internal.backfill_items set done_at = now(), skipped = $2 where item_id = $1 and done_at is null)"};

constexpr statement finish_sql{"finish_backfill", R"(
with open as (select count(*) as n from flanks_internal.backfill_items where backfill_id = $1 and done_at is null),
closed as (
  update flanks_internal.backfills set finished_at = coalesce(finished_at, now())
  where backfill_id = $1 and (select n from open) = 0)
select n from open)"};

std::string text_array(std::vector<user_id> users) {
  std::sort(users.begin(), users.end());
  users.erase(std::unique(users.begin(), users.end()), users.end());
  array_literal out;
  for (const user_id& u : users)
    out.add(std::string_view(u.value));
  return out.take();
}

std::string id_array(std::vector<credential_id> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  array_literal out;
  for (const credential_id id : ids)
    out.add(id.value);
  return out.take();
}

std::vector<product> products_of(const selection& who) {
  std::vector<product> products;
  for (const product p : all_products) {
    const auto& named = who.products;
    if (named.empty() || std::find(named.begin(), named.end(), p) != named.end())
      products.push_back(p);
  }
  return products;
}

std::string product_array(const selection& who) {
  array_literal out;
  for (const product p : products_of(who))
    out.add(to_string(p));
  return out.take();
}

// What makes two commands the same one. The arrays are sorted, so their order on the command line
// does not matter; days that were not asked for do not count, so that a backfill of all history
// resumes on another day.
std::string arguments_of(const selection& who, window days, bool explicit_days) {
  const auto quoted = [](const std::string& array) {
    std::string out = "\"";
    for (const char c : array) {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
    return out + "\"";
  };
  std::string out =
      fmt::format(R"({{"users":{},"credentials":{},"products":{})", quoted(text_array(who.users)),
                  quoted(id_array(who.credentials)), quoted(product_array(who)));
  if (explicit_days) {
    out += fmt::format(R"(,"from":"{}","to":"{}")", to_string(days.from), to_string(days.to));
  }
  return out + "}";
}

std::optional<backfill_plan> find_unfinished(pg_connection& db, const std::string& arguments,
                                             const chosen_credentials& chosen) {
  const pg_rows r = db.run(find_plan, sql_values(arguments, id_array(chosen.paused)));
  if (r.empty()) return std::nullopt;
  backfill_plan found;
  found.backfill_id = r[0][0].as<std::int64_t>();
  found.resumed = true;
  found.days = {r[0][1].as<day>(), r[0][2].as<day>()};
  found.items = r[0][3].as<std::int64_t>();
  found.items_done = r[0][4].as<std::int64_t>();
  found.credentials = r[0][5].as<std::int64_t>();
  found.paused = static_cast<std::int64_t>(chosen.paused.size());
  return found;
}

backfill_plan new_plan(const selection& who, window days, const chosen_credentials& chosen) {
  backfill_plan plan;
  plan.days = days;
  plan.credentials = static_cast<std::int64_t>(chosen.ids.size());
  plan.paused = static_cast<std::int64_t>(chosen.paused.size());
  plan.items = plan.credentials * static_cast<std::int64_t>(products_of(who).size());
  return plan;
}

}  // namespace

chosen_credentials resolve(pg_connection& db, const selection& who) {
  const std::string users = text_array(who.users), ids = id_array(who.credentials);
  const pg_rows unknown = db.run(unknown_sql, sql_values(users, ids));
  if (!unknown.empty()) {
    throw failure(stage::configuration, verdict::stop, "unknown_name", unknown[0][0].c_str());
  }
  chosen_credentials found;
  const pg_rows rows = db.run(resolve_sql, sql_values(users, ids));
  found.ids.reserve(static_cast<std::size_t>(rows.size()));
  for (const auto& r : rows)
    (r[1].as<bool>() ? found.paused : found.ids).push_back(credential_id{r[0].as<std::int64_t>()});
  return found;
}

backfill_plan plan(pg_connection& db, const selection& who, window days, bool explicit_days,
                   bool restart) {
  const std::string arguments = arguments_of(who, days, explicit_days);
  db.begin();
  db.run(lock_plans);
  const chosen_credentials chosen = resolve(db, who);
  const std::optional<backfill_plan> found = find_unfinished(db, arguments, chosen);
  if (found && !restart && found->items_done < found->items) {
    db.run(leave_out, sql_values(found->backfill_id, id_array(chosen.paused)));
    db.commit();
    return *found;
  }
  if (found) db.run(restart ? drop_plan : close_plan, sql_values(found->backfill_id));
  backfill_plan made = new_plan(who, days, chosen);
  made.backfill_id =
      db.run(make_plan, sql_values(arguments, days.from, days.to))[0][0].as<std::int64_t>();
  db.run(make_items, sql_values(made.backfill_id, id_array(chosen.ids), product_array(who),
                                days.from, days.to));
  db.commit();
  return made;
}

backfill_plan preview(pg_connection& db, const selection& who, window days, bool explicit_days,
                      bool restart) {
  const chosen_credentials chosen = resolve(db, who);
  const auto found = find_unfinished(db, arguments_of(who, days, explicit_days), chosen);
  if (found && !restart && found->items_done < found->items) return *found;
  return new_plan(who, days, chosen);
}

std::vector<credential_id> credentials(pg_connection& db, std::int64_t backfill_id,
                                       credential_id after, int limit) {
  std::vector<credential_id> ids;
  const pg_rows rows = db.run(credentials_sql, sql_values(backfill_id, after, limit));
  for (const auto& r : rows)
    ids.push_back(credential_id{r[0].as<std::int64_t>()});
  return ids;
}

void apply(pg_connection& db, std::span<items_request* const> requests) {
  if (requests.empty()) return;
  array_columns rows;
  std::map<std::pair<std::int64_t, std::int64_t>, items_request*> by_key;
  for (items_request* r : requests) {
    rows.add(sql_values(r->backfill_id, r->id));
    r->result.clear();
    r->done = by_key.emplace(std::pair{r->backfill_id, r->id.value}, r).second;
  }
  for (const auto& r : db.run(open_items_sql, rows.take())) {
    by_key.at({r[0].as<std::int64_t>(), r[1].as<std::int64_t>()})
        ->result.push_back(
            {r[2].as<std::int64_t>(), r[3].as<product>(), {r[4].as<day>(), r[5].as<day>()}});
  }
}

void fail_item(pg_connection& db, std::int64_t item_id, const std::string& error) {
  db.run(fail_item_sql, sql_values(item_id, storable_words(error)));
}

void skip_item(pg_connection& db, std::int64_t item_id, const std::string& reason) {
  db.run(skip_item_sql, sql_values(item_id, storable_words(reason)));
}

std::int64_t finish(pg_connection& db, std::int64_t backfill_id) {
  return db.run(finish_sql, sql_values(backfill_id))[0][0].as<std::int64_t>();
}

}  // namespace flanks::backfill
