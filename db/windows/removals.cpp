#include "db/windows/removals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "db/pg/connection.hpp"
#include "db/pg/copy_binary.hpp"
#include "db/pg/text_format.hpp"
#include "db/transaction_sql.hpp"
#include "sync/text.hpp"

namespace flanks::removals {

namespace {

using departures::departure;
using departures::list_of_rows;

constexpr std::size_t chunk = 10'000;  // ids in one statement

constexpr statement read_under_review{"read_under_review", R"(
select c._id, v.state = 'open' from flanks.removal_reviews v join flanks.removal_candidates c using (sync_run_id)
where v.credential_id = $1 and v.product = $2 and v.state in ('open', 'rejected'))"};

constexpr statement withdraw_candidates{"withdraw_candidates", R"(
delete from flanks.removal_candidates c using flanks.removal_reviews v
where v.sync_run_id = c.sync_run_id and v.credential_id = $1 and v.product = $2 and v.state in ('open', 'rejected')
  and c._id = any($3::text[]))"};

// What of the window is live now: with what this answer has inserted, without what it moved away.
constexpr const char* live_rows = R"(copy (
select t._id from flanks.transactions t
where t.credential_id = {0} and t.product = '{1}' and t.operation_date between '{2}' and '{3}' and t.removed_at is null and t.aged_out_at is null
union all
select t._id from flanks.transaction_sightings s
join flanks.transactions t on t._id = s._id
join flanks.credentials c on c.credential_id = t.credential_id
where s.credential_id = {0} and s.product = '{1}' and t.credential_id <> {0} and t.operation_date between '{2}' and '{3}'
  and t.removed_at is null and t.aged_out_at is null and not flanks_internal.shows_nothing(c, '{4}')
) to stdout (format binary))";

constexpr statement resolve_sql{"resolve_reviews", R"(
update flanks.removal_reviews v set state = 'resolved', decided_at = now()
where v.credential_id = $1 and v.product = $2 and v.state = 'open'
  and not exists (select from flanks.removal_candidates c where c.sync_run_id = v.sync_run_id))"};

constexpr statement raise_sql{"raise_review", R"(
insert into flanks.removal_reviews as v (sync_run_id, credential_id, product, reason, stored_rows) values ($1, $2, $3, $4, $5)
on conflict (credential_id, product) where state = 'open'
do update set last_seen_at = now(), stored_rows = excluded.stored_rows, reason = excluded.reason
returning v.sync_run_id)"};

constexpr statement touch_sql{"touch_review", R"(
update flanks.removal_reviews set last_seen_at = now() where credential_id = $1 and product = $2 and state = 'open')"};

constexpr statement add_candidates{"insert_candidates", R"(
insert into flanks.removal_candidates (sync_run_id, _id) select $1, i from unnest($2::text[]) i order by i on conflict do nothing)"};

// What of the absent rows is no removal. Renumbered: the same answer (or one since the rows are
// under review) has brought a row that is equal but for its ids, each for one; twins in the order
// of their _ids. Aged out: older than all that the account still shows, unless so much of what is
// not older vanished too that the end of its history says nothing; or the account is closed. Sorted
// and grouped instead of joined: force_index_plans() would compare each with each.
constexpr const char* recognise_template = R"(
with products as materialized (
  select product_id, real_account_id, coalesce(real_account_id::text, '?' || product_id) as account, removed_at
  from flanks_internal.identifiable_products where credential_id = $1 and product = $2),
named as materialized (
  select t.*, t._id = any($3::text[]) as absent, p.real_account_id, coalesce(p.account, '?' || i.product_id) as account
  from flanks.transactions t
  cross join lateral (select coalesce(t.account_id, t.card_id, t.investment_id, t.liability_id) as product_id) i
  left join products p on p.product_id = i.product_id
  where t.credential_id = $1 and t.product = $2 and t.removed_at is null and t.aged_out_at is null),
shown as materialized (
  select account, min(operation_date) as first_day from named where not absent group by 1),
closed as materialized (
  select account from products group by 1
  having bool_and(removed_at is not null) and account not in (select account from shown where account is not null)),
twins as (
  select n._id, n.absent, n.real_account_id, {content},
    row_number() over (partition by n.absent, n.real_account_id, {content} order by n._id) as twin
  from named n
  where n.absent or n.first_seen_at >= least(coalesce(nullif($4, '')::timestamptz, now()),
    (select min(v.raised_at) from flanks.removal_reviews v where v.credential_id = $1 and v.product = $2 and v.state = 'open'))),
pairs as materialized (
  select max(_id) filter (where absent) as _id, max(_id) filter (where not absent) as successor_id
  from twins n group by real_account_id, twin, {content} having count(*) = 2),
doubtful as materialized (
  select n.account from named n join shown s on s.account = n.account
  where n.operation_date >= s.first_day and n._id not in (select _id from pairs)
  group by 1 having count(*) filter (where n.absent) > $6 and count(*) filter (where n.absent) * 100 > count(*) * $5::integer)
select _id, successor_id from pairs
union all
select n._id, null from named n
where n.absent and n.account is not null and n._id not in (select _id from pairs)
  and (n.operation_date < (select s.first_day from shown s where s.account = n.account)
      and n.account not in (select account from doubtful)
    or n.account in (select account from closed)))";

const std::string& recognise_text() {
  static const std::string text =
      fmt::format(fmt::runtime(recognise_template), fmt::arg("content", identity_columns("n")));
  return text;
}

constexpr statement read_now{"read_now", "select now()"};

// Hands out the ids as array literals of bounded length.
template <class Ids>
void in_chunks(const Ids& ids, const std::function<void(std::string)>& take) {
  array_literal part;
  std::size_t count = 0;
  for (const std::string& id : ids) {
    part.add(std::string_view(id));
    if (++count % chunk != 0) continue;
    take(part.take());
    part = array_literal{};
  }
  if (count % chunk != 0) take(part.take());
}

// Rows that a person has been asked about (open), or has said are still there (rejected).
struct under_review {
  std::unordered_set<std::string> open, rejected;
};

std::vector<departure> absentees(std::vector<std::string> ids) {
  std::vector<departure> rows;
  for (std::string& id : ids)
    rows.push_back({std::move(id), "absent", {}});
  return rows;
}

// Renumbers and ages out what is no removal; those rows leave `fresh`, the reviews and the facts.
void take_recognised(pg_connection& db, const list_of_rows& list, const std::string& since,
                     const removal_limits& limits, under_review& reviewed,
                     std::vector<std::string>& fresh, removal_facts& facts, result& done) {
  array_literal asked;
  for (const std::string& id : fresh)
    asked.add(std::string_view(id));
  for (const std::string& id : reviewed.open)
    asked.add(std::string_view(id));
  std::vector<departure> renumbered;
  array_literal aged, recognised;
  std::unordered_set<std::string> ids;
  for (const auto& r : db.run({"recognise_absent", recognise_text().c_str()},
                              sql_values(list.credential, to_string(list.what), asked.take(), since,
                                         limits.percent, limits.rows))) {
    const std::string id(r[0].view());
    if (!ids.insert(id).second) continue;
    recognised.add(std::string_view(id));
    if (r[1].is_null()) {
      aged.add(std::string_view(id));
    } else {
      renumbered.push_back({id, "renumbered", std::string(r[1].view())});
    }
  }
  if (ids.empty()) return;
  if (std::erase_if(reviewed.open, [&](const std::string& id) { return ids.contains(id); }) > 0) {
    db.run(withdraw_candidates,
           sql_values(list.credential, to_string(list.what), recognised.take()));
    db.run(resolve_sql, sql_values(list.credential, to_string(list.what)));
  }
  std::erase_if(fresh, [&](const std::string& id) { return ids.contains(id); });
  facts.stored -= static_cast<std::int64_t>(ids.size());
  departures::remove(db, list, std::move(renumbered), done.departed);
  departures::age_out(db, list, aged.take(), done.departed);
}

void raise(pg_connection& db, const list_of_rows& list, std::string_view reason,
           std::int64_t stored, const std::vector<std::string>& ids) {
  const pg_rows raised = db.run(raise_sql, sql_values(list.sync_run_id, list.credential,
                                                      to_string(list.what), reason, stored));
  const std::string name = raised[0][0].c_str();
  in_chunks(ids, [&](const std::string& part) { db.run(add_candidates, sql_values(name, part)); });
}

under_review load_under_review(pg_connection& db, const list_of_rows& list) {
  under_review reviewed;
  for (const auto& r : db.run(read_under_review, sql_values(list.credential, to_string(list.what))))
    (r[1].as<bool>() ? reviewed.open : reviewed.rejected).emplace(r[0].c_str());
  return reviewed;
}

// What this answer shows is under review no longer; an open review that has no row left is
// resolved.
void withdraw(pg_connection& db, const list_of_rows& list, under_review& reviewed,
              const window_diff& diff) {
  std::vector<std::string> back;
  for (auto* const ids : {&reviewed.open, &reviewed.rejected}) {
    for (const std::string& id : *ids)
      if (diff.shown(id)) back.push_back(id);
  }
  if (back.empty()) return;
  for (const std::string& id : back)
    reviewed.open.erase(id), reviewed.rejected.erase(id);
  in_chunks(back, [&](const std::string& part) {
    db.run(withdraw_candidates, sql_values(list.credential, to_string(list.what), part));
  });
  db.run(resolve_sql, sql_values(list.credential, to_string(list.what)));
}

// The ids themselves are read only when something is missing: the fingerprints are no more than
// hashes.
void collect_absent(pg_connection& db, const window_scope& scope, window provable,
                    const window_diff& diff, absent_rows& absent) {
  absent.unreadable += diff.unreadable();
  if (diff.shows_all()) {
    absent.stored += diff.stored().live();
    return;
  }
  const std::string text =
      fmt::format(fmt::runtime(live_rows), scope.credential.value, to_string(scope.what),
                  to_string(provable.from), to_string(provable.last_day()), db.handover_after());
  const std::size_t before = absent.ids.size();
  copy_binary copied;
  db.copy_out(statement{"load_live", text.c_str()}, [&](std::string_view bytes) {
    if (!copied.next(bytes)) return;
    const std::string_view id = copied.field();
    const fingerprint* const row = diff.stored().find(id);
    if (row == nullptr || !row->inside()) return;  // this answer has brought it here
    ++absent.stored;
    if (!diff.shown(id)) absent.ids.emplace_back(id);
  });
  if (diff.counts().fetched == 0 && absent.ids.size() > before) absent.empty_answer = true;
}

result decide_about(pg_connection& db, const list_of_rows& list, under_review& reviewed,
                    const absent_rows& absent, const removal_limits& limits) {
  removal_facts facts;
  facts.stored = absent.stored;
  facts.empty_answer = absent.empty_answer;
  facts.unreadable = absent.unreadable;
  std::vector<std::string> fresh;
  for (const std::string& id : absent.ids) {
    if (reviewed.rejected.contains(id)) {
      --facts.stored;  // a person knows that the provider does not show it
    } else if (!reviewed.open.contains(id)) {
      fresh.push_back(id);
    }
  }
  result done;
  // Of records that cannot be read nobody knows what they are.
  if (facts.unreadable == 0 && !absent.ids.empty())
    take_recognised(db, list, absent.since, limits, reviewed, fresh, facts, done);
  facts.fresh = static_cast<std::int64_t>(fresh.size());
  facts.under_review = std::count_if(absent.ids.begin(), absent.ids.end(),
                                     [&](const auto& id) { return reviewed.open.contains(id); });
  const removal_decision decision = decide_removal(facts, limits);
  done.suspicious = decision.suspicious;
  if (decision.what == removal_verdict::remove)
    departures::remove(db, list, absentees(std::move(fresh)), done.departed);
  if (decision.what == removal_verdict::review)
    raise(db, list, decision.reason, facts.stored, fresh);
  if (decision.suspicious) {
    db.run(touch_sql, sql_values(list.credential, to_string(list.what)));
    done.message =
        fmt::format("the provider no longer shows {} of {} that it showed before{}; {} removed",
                    facts.fresh + facts.under_review, counted(facts.stored, "row"),
                    facts.empty_answer ? ", and its answer was empty" : "",
                    done.departed.removed == 0
                        ? std::string("none was")
                        : counted(done.departed.removed, "new one was", "new ones were"));
  }
  return done;
}

}  // namespace

result apply(pg_connection& db, const window_scope& scope, const std::string& sync_run_id,
             const window_evidence& evidence, window_diff& diff, absent_rows& absent,
             bool has_reviews) {
  for (const std::string& id : absent.shown)
    diff.shown_before(id);
  std::erase_if(absent.ids, [&](const std::string& id) { return diff.shown(id); });
  if (evidence.provable && !scope.filtered())
    collect_absent(db, scope, *evidence.provable, diff, absent);
  if (evidence.rested_connection && (diff.shows_others() || !absent.ids.empty())) {
    throw unconfirmed_answer(scope.credential,
                             fmt::format("{} transactions", to_string(scope.what)));
  }
  const list_of_rows list{scope.credential, scope.what, sync_run_id};
  under_review reviewed;
  if (has_reviews) {
    reviewed = load_under_review(db, list);
    withdraw(db, list, reviewed, diff);
  }
  if (evidence.last_part) return decide_about(db, list, reviewed, absent, evidence.limits);
  if (absent.since.empty()) absent.since = db.run(read_now)[0][0].c_str();
  absent.shown.insert(absent.shown.end(), diff.shown_for_later().begin(),
                      diff.shown_for_later().end());
  return {};
}

}  // namespace flanks::removals
