#include "sync/finding.hpp"

#include <fmt/format.h>

#include <cstdlib>

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
  if (name.starts_with("database_") || f.stage >= stage::database) {
    if (name == "database_schema") return "schema";
    if (name == "database_rights") return "rights";
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

finding clock_finding(std::string check, std::string_view whose, std::int64_t ahead) {
  const std::int64_t apart = std::abs(ahead);
  finding f{std::move(check), grade::ok, "", "", ""};
  // The way there and back, and a whole second of an HTTP date.
  if (apart <= 5) {
    f.says = fmt::format("the clock of {} and this machine's agree", whose);
    return f;
  }
  f.how = apart > 60 ? grade::fail : grade::warn;
  f.says = fmt::format("the clock of {} is {} s {} this machine's", whose, apart,
                       ahead > 0 ? "ahead of" : "behind");
  f.hint =
      "set this machine's clock by NTP (timedatectl status), or the other's where that one is "
      "yours";
  return f;
}

}  // namespace flanks
