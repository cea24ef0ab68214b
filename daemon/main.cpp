// From the command line to one command, and from what it throws to a message and an exit code.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <system_error>

#include "daemon/command_line.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/terminal.hpp"
#include "db/pg/environment.hpp"
#include "sync/error_class.hpp"

namespace flanks {
namespace {

// Answers come and go in batches of some hundred KiB. glibc gives such memory back to the kernel at
// every turn, and asks for it again: 130 000 page faults in a million rows, which cost more than
// reading them. It keeps up to 64 MiB now (mallopt(3)).
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 8 * 1024 * 1024);
  mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024);
#endif
}

// Access tokens, credentials_tokens and bank data are in memory: a core file would hold them, and
// so would what another process of the same user reads of it (ptrace(2)). Only root may still look.
void keep_memory_private() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot forbid core dumps");
}

exit_code dispatch(const invocation& asked) {
  switch (asked.what) {
    case command::run:
      return command_run(asked);
    case command::backfill:
      return command_backfill(asked);
    case command::sync:
      return command_sync(asked);
    case command::status:
      return command_status(asked);
    case command::credentials_discover:
    case command::link_exchange:
    case command::link_sessions:
      return command_arrivals(asked);
    case command::erase:
      return command_erase(asked);
    case command::prune:
      return command_prune(asked);
    case command::verify:
      return command_verify(asked);
    case command::removals_list:
    case command::removals_confirm:
    case command::removals_reject:
      return command_removals(asked);
    case command::successions_list:
    case command::successions_show:
    case command::successions_confirm:
    case command::successions_reject:
      return command_successions(asked);
    case command::migrate_up:
    case command::migrate_status:
    case command::migrate_plan:
      return command_migrate(asked);
    case command::doctor:
      return command_doctor(asked);
    case command::support:
      return command_support(asked);
    case command::config_check:
    case command::config_show:
    case command::config_example:
      return command_config(asked);
    default:
      return asked.upstream ? command_arrivals(asked) : command_credentials(asked);
  }
}

exit_code say(exit_code code, const std::string& message, const std::string& hint,
              std::string_view who = {}) {
  terminal::print(stderr, "error: {}\n", terminal::lines{message});
  if (!hint.empty()) terminal::print(stderr, "hint: {}\n", hint);
  if (!who.empty()) terminal::print(stderr, "who must act: {}\n", who);
  return code;
}

// In the words of status and the log. What was typed wrong is of course the turn of who typed it.
std::string_view turn_after(exit_code code, std::string_view error_class) {
  if (code == exit_code::configuration) return to_string(whose_turn::the_operator);
  return code == exit_code::failed || code == exit_code::usage ? "" : who_must_act(error_class);
}

exit_code run_command(const invocation& asked) {
  try {
    keep_memory_private();
    return dispatch(asked);
  } catch (const refusal& r) {
    return say(r.code, r.what(), r.hint, turn_after(r.code, ""));
  } catch (const failure& f) {
    const exit_code code = exit_code_of(f);
    return say(code, f.what(), f.hint, turn_after(code, f.error_class));
  } catch (const std::system_error& e) {
    return say(exit_code::failed, fmt::format("the operating system refused: {}", e.what()), "");
  } catch (const std::exception& e) {
    return say(
        exit_code::failed, fmt::format("unexpected: {}", e.what()),
        "this is a defect of flanks-sync: please report it with the command, the log and what "
        "flanks-sync support writes");
  }
}

// Output that nobody could receive is no success. A reader that has gone (head -1) has what it
// wanted: the code is that of a program that SIGPIPE ends, unless more went wrong.
int ended(int code) {
  const int error = terminal::finish_output();
  if (error == 0) return code;
  if (error == EPIPE) return code == 0 ? static_cast<int>(exit_code::reader_gone) : code;
  terminal::print(stderr, "error: cannot write to standard output: {}\n", std::strerror(error));
  return static_cast<int>(exit_code::failed);
}

}  // namespace
}  // namespace flanks

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that went away is an error of write(2), not our end
  flanks::keep_freed_memory();
  flanks::forget_overriding_environment();
  const flanks::parsed line = flanks::parse_command_line(argc, argv);
  if (line.exit) return flanks::ended(*line.exit);
  return flanks::ended(static_cast<int>(flanks::run_command(line.asked)));
}
