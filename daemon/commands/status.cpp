// status: the words of flanks.sync_status.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <map>

#include "daemon/commands/commands.hpp"
#include "daemon/terminal.hpp"
#include "db/commands/status_view.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

namespace json = boost::json;

std::string names_of(const std::vector<user_id>& users) {
  std::string text;
  for (const user_id& u : users)
    text += (text.empty() ? "" : ", ") + u.value;
  return text;
}

json::value text_or_null(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value(nullptr);
}

void print_json(const std::vector<status_row>& rows) {
  json::array all;
  for (const status_row& r : rows) {
    json::array users;
    for (const user_id& u : r.users)
      users.emplace_back(u.value);
    all.push_back(
        json::object{{"credential_id", r.id.value},
                     {"users", users},
                     {"bank", text_or_null(r.bank)},
                     {"state", r.state},
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
                     {"unusually_quiet", r.unusually_quiet},
                     {"removals_to_review", r.reviews}});
  }
  terminal::print_json(json::serialize(all));
}

// Problems in full, a block each; what is well in one line each below.
void print_problems(const std::vector<status_row>& rows) {
  const bool colour = terminal::has_colour(stdout);
  const terminal::verbatim bold_red{colour ? "\033[1;31m" : ""}, as_before{colour ? "\033[0m" : ""};
  for (const status_row& r : rows) {
    if (!is_problem(r)) continue;
    terminal::print("{}credential {} ({}): {}{}\n", bold_red, r.id.value, names_of(r.users), r.state,
                    as_before);
    if (r.last_error) terminal::print("  what:  {}\n", *r.last_error);
    if (r.last_error_hint) terminal::print("  hint:  {}\n", *r.last_error_hint);
    if (r.reviews > 0) {
      terminal::print(
          "  what:  so many rows vanished at once that none was removed ({} to decide)\n"
          "  hint:  flanks-sync removals list\n",
          r.reviews);
    }
    terminal::print("  who:   {}\n  next:  {}\n\n",
                    r.who_must_act == "nobody" ? "nobody has to act" : r.who_must_act, r.what_next);
  }
}

void print_table(const std::vector<status_row>& rows) {
  terminal::table table({{"credential", terminal::align::right},
                         {"users"},
                         {"bank"},
                         {"state"},
                         {"refreshed"},
                         {"agreed"},
                         {"next"}});
  const auto ago = [](const std::optional<std::chrono::seconds>& age) -> std::string {
    if (!age) return "never";
    const std::string words = terminal::rough(*age);
    return words == "just now" ? words : words + " ago";
  };
  for (const status_row& r : rows) {
    table.add({std::to_string(r.id.value), names_of(r.users), r.bank.value_or("-"), r.state,
               ago(r.provider_age), ago(r.lag), r.what_next});
  }
  table.print();
}

void print_people(const std::vector<status_row>& rows) {
  if (rows.empty()) {
    terminal::print("no credential is registered; see flanks-sync credentials add --help\n");
    return;
  }
  print_problems(rows);
  print_table(rows);
  std::map<std::string, int> states;
  for (const status_row& r : rows)
    ++states[r.state];
  std::string sum;
  for (const auto& [state, count] : states)
    sum += fmt::format("{}{} {}", sum.empty() ? "" : ", ", count, state);
  terminal::print("{}: {}\n", counted(static_cast<std::int64_t>(rows.size()), "credential"), sum);
}

}  // namespace

exit_code command_status(const invocation& asked) {
  const configuration c = configure(asked, config::secret_scope::database);
  const std::vector<status_row> rows = read_status(database_options(c), asked.who);
  if (asked.json) {
    print_json(rows);
  } else {
    print_people(rows);
  }
  const bool problems = std::any_of(rows.begin(), rows.end(), [](const status_row& r) { return is_problem(r); });
  return asked.exit_code && problems ? exit_code::some_failed : exit_code::done;
}

}  // namespace flanks
