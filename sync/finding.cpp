#include "sync/finding.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace flanks {

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
