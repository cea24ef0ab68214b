// credentials list | show.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>

#include "daemon/commands/commands.hpp"
#include "daemon/commands/credentials.hpp"
#include "daemon/terminal.hpp"

namespace flanks {

namespace {

namespace json = boost::json;

std::string joined(const std::vector<user_id>& users) {
  std::string text;
  for (const user_id& u : users)
    text += (text.empty() ? "" : ", ") + u.value;
  return text;
}

json::value or_null(const std::string& value) {
  return value.empty() ? json::value(nullptr) : json::value(value);
}

json::object object_of(const credential_row& c) {
  json::array users;
  for (const user_id& u : c.users)
    users.emplace_back(u.value);
  return {{"credential_id", c.id.value},
          {"users", users},
          {"bank", or_null(c.bank)},
          {"state", c.state},
          {"pause_reason", or_null(c.pause_reason)},
          {"created_at", or_null(c.created_at)},
          {"last_attempt_at", or_null(c.last_attempt_at)},
          {"last_success_at", or_null(c.last_success_at)},
          {"last_new_data_at", or_null(c.last_new_data_at)},
          {"provider_updated_at", or_null(c.provider_updated_at)},
          {"last_error", or_null(c.last_error)},
          {"last_error_hint", or_null(c.last_error_hint)},
          {"what_next", c.what_next}};
}

json::object with_coverage(const credential_row& c) {
  json::array coverage;
  for (const coverage_row& v : c.coverage) {
    coverage.push_back(json::object{{"product", v.product},
                                    {"days", or_null(v.days)},
                                    {"last_success_at", or_null(v.last_success_at)},
                                    {"last_verification", or_null(v.last_proof)},
                                    {"last_verification_at", or_null(v.last_proof_at)}});
  }
  json::object o = object_of(c);
  o["transactions"] = c.transactions;
  o["coverage"] = std::move(coverage);
  return o;
}

void print_one(const credential_row& c) {
  const auto line = [](std::string_view name, const std::string& value) {
    terminal::print("{:<22} {}\n", name, value.empty() ? "-" : value);
  };
  line("credential", std::to_string(c.id.value));
  line("users", joined(c.users));
  line("bank", c.bank);
  line("state", c.state);
  if (!c.pause_reason.empty()) line("paused because", c.pause_reason);
  line("next", terminal::localised(c.what_next));
  const auto now = std::chrono::system_clock::now();
  const auto time = [&](std::string_view name, const std::string& iso) {
    line(name, terminal::local_and_ago(iso, now));
  };
  time("registered", c.created_at);
  time("last attempt", c.last_attempt_at);
  time("last success", c.last_success_at);
  time("last new data", c.last_new_data_at);
  time("provider's refresh", c.provider_updated_at);
  line("last error", terminal::localised(c.last_error));
  if (!c.last_error_hint.empty()) line("hint", c.last_error_hint);
  line("transactions", terminal::grouped(c.transactions));
  for (const coverage_row& v : c.coverage) {
    line(fmt::format("verified {}", v.product),
         fmt::format("{}, last {}", v.days, terminal::local_and_ago(v.last_success_at, now)));
    line(fmt::format("proved {}", v.product),
         v.last_proof.empty()
             ? "never"
             : fmt::format("{}, {}", v.last_proof, terminal::local_and_ago(v.last_proof_at, now)));
  }
}

}  // namespace

exit_code list_credentials(registry& r, const invocation& asked) {
  std::vector<credential_row> rows;
  if (asked.who.users.empty()) {
    rows = r.list(std::nullopt, false);
  } else {
    for (const user_id& u : asked.who.users) {
      for (credential_row& c : r.list(u, false))
        rows.push_back(std::move(c));
    }
  }
  if (asked.json) {
    json::array all;
    for (const credential_row& c : rows)
      all.push_back(object_of(c));
    terminal::print_json(json::serialize(all));
    return exit_code::done;
  }
  const auto now = std::chrono::system_clock::now();
  terminal::table table({{"credential", terminal::align::right},
                         {"users"},
                         {"bank"},
                         {"state"},
                         {"registered"},
                         {"last success"}});
  for (const credential_row& c : rows) {
    table.add({std::to_string(c.id.value), joined(c.users), c.bank.empty() ? "-" : c.bank, c.state,
               terminal::local(c.created_at),
               c.last_success_at.empty() ? "never" : terminal::ago(c.last_success_at, now)});
  }
  table.print();
  return exit_code::done;
}

exit_code show_credentials(registry& r, const invocation& asked) {
  json::array all;
  for (const credential_id id : asked.who.credentials) {
    const credential_row c = r.show(id);
    if (asked.json) {
      all.push_back(with_coverage(c));
    } else {
      print_one(c);
    }
  }
  if (asked.json) terminal::print_json(json::serialize(all));
  return exit_code::done;
}

}  // namespace flanks
