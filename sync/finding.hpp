// One thing that `flanks-sync doctor` looked at, and what it found.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sync/failure.hpp"

namespace flanks {

enum class grade : std::uint8_t {
  ok,
  warn,  // it works, and will not for long, or not for everybody
  fail,  // nothing can be mirrored
};
[[nodiscard]] constexpr std::string_view to_string(grade g) {
  return g == grade::ok ? "ok" : g == grade::warn ? "warn" : "fail";
}

struct finding {
  std::string check;  // one word: config, dns, tcp, tls, token, database, rights, schema, ...
  grade how = grade::ok;
  std::string says;            // one sentence without a full stop
  std::string hint;            // what to do; empty when nothing is to be done
  std::string error_class;     // of what failed, as in flanks.error_classes; empty: none
  stage at = stage::database;  // where it failed
};

[[nodiscard]] inline finding failed(std::string check, const failure& f) {
  return {std::move(check), grade::fail, f.what(), f.hint, f.error_class, f.stage};
}

// As status and the log name it; empty where nothing is wrong, or a warning has no error class.
// What fails and has none is of this machine or its configuration: the operator's.
[[nodiscard]] std::string_view who_must_act(const finding& f);

// The check of doctor that fails when work fails like this.
[[nodiscard]] std::string check_of(const failure& f);

// The same failure for those who may read no name of a host, a user or a client: `what` happened in
// fixed words, and where the rest is told.
[[nodiscard]] finding unnamed(const failure& f, std::string_view what);

// What two clocks may differ by before somebody must set one of them.
inline constexpr std::chrono::seconds longest_clock_difference{60};

// Of two clocks that are compared to the second, `ahead` seconds apart.
[[nodiscard]] finding clock_finding(std::string check, std::string_view whose,
                                    std::chrono::seconds ahead);

}  // namespace flanks
