// What the operator typed, as values. No command is run here.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.hpp"
#include "sync/arrivals.hpp"
#include "sync/store.hpp"
#include "sync/types.hpp"

namespace flanks {

enum class command : std::uint8_t {
  run,
  backfill,
  sync,
  status,
  verify,
  credentials_add,
  credentials_import,
  credentials_list,
  credentials_show,
  credentials_pause,
  credentials_resume,
  credentials_remove,
  credentials_rotate,
  credentials_discover,
  link_exchange,
  link_sessions,
  erase,
  prune,
  removals_list,
  removals_confirm,
  removals_reject,
  successions_list,
  successions_show,
  successions_confirm,
  successions_reject,
  migrate_up,
  migrate_status,
  migrate_plan,
  doctor,
  config_check,
  config_show,
  config_example,
  support,
};

struct invocation {
  command what = command::run;
  std::string name;  // as it was typed: "run", "credentials add"
  std::filesystem::path config = "/etc/flanks-sync/config.yaml";
  std::optional<config::log_level> level;
  bool json = false;

  selection who;                // backfill, sync, verify; credentials_*: which ones
  std::optional<day> from, to;  // backfill, verify
  bool once = false;            // run
  bool migrate = false;         // run, backfill
  bool restart = false;         // backfill
  bool dry_run = false;         // backfill, credentials discover, link sessions, prune
  bool exit_code = false;       // status
  bool repair = false;          // verify
  std::string user;             // credentials add, erase
  std::string reason;           // credentials pause
  std::string file;             // credentials add, rotate, import: "-" is standard input
  bool yes = false;             // erase: do not ask
  bool even_if_erased = false;  // credentials add
  bool upstream = false;        // credentials remove
  std::string default_user;     // credentials discover, link exchange, link sessions
  // link exchange
  std::string user_from = exchange_options{}.user_from;
  std::string review;           // removals confirm, reject: the sync_run_id that raised it
  bool all = false;             // removals list, successions list
  std::int64_t succession = 0;  // successions show, confirm, reject
  // status
  bool problems = false;
  std::vector<std::string> banks;
  std::optional<std::chrono::seconds> watch;  // draw it again after so long
  std::string output;                         // support: the file; "-" is standard output
};

// What to do, or with what code to exit after what was printed (help, version, a usage error on
// standard error).
struct parsed {
  invocation asked;
  std::optional<int> exit;
};
[[nodiscard]] parsed parse_command_line(int argc, char** argv);

}  // namespace flanks
