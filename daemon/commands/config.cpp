// config check | show | example.
#include <fmt/format.h>

#include <cstdio>

#include "daemon/commands/commands.hpp"
#include "daemon/terminal.hpp"

namespace flanks {

exit_code command_config(const invocation& asked) {
  if (asked.what == command::config_example) {
    terminal::print("{}", terminal::verbatim{config::example()});
    return exit_code::done;
  }
  const configuration c = configure(asked, config::secret_scope::all);
  if (asked.what == command::config_show) {
    terminal::print("{}", terminal::verbatim{config::show(c.values())});
  } else {
    terminal::print("{}: ok\n", c.file.file.string());
  }
  return exit_code::done;
}

}  // namespace flanks
