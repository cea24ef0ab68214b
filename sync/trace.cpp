#include "sync/trace.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace flanks {

namespace {

// 16 digits, not all of them 0: that is no id (section 3.2.2).
std::string random_id() {
  std::uint64_t number = 0;
  while (number == 0) {
    // Up to 256 bytes come whole, and are not interrupted (getrandom(2)).
    if (::getrandom(&number, sizeof number, 0) != sizeof number)
      throw std::system_error(errno, std::generic_category(), "no random number for a trace");
  }
  return fmt::format("{:016x}", number);
}

}  // namespace

trace_id new_trace() {
  return {random_id() + random_id()};
}

std::string traceparent(const trace_id& trace) {
  return fmt::format("00-{}-{}-01", trace.value, random_id());
}

}  // namespace flanks
