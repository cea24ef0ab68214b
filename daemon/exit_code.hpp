// The exit codes that scripts and systemd rely on (sysexits.h where it has a word for it).
#pragma once

#include "sync/failure.hpp"

namespace flanks {

enum class exit_code : int {
  done = 0,
  failed = 1,
  some_failed = 3,     // done, but some credentials failed
  usage = 64,          // EX_USAGE
  unavailable = 69,    // EX_UNAVAILABLE: the API or the database
  try_again = 75,      // EX_TEMPFAIL: locked, or not ready
  not_permitted = 77,  // EX_NOPERM
  configuration = 78,  // EX_CONFIG
  interrupted = 130,   // 128 + SIGINT
  reader_gone = 141,   // 128 + SIGPIPE: nobody reads standard output any more
  terminated = 143,    // 128 + SIGTERM
};

// The exit code of a command that a failure ended.
[[nodiscard]] exit_code exit_code_of(const failure& f);
[[nodiscard]] exit_code exit_code_of(stage at, std::string_view error_class);

}  // namespace flanks
