#include "sync/finding.hpp"

#include <fmt/format.h>

#include "sync/error_class.hpp"

namespace flanks {

std::string_view who_must_act(const finding& f) {
  if (f.how == grade::ok || (f.how == grade::warn && f.error_class.empty())) return {};
  const std::string_view known = who_must_act(f.error_class);
  return known.empty() ? to_string(whose_turn::the_operator) : known;
}

std::string check_of(const failure& f) {
  const std::string_view name = f.error_class;
  if (name == "claim_locked") return "daemon";
  if (name == "clock_apart")
    return f.stage == stage::database ? "database_clock" : "provider_clock";
  if (name.starts_with("database_") || f.stage >= stage::database) {
    if (name == "database_schema") return "schema";
    if (name == "database_rights" || name == "database_row_security") return "rights";
    if (name == "database_settings" || name == "database_encoding") return "settings";
    return f.stage == stage::configuration ? "config" : "database";
  }
  return f.stage == stage::resolve   ? "dns"
         : f.stage == stage::connect ? "tcp"
         : f.stage == stage::tls     ? "tls"
                                     : "token";
}

finding unnamed(const failure& f, std::string_view what) {
  finding told = failed(check_of(f), f);
  told.says = fmt::format("{} ({}); the log says more", what, f.error_class);
  told.hint = "flanks-sync doctor and the log name what failed and what to do";
  return told;
}

finding clock_finding(std::string check, std::string_view whose, std::chrono::seconds ahead) {
  const auto apart = std::chrono::abs(ahead);
  finding f{std::move(check), grade::ok, "", "", ""};
  // The way there and back, and a whole second of an HTTP date.
  if (apart <= std::chrono::seconds{5}) {
    f.says = fmt::format("the clock of {} and this machine's agree", whose);
    return f;
  }
  f.how = grade::warn;
  f.says = fmt::format("the clock of {} is {} s {} this machine's", whose, apart.count(),
                       ahead.count() > 0 ? "ahead of" : "behind");
  f.hint = hint_of("clock_apart");
  if (apart > longest_clock_difference) f.error_class = "clock_apart";
  return f;
}

}  // namespace flanks
