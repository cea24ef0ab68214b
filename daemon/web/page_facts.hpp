// What a page is made of besides the database, and what of the database is known. Plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/hourly_counts.hpp"
#include "db/commands/page_source.hpp"
#include "sync/finding.hpp"

namespace flanks::web {

// What the process knows of itself.
struct daemon_facts {
  std::string version;
  std::string process;        // host:pid
  std::string listen;         // where the page is served
  std::string configuration;  // as `flanks-sync config show` prints it: no secret is in it
  std::vector<std::pair<mirror_problem, finding>> problems;  // in full, as flanks.mirror_problems
  instant now, started;
  std::optional<instant> paused_until;      // by the provider
  const hourly_counts* requests = nullptr;  // to the provider
};

// What is known of the mirror; `overview` may be old when there is trouble, or null.
struct mirror_view {
  const mirror_overview* overview = nullptr;
  std::string trouble{};    // why the database cannot be asked now, a sentence; empty when it can
  std::string hint{};       // what to do about it, or about `unread`
  std::string unread{};     // why this page could not be read though the database answers
  bool is_ready = true;     // as /-/ready says
  std::string not_ready{};  // its first reason that is not `trouble`; empty: there is none

  // What the page cannot show is not known for want of the database.
  [[nodiscard]] bool is_read() const { return trouble.empty() && unread.empty(); }
};

// What keeps the mirror as a whole from its work, whoever says so.
struct mirror_trouble {
  mirror_problem which = mirror_problem::fetching;
  finding found;
  std::string process;               // host:pid, or the database
  std::optional<std::string> since;  // YYYY-MM-DDTHH:MM:SSZ; nothing: not in the database yet
  std::string what_next;             // empty with `since`
};
// What this process knows of itself, then what the database has of others: each once, as
// flanks.mirror_problems has it.
[[nodiscard]] std::vector<mirror_trouble> troubles_of(const daemon_facts& daemon,
                                                      const mirror_view& mirror);

// How it stands, in one sentence.
struct summary {
  enum class level : std::uint8_t { well, look, down };
  level how = level::well;
  std::string sentence;
  std::int64_t credentials = 0;  // neither removed nor paused
  std::int64_t current = 0, problems = 0, paused = 0;
  std::optional<std::chrono::seconds> worst_lag;  // of those
  credential_id worst;
  // Nothing is amiss, and every credential agrees with the provider.
  [[nodiscard]] bool all_current() const {
    return how == level::well && credentials > 0 && current == credentials;
  }
};
[[nodiscard]] summary summary_of(const daemon_facts& daemon, const mirror_view& mirror);

// "ok", "look" or "down".
[[nodiscard]] std::string_view word_for(summary::level l);

// When a backfill will have ended at the pace of the last minutes; nothing when none of its windows
// ended lately.
[[nodiscard]] std::optional<std::chrono::seconds> time_left(const mirror_overview::backfill& b);

// Whose turn it is, for people, behind "Who must act": "nobody", "the end user", ...
[[nodiscard]] std::string whose_turn(std::string_view who_must_act);
// What an operator has paused waits for nobody: it is no problem.
[[nodiscard]] std::string_view who_must_act_on(const status_row& row);

}  // namespace flanks::web
