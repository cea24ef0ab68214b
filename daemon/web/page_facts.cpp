#include "daemon/web/page_facts.hpp"

#include <fmt/format.h>

#include "daemon/terminal.hpp"
#include "sync/text.hpp"

namespace flanks::web {

namespace {

std::string grouped(std::int64_t n) {
  return terminal::grouped(n);
}

// "3 h", "the worst lag is ..." needs no "just now".
std::string span(std::chrono::seconds time) {
  return time.count() < 5 ? "under 5 s" : terminal::rough(time);
}

void count_states(const mirror_overview& o, summary& s) {
  for (const mirror_overview::state& state : o.states) {
    if (state.name == "paused") s.paused = state.credentials;
    if (state.name == "paused" || state.name == "removed") continue;
    s.credentials += state.credentials;
    if (state.name == "ok") s.current += state.credentials;
    if (state.name == "gone" || (s.worst_lag && *s.worst_lag >= state.worst_lag)) continue;
    s.worst_lag = state.worst_lag;
    s.worst = state.worst;
  }
  s.problems = o.problem_count;
}

std::string credentials_sentence(const summary& s) {
  const std::string all = terminal::amount(s.credentials, "credential");
  std::string text;
  if (s.credentials == 0 && s.paused > 0) {
    text = fmt::format("Up, and nothing is mirrored: {} paused",
                       counted(s.paused, "credential is", "credentials are"));
  } else if (s.credentials == 0) {
    text = s.problems == 0
               ? "Up. No credential is registered yet: flanks-sync credentials add --help says how"
               : "Up";
  } else if (s.problems > 0) {
    text = fmt::format("Up, but {} of {} {} a problem", grouped(s.problems), all,
                       plural(s.problems, "has", "have"));
  } else if (s.current == s.credentials) {
    text = s.credentials == 1 ? "Up and current: the one credential agrees with the provider"
                              : fmt::format("Up and current: all {} agree with the provider", all);
  } else {
    text =
        fmt::format("Up: {} of {} agree with the provider, {} for the first synchronisation",
                    grouped(s.current), all, counted(s.credentials - s.current, "waits", "wait"));
  }
  if (s.worst_lag)
    text += fmt::format("; the worst lag is {} (credential {})", span(*s.worst_lag), s.worst.value);
  return text + ".";
}

}  // namespace

summary summary_of(const daemon_facts& daemon, const mirror_view& mirror) {
  summary s;
  if (mirror.overview != nullptr) count_states(*mirror.overview, s);
  // What the database says now comes before what the last claim met.
  const bool is_known_better = daemon.trouble_of_database && !mirror.trouble.empty();
  if (!daemon.trouble.empty() && !is_known_better) {
    s.how = summary::level::down;
    s.sentence = fmt::format("The daemon runs, but it is not ready: {}.", daemon.trouble);
  } else if (!mirror.trouble.empty()) {
    s.how = summary::level::down;
    s.sentence =
        fmt::format("The daemon runs, but the database cannot be asked: {}.", mirror.trouble);
  } else {
    const bool well = s.problems == 0 && daemon.problems.empty();
    s.how = well ? summary::level::well : summary::level::look;
    s.sentence = credentials_sentence(s);
    for (const auto& [which, found] : daemon.problems)
      s.sentence += fmt::format(" {}.", title_of(which));
  }
  if (daemon.paused_until && *daemon.paused_until > daemon.now) {
    if (s.how == summary::level::well) s.how = summary::level::look;
    s.sentence += fmt::format(" The provider asked us to wait: nothing is asked for before {}.",
                              to_string(*daemon.paused_until));
  }
  return s;
}

std::string_view word_for(summary::level l) {
  switch (l) {
    case summary::level::well:
      return "ok";
    case summary::level::look:
      return "look";
    case summary::level::down:
      break;
  }
  return "down";
}

std::optional<std::chrono::seconds> time_left(const mirror_overview::backfill& b) {
  if (b.done_lately == 0) return std::nullopt;
  return std::chrono::seconds{(b.items - b.items_done) * b.lately.count() / b.done_lately};
}

std::string whose_turn(std::string_view who_must_act) {
  if (who_must_act == "end_user") return "the end user must act";
  if (who_must_act == "operator") return "an operator must act";
  if (who_must_act == "provider") return "the provider must act";
  return "nobody has to act";
}

}  // namespace flanks::web
