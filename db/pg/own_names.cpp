#include "db/pg/own_names.hpp"

#include <algorithm>
#include <array>

#include "db/commands/embedded_migrations.hpp"

namespace flanks {

namespace {

using namespace std::string_view_literals;

// What the migrations leave to PostgreSQL to name, but for primary keys. A customer's constraint
// gets its name by the same pattern.
constexpr std::array unnamed{

    "accounts_balance_check"sv,
    "backfill_items_backfill_id_credential_id_product_key"sv,
    "backfill_items_backfill_id_fkey"sv,
    "backfill_items_credential_id_fkey"sv,
    "backfill_items_product_check"sv,
    "balances_balance_check"sv,
    "balances_product_check"sv,
    "cards_balance_check"sv,
    "cards_credit_limit_check"sv,
    "changes_kind_check"sv,
    "coverage_credential_id_fkey"sv,
    "coverage_history_days_check"sv,
    "coverage_product_check"sv,
    "coverage_window_days_check"sv,
    "credential_states_credential_id_fkey"sv,
    "credential_states_state_check"sv,
    "credentials_state_check"sv,
    "credentials_tokens_check"sv,
    "credentials_tokens_credential_id_fkey"sv,
    "credentials_tokens_token_digest_check"sv,
    "credentials_tokens_token_digest_key"sv,
    "entity_refresh_only_row_check"sv,
    "erased_tokens_token_digest_check"sv,
    "error_classes_who_must_act_check"sv,
    "fingerprints_product_check"sv,
    "investments_amount_check"sv,
    "investments_balance_check"sv,
    "leases_check"sv,
    "leases_credential_id_fkey"sv,
    "leases_kept_single_check"sv,
    "liabilities_available_balance_check"sv,
    "liabilities_balance_check"sv,
    "liabilities_credit_limit_check"sv,
    "mirror_problems_problem_check"sv,
    "portfolios_balance_check"sv,
    "product_coverage_credential_id_fkey"sv,
    "product_coverage_outcome_check"sv,
    "product_coverage_product_check"sv,
    "product_runs_check"sv,
    "product_runs_outcome_check"sv,
    "product_runs_product_check"sv,
    "product_runs_trigger_check"sv,
    "quarantine_credential_id_product_reason__id_raw_sha256_key"sv,
    "quarantine_part_check"sv,
    "quarantine_product_check"sv,
    "rate_limit_paused_until_check"sv,
    "rate_limit_single_check"sv,
    "real_account_keys_kind_check"sv,
    "real_account_keys_real_account_id_fkey"sv,
    "real_accounts_product_check"sv,
    "removal_candidates_sync_run_id_fkey"sv,
    "removal_reviews_check"sv,
    "removal_reviews_credential_id_fkey"sv,
    "removal_reviews_product_check"sv,
    "removal_reviews_reason_check"sv,
    "removal_reviews_state_check"sv,
    "schedule_credential_id_fkey"sv,
    "secrets_content_key_check"sv,
    "secrets_single_check"sv,
    "settings_single_check"sv,
    "successions_check"sv,
    "successions_from_credential_id_fkey"sv,
    "successions_product_check"sv,
    "successions_real_account_id_fkey"sv,
    "successions_real_account_id_from_credential_id_to_credentia_key"sv,
    "successions_state_check"sv,
    "successions_to_credential_id_fkey"sv,
    "sync_runs_check"sv,
    "sync_runs_outcome_check"sv,
    "sync_runs_product_check"sv,
    "sync_runs_trigger_check"sv,
    "transaction_revisions_reason_check"sv,
    "transaction_sightings__id_fkey"sv,
    "transaction_sightings_credential_id_fkey"sv,
    "transaction_sightings_product_check"sv,
    "transactions_amount_check"sv,
    "transactions_product_check"sv,
    "transactions_removal_reason_check"sv,
    "unknown_fields_json_type_check"sv,
    "user_credentials_credential_id_fkey"sv,
    "user_credentials_user_id_check"sv,
    "verifications_check"sv,
    "verifications_outcome_check"sv,
    "verifications_product_check"sv,
};
static_assert(std::is_sorted(unnamed.begin(), unnamed.end()));

bool is_ours(std::string_view name) {
  return name.starts_with("flanks.") || name.starts_with("flanks_internal.");
}

// Where a "(" is that no quoted name or text holds.
std::size_t find_opening(std::string_view line) {
  std::size_t at = line.find('(');
  const auto quoted = [&] { return std::count(line.begin(), line.begin() + at, '"') % 2 != 0; };
  while (at != std::string_view::npos && quoted())
    at = line.find('(', at + 1);
  return at;
}

// In the line of a function, whatever language its other words have: public.audit() or "My
// Audit"(). What is not quoted in a name is ASCII (PostgreSQL, quote_ident).
std::string function_of(std::string_view line) {
  if (line.starts_with("COPY ") || line.find("PL/pgSQL") == std::string_view::npos) return "";
  const std::size_t opening = find_opening(line);
  const std::size_t closing = line.find(')', opening);
  if (opening == std::string_view::npos || closing == std::string_view::npos) return "";
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || c == '.';
  };
  std::size_t begin = opening;
  for (bool quoted = false; begin > 0; --begin) {
    const char before = line[begin - 1];
    if (before == '"') {
      quoted = !quoted;
    } else if (!quoted && !plain(before)) {
      break;
    }
  }
  return std::string(line.substr(begin, closing + 1 - begin));
}

// `what` as a whole word.
bool names(std::string_view sql, const std::string& what) {
  for (std::size_t at = sql.find(what); at != std::string_view::npos; at = sql.find(what, at + 1)) {
    const std::size_t end = at + what.size();
    if (end == sql.size() || sql[end] <= ' ' || sql[end] == ';') return true;
  }
  return false;
}

}  // namespace

bool is_foreign_constraint(std::string_view table, std::string_view constraint) {
  if (constraint.empty()) return false;
  if (!is_ours(table)) return true;
  const std::string name(constraint);
  for (const embedded_migration& m : embedded_migrations())
    if (names(m.sql, "constraint " + name) || names(m.sql, "index " + name)) return false;
  if (name == std::string(table.substr(table.find('.') + 1)) + "_pkey") return false;
  return !std::binary_search(unnamed.begin(), unnamed.end(), constraint);
}

std::string foreign_function_in(std::string_view context) {
  while (!context.empty()) {
    const std::size_t at = context.rfind('\n');
    std::string name = function_of(at == std::string_view::npos ? context : context.substr(at + 1));
    if (!name.empty() && !is_ours(name)) return name;
    context = at == std::string_view::npos ? std::string_view{} : context.substr(0, at);
  }
  return "";
}

}  // namespace flanks
