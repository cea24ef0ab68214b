#include "db/commands/registry.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "db/commands/run_explained.hpp"
#include "db/tokens.hpp"

namespace flanks {

namespace {

// One row for each user of a credential (one with none has one row, without user), so that no array
// has to be read.
constexpr statement list_sql{"list_credentials", R"(
select c.credential_id, s.state, c.bank, c.pause_reason, to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  to_char(s.last_attempt_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), to_char(c.last_success_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  to_char(c.last_new_data_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), to_char(s.provider_updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  s.last_error, s.last_error_hint, s.what_next, uc.user_id
from flanks.credentials c
join flanks.sync_status s using (credential_id)
left join flanks.user_credentials uc using (credential_id)
where ($1::text is null or c.credential_id in (select m.credential_id from flanks.user_credentials m where m.user_id = $1))
  and ($2::bigint is null or c.credential_id = $2)
  and ($3::boolean or c.removed_at is null)
order by c.credential_id, uc.user_id)"};

constexpr statement token_sql{"read_token", R"(
select credentials_token, encode(sealed_token, 'hex') from flanks_internal.credentials_tokens
where credential_id = $1 and num_nonnulls(credentials_token, sealed_token) = 1)"};

constexpr statement count_sql{"count_transactions", R"(
select count(*) from flanks.transactions where credential_id = $1 and removed_at is null)"};

constexpr statement coverage_sql{"list_coverage", R"(
select c.product, (select string_agg(lower(r) || ' to ' || upper(r) - 1, ', ' order by r) from unnest(c.days) r),
  to_char(c.last_success_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), v.outcome,
  to_char(v.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
from flanks.coverage c
left join lateral (select v.outcome, v.finished_at from flanks.verifications v
  where v.credential_id = c.credential_id and v.product = c.product order by v.finished_at desc limit 1) v on true
where c.credential_id = $1 order by c.product)"};

// First the lease row, like every writer of a window: the two cannot deadlock. A lease that is held
// stays held, and its release leaves the infinity as it is.
constexpr statement pause_sql{"pause", R"(
with off as (
  update flanks_internal.leases set next_due_at = 'infinity' where credential_id = $1 returning credential_id),
kept as (
  update flanks_internal.schedule set next_due_at = 'infinity'
  where credential_id = $1 and (select count(*) from off) >= 0 returning credential_id)
update flanks.credentials c set paused = true, pause_reason = coalesce(nullif($2, ''), c.pause_reason) from kept where c.credential_id = kept.credential_id)"};

constexpr statement resume_sql{"resume", R"(
with due as (
  update flanks_internal.leases set next_due_at = now() where credential_id = $1 returning credential_id),
kept as (
  update flanks_internal.schedule set next_due_at = now()
  where credential_id = $1 and (select count(*) from due) >= 0 returning credential_id)
update flanks.credentials c set paused = false, pause_reason = null from kept where c.credential_id = kept.credential_id)"};

constexpr statement retry_sql{"retry_refused", R"(
with due as (
  update flanks_internal.leases l set next_due_at = now() from flanks.credentials c
  where c.credential_id = l.credential_id and c.state = 'error' and c.last_error_class = 'token_refused' and l.next_due_at > now()
  returning l.credential_id)
update flanks_internal.schedule s set next_due_at = now() from due where s.credential_id = due.credential_id)"};

constexpr statement drop_lease{"drop_lease",
                               "delete from flanks_internal.leases where credential_id = $1"};
constexpr statement drop_schedule{"drop_schedule",
                                  "delete from flanks_internal.schedule where credential_id = $1"};
constexpr statement drop_token{"drop_token", R"(
update flanks_internal.credentials_tokens set credentials_token = null, sealed_token = null, updated_at = now() where credential_id = $1)"};
constexpr statement drop_links{"drop_links",
                               "delete from flanks.user_credentials where credential_id = $1"};
constexpr statement drop_items{"drop_items", R"(
delete from flanks_internal.backfill_items where credential_id = $1 and done_at is null)"};
constexpr statement mark_removed{"mark_removed", R"(
update flanks.credentials set removed_at = now() where credential_id = $1 and removed_at is null)"};

constexpr statement is_removed{"is_removed", R"(
select exists (select from flanks.credentials where credential_id = $1 and removed_at is not null))"};

[[noreturn]] void unknown(pg_connection& db, credential_id id) {
  const bool removed = db.run(is_removed, sql_values(id))[0][0].as<bool>();
  failure f(stage::configuration, verdict::stop, "unknown_credential",
            fmt::format("credential {} is {}", id.value, removed ? "removed" : "not registered"));
  if (removed) f.hint = "its token is deleted; flanks-sync credentials add brings it back";
  throw f;
}

std::string text(const pg_value& f) {
  return f.is_null() ? std::string() : std::string(f.c_str());
}

std::vector<credential_row> rows_of(const pg_rows& rows) {
  std::vector<credential_row> out;
  for (const auto& r : rows) {
    const credential_id id{r[0].as<std::int64_t>()};
    if (out.empty() || out.back().id != id) {
      credential_row row;
      row.id = id;
      row.state = text(r[1]);
      row.bank = text(r[2]);
      row.pause_reason = text(r[3]);
      row.created_at = text(r[4]);
      row.last_attempt_at = text(r[5]);
      row.last_success_at = text(r[6]);
      row.last_new_data_at = text(r[7]);
      row.provider_updated_at = text(r[8]);
      row.last_error = text(r[9]);
      row.last_error_hint = text(r[10]);
      row.what_next = text(r[11]);
      out.push_back(std::move(row));
    }
    if (!r[12].is_null()) out.back().users.push_back(user_id{r[12].c_str()});
  }
  return out;
}

}  // namespace

registry::registry(const db_options& options)
    : options_(options), db_(std::make_unique<pg_connection>(options)) {}
registry::~registry() = default;

std::vector<registration::outcome> registry::add(std::span<const registration_request> wanted,
                                                 bool even_if_erased) {
  return run_explained(*db_, [&] {
    db_->begin();
    auto outcomes = registration::apply(*db_, wanted, even_if_erased);
    const bool refused = std::any_of(outcomes.begin(), outcomes.end(),
                                     [](const auto& o) { return o.now == standing::refused; });
    if (refused) {
      db_->rollback();
    } else {
      db_->commit();
    }
    return outcomes;
  });
}

credential_id registry::add(const user_id& user, const secret& token, bool even_if_erased) {
  const std::vector<registration_request> wanted{{user, token}};
  const registration::outcome done = add(wanted, even_if_erased).at(0);
  if (done.now == standing::known) return done.id;
  if (done.now == standing::refused)
    throw failure(stage::configuration, verdict::stop, "bad_credential", done.refusal);
  throw failure(stage::configuration, verdict::stop, "erased_credential",
                "this credential was erased with the data of its user; it is not taken again");
}

secret registry::token_of(credential_id id) {
  return run_explained(*db_, [&] {
    const auto r = db_->run(token_sql, sql_values(id));
    if (r.empty()) unknown(*db_, id);
    return tokens::opened(options_, id, r[0][0], r[0][1]);
  });
}

std::vector<credential_row> registry::list(const std::optional<user_id>& user, bool with_removed) {
  return run_explained(*db_, [&] {
    std::optional<std::string> name;
    if (user) name = user->value;
    return rows_of(db_->run(list_sql, sql_values(name, nullptr, with_removed)));
  });
}

credential_row registry::show(credential_id id) {
  return run_explained(*db_, [&] {
    auto rows = rows_of(db_->run(list_sql, sql_values(nullptr, id, true)));
    if (rows.empty()) unknown(*db_, id);
    rows[0].transactions = db_->run(count_sql, sql_values(id))[0][0].as<std::int64_t>();
    for (const auto& r : db_->run(coverage_sql, sql_values(id))) {
      rows[0].coverage.push_back({text(r[0]), text(r[1]), text(r[2]), text(r[3]), text(r[4])});
    }
    return std::move(rows[0]);
  });
}

void registry::pause(credential_id id, const std::string& reason) {
  run_explained(*db_, [&] {
    if (db_->run(pause_sql, sql_values(id, reason)).affected_rows() == 0) unknown(*db_, id);
  });
}

void registry::resume(credential_id id) {
  run_explained(*db_, [&] {
    if (db_->run(resume_sql, sql_values(id)).affected_rows() == 0) unknown(*db_, id);
  });
}

std::int64_t registry::retry_refused() {
  std::int64_t due = 0;
  run_explained(*db_, [&] { due = db_->run(retry_sql).affected_rows(); });
  return due;
}

rotated registry::rotate(credential_id id, const secret& token) {
  return run_explained(*db_, [&] {
    db_->begin();
    const registration::rotation done = registration::replace_token(*db_, id, token);
    if (done.unknown) unknown(*db_, id);
    if (!done.refusal.empty())
      throw failure(stage::configuration, verdict::stop, "bad_credential", done.refusal);
    if (done.other) {
      failure f(stage::configuration, verdict::stop, "bad_credential",
                fmt::format("this token is registered as credential {}", done.other->value));
      f.hint = fmt::format(
          "flanks-sync credentials remove {}, then run this again: its operations are recognised "
          "as those of the account that both show",
          done.other->value);
      throw f;
    }
    if (done.erased) {
      throw failure(stage::configuration, verdict::stop, "erased_credential",
                    "this credential was erased with the data of its user; it is not taken again");
    }
    tokens::seal(*db_, options_, std::span(&id, 1));
    db_->commit();
    if (!done.same) return rotated::replaced;
    if (done.revived) return rotated::revived;
    return done.sealed ? rotated::resealed : rotated::unchanged;
  });
}

void registry::remove(credential_id id) {
  run_explained(*db_, [&] {
    db_->begin();
    db_->run(drop_lease, sql_values(id));
    db_->run(drop_schedule, sql_values(id));
    if (db_->run(mark_removed, sql_values(id)).affected_rows() == 0) unknown(*db_, id);
    db_->run(drop_token, sql_values(id));
    db_->run(drop_links, sql_values(id));
    db_->run(drop_items, sql_values(id));
    db_->commit();
  });
}

}  // namespace flanks
