#include "db/windows/window_in_batch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "db/pg/array_columns.hpp"
#include "db/pg/text_format.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

constexpr statement read_facts{"open_windows", R"(
select a.nr, set_config('flanks.writer', case when w.watch is null then '' else coalesce(s.writer, '') end, true),
  exists (select from flanks.coverage c where c.credential_id = a.credential_id and c.product = a.product
    and c.days && daterange(a.first_day, a.last_day, '[]')),
  exists (select from flanks.transaction_sightings s where s.credential_id = a.credential_id),
  exists (select from flanks.removal_reviews v where v.credential_id = a.credential_id and v.product = a.product
    and v.state in ('open', 'rejected')),
  exists (select from flanks.quarantine q where q.credential_id = a.credential_id and q.product = a.product
    and q.part = 'transactions' and q.resolved_at is null),
  w.has_foreign_triggers, )" FLANKS_FINGERPRINT_STATE R"(
from flanks_internal.transactions_watch w
left join flanks_internal.secrets s on true
cross join unnest($1::bigint[], $2::text[], $3::date[], $4::date[]) with ordinality
  as a(credential_id, product, first_day, last_day, nr)
left join flanks_internal.fingerprints f on f.credential_id = a.credential_id and f.product = a.product)"};

// Every write leaves updated_at = now(), which is this transaction's and nobody else's.
constexpr statement count_written{"count_written", R"(
select count(*) from flanks.transactions where credential_id = $1 and product = $2 and operation_date between $3::date and $4::date
  and updated_at = now() and removed_at is null)"};

std::string_view product_id_of(const transaction& t) {
  for (const column c :
       {column::account_id, column::card_id, column::investment_id, column::liability_id})
    if (!t.is_null(c)) return t[c];
  return {};
}

constexpr std::size_t longest_detail = 500;  // bytes: rejected_record::detail

rejected_record record_of(const transaction& t, std::string_view reason, std::string_view detail,
                          bool stored_anyway) {
  std::string raw = to_json(t);
  const bool cut = raw.size() > rejected_record::raw_limit;
  raw.resize(std::min(raw.size(), rejected_record::raw_limit));
  return {std::string(reason),
          std::string(clipped(detail, longest_detail)),
          std::string(t.id()),
          std::move(raw),
          cut,
          stored_anyway};
}

}  // namespace

std::vector<std::unique_ptr<window_in_batch>> window_in_batch::open(
    pg_connection& db, std::span<window_request* const> requests) {
  array_columns asked;
  for (const window_request* r : requests) {
    asked.add(sql_values(r->scope.credential, to_string(r->scope.what), r->scope.days.from,
                         r->scope.days.last_day()));
  }
  std::vector<std::unique_ptr<window_in_batch>> windows;
  for (const auto& r : db.run(read_facts, asked.take()))
    windows.push_back(
        std::make_unique<window_in_batch>(*requests[r[0].as<std::size_t>() - 1], r, db.key()));
  return windows;
}

window_in_batch::window_in_batch(window_request& r, const pg_row& facts, const content_key& key)
    : request(r),
      // Days that were read before bring few new rows, and some that are stored elsewhere:
      // looking first costs little, and a COPY that fails would leave dead rows behind with every
      // re-read (P2).
      lookup_before_copy(facts[2].as<bool>()),
      shares_rows(facts[3].as<bool>()),
      has_reviews(facts[4].as<bool>()),
      has_quarantine(facts[5].as<bool>()),
      has_foreign_triggers(facts[6].as<bool>()),
      fingerprints(r.scope, fingerprint_state_of(facts, 7), key, r.sync_run_id),
      diff(r.scope.credential, r.scope.what, r.scope.days, fingerprints.rows(), r.scope.by_values) {
}

void window_in_batch::refuse(const transaction& t, const std::string& reason,
                             const std::string& detail) {
  diff.refused(t);
  in_quarantine.refused(t.id());
  rejected.push_back(record_of(t, reason, detail, false));
}

void window_in_batch::refuse(const refused_row& refused) {
  const row_update& u = refused.row.update;
  // It has been seen with content that is not stored after all.
  if (u.was != nullptr) fingerprints.invalidate(u.was->on());
  refuse(*u.row, "refused_by_database", refusal_words(refused.problem));
  const std::string by = foreign_object(refused.problem);
  if (by.empty()) return;
  if (refused_by_others++ == 0) refuser = by, refuser_hint = foreign_hint(refused.problem);
}

void window_in_batch::warn_of_reused_id(const updated_row& row) {
  const transaction& t = *row.row.update.row;
  const auto warn = [&](std::string_view reason, const std::string& detail) {
    rejected.push_back(record_of(t, reason, detail, true));
    ++diff.counts().warnings;
  };
  if (!row.other_account.empty() && row.row.update.repeated) {
    warn("id_in_two_accounts",
         fmt::format("shown for {} and for {} in one answer; stored for the latter",
                     row.other_account, product_id_of(t)));
  }
  if (!row.other_operation.empty()) {
    warn("id_reused", fmt::format("stood for {}; stands for {} {} {} {} now", row.other_operation,
                                  t[column::operation_date], t[column::amount], t[column::currency],
                                  t[column::description]));
  }
}

void window_in_batch::note_written(const transaction& t, std::int64_t rows) {
  written += rows;
  const std::string_view on = t[column::operation_date];  // YYYY-MM-DD: sorts as text
  if (first_written.empty() || on < first_written) first_written = on;
  if (last_written < on) last_written = on;
}

void window_in_batch::note_inserted(const transaction& t) {
  note_written(t, 1);
  const std::string_view on = t[column::operation_date];
  if (inserted.first_day.empty() || on < inserted.first_day) inserted.first_day = on;
  if (inserted.last_day < on) inserted.last_day = on;
  if (inserted.ids.size() <= inserted_rows_noted::most) inserted.ids.emplace_back(t.id());
}

void window_in_batch::check_counts(pg_connection& db) const {
  const row_counts& counts = diff.counts();
  if (!counts.adds_up()) {
    throw failure(
        stage::commit, verdict::later, "counts_do_not_add_up",
        fmt::format("credential {}: {} came, but {} inserted, {} updated, {} unchanged, {} "
                    "duplicates and {} quarantined were counted; nothing was stored",
                    scope().credential.value, counted(counts.fetched, "record"), counts.inserted,
                    counts.updated, counts.unchanged, counts.duplicates, counts.quarantined));
  }
  // Triggers, rules and row security may think otherwise than the statements that said they wrote:
  // where there are any, what was written is counted in the table itself.
  if (written > 0 && has_foreign_triggers) {
    const pg_rows r = db.run(count_written, sql_values(scope().credential, to_string(scope().what),
                                                       first_written, last_written));
    const auto found = r[0][0].as<std::int64_t>();
    if (found != written) throw rows_not_stored(scope().credential, written, found);
  }
}

void window_in_batch::note_refusals(run_record& record) const {
  if (refused_by_others == 0 || !record.error_message.empty()) return;
  record.error_class = "refused_by_database";
  record.error_stage = to_string(stage::write);
  record.error_message =
      fmt::format("{} refused {}", refuser, counted(refused_by_others, "record"));
  record.error_hint = refuser_hint;
}

failure window_in_batch::rows_not_stored(credential_id id, std::int64_t written,
                                         std::int64_t found) {
  return failure(
      stage::write, verdict::later, "rows_not_stored",
      fmt::format("credential {}: {} written, but the table holds {} of them; nothing was "
                  "stored",
                  id.value, counted(written, "row was", "rows were"), found));
}

}  // namespace flanks
