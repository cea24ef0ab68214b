// The parts of `credentials` that have a file of their own.
#pragma once

#include <string>

#include "daemon/command_line.hpp"
#include "daemon/exit_code.hpp"
#include "db/commands/registry.hpp"

namespace flanks {

// All of a file; of standard input, when it is named "-" or not at all. Throws `refusal` where it
// cannot be read; `of_directory` is what to do when it is a directory.
[[nodiscard]] std::string read_all(const std::string& file, const std::string& of_directory);

// Registers all credentials of a CSV file or, when anything is wrong with it, none.
exit_code import_credentials(registry& r, const invocation& asked);
exit_code list_credentials(registry& r, const invocation& asked);
exit_code show_credentials(registry& r, const invocation& asked);

}  // namespace flanks
