#include "daemon/credential_json.hpp"

#include <boost/json/array.hpp>

namespace flanks {

namespace {

namespace json = boost::json;

json::value text_or_null(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value(nullptr);
}

}  // namespace

json::object json_of(const status_row& r) {
  json::array users;
  for (const user_id& u : r.users)
    users.emplace_back(u.value);
  return {{"credential_id", r.id.value},
          {"users", users},
          {"bank", text_or_null(r.bank)},
          {"state", r.state},
          {"problem", r.problem},
          {"error_class", text_or_null(r.error_class)},
          {"who_must_act", r.who_must_act},
          {"last_attempt_at", text_or_null(r.last_attempt_at)},
          {"last_success_at", text_or_null(r.last_success_at)},
          {"last_new_data_at", text_or_null(r.last_new_data_at)},
          {"lag_seconds", r.lag ? json::value(r.lag->count()) : json::value(nullptr)},
          {"next_run_at", text_or_null(r.next_run_at)},
          {"running", r.running},
          {"failures_in_a_row", r.failures_in_a_row},
          {"last_error", text_or_null(r.last_error)},
          {"last_error_hint", text_or_null(r.last_error_hint)},
          {"what_next", r.what_next},
          {"history_from", text_or_null(r.history_from)},
          {"provider_updated_at", text_or_null(r.provider_updated_at)},
          {"stale", r.stale},
          {"stale_products", r.stale_products},
          {"unusually_quiet", r.unusually_quiet},
          {"quarantined", r.quarantined},
          {"removals_to_review", r.reviews}};
}

}  // namespace flanks
