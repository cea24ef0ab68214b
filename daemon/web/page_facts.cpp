#include "daemon/web/page_facts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/terminal.hpp"
#include "daemon/web/parts.hpp"
#include "sync/text.hpp"

namespace flanks::web {

namespace {

namespace chr = std::chrono;

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

// While it lasts, what was read agrees with nothing that is so now.
bool stops_reading(mirror_problem which) {
  return which == mirror_problem::fetching || which == mirror_problem::claiming ||
         which == mirror_problem::working;
}

bool is_told_by_us(const mirror_problems::row& r, const daemon_facts& daemon) {
  if (r.process == daemon.process) return true;
  // One for all daemons; that nobody works follows from it.
  return std::any_of(daemon.problems.begin(), daemon.problems.end(), [&](const auto& own) {
    return stops_reading(own.first) &&
           (r.problem == own.first || r.problem == mirror_problem::working);
  });
}

// Each once, also where several daemons have the same.
std::vector<std::string_view> titles_of(const std::vector<mirror_trouble>& troubles) {
  std::vector<std::string_view> titles;
  for (const mirror_trouble& t : troubles) {
    const std::string_view title = title_of(t.which);
    if (std::find(titles.begin(), titles.end(), title) == titles.end()) titles.push_back(title);
  }
  return titles;
}

mirror_trouble trouble_from(const mirror_problems::row& r) {
  return {r.problem,
          {"mirror", grade::fail, r.error, r.hint.value_or(""), r.error_class},
          r.process,
          r.since,
          r.what_next};
}

std::string agreement(const summary& s, const std::string& all, bool reads) {
  if (!reads)
    return s.credentials == 1
               ? "Up; the one credential agreed with the provider when it was last read"
               : fmt::format("Up; all {} agreed with the provider when they were last read", all);
  return s.credentials == 1 ? "Up and current: the one credential agrees with the provider"
                            : fmt::format("Up and current: all {} agree with the provider", all);
}

std::string credentials_sentence(const summary& s, bool reads) {
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
    text = agreement(s, all, reads);
  } else {
    text = fmt::format("Up: {} of {} {} with the provider, {} for the first synchronisation",
                       grouped(s.current), all, plural(s.credentials, "agrees", "agree"),
                       counted(s.credentials - s.current, "waits", "wait"));
  }
  if (s.worst_lag)
    text += fmt::format("; the worst lag is {} (credential {})", span(*s.worst_lag), s.worst.value);
  return text + ".";
}

}  // namespace

std::vector<mirror_trouble> troubles_of(const daemon_facts& daemon, const mirror_view& mirror) {
  std::vector<mirror_trouble> all;
  for (const auto& [which, found] : daemon.problems)
    all.push_back({which, found, daemon.process, std::nullopt, ""});
  if (mirror.overview == nullptr) return all;
  for (const mirror_problems::row& r : mirror.overview->of_all) {
    const auto own = std::find_if(all.begin(), all.end(), [&](const mirror_trouble& t) {
      return t.process == r.process && t.which == r.problem;
    });
    if (own != all.end())
      own->since = r.since, own->what_next = r.what_next;
    else if (!is_told_by_us(r, daemon))
      all.push_back(trouble_from(r));
  }
  return all;
}

summary summary_of(const daemon_facts& daemon, const mirror_view& mirror) {
  summary s;
  if (mirror.overview != nullptr) count_states(*mirror.overview, s);
  if (!mirror.not_ready.empty()) {
    s.how = summary::level::down;
    s.sentence = fmt::format("The daemon runs, but it is not ready: {}.", mirror.not_ready);
  } else if (!mirror.trouble.empty()) {
    s.how = summary::level::down;
    s.sentence =
        fmt::format("The daemon runs, but the database cannot be asked: {}.", mirror.trouble);
  } else if (!mirror.unread.empty()) {
    s.how = summary::level::look;
    s.sentence =
        fmt::format("The daemon runs, but this page could not be read: {}.", mirror.unread);
  } else {
    const std::vector<mirror_trouble> troubles = troubles_of(daemon, mirror);
    const bool well = s.problems == 0 && troubles.empty();
    s.how = well ? summary::level::well : summary::level::look;
    s.sentence = credentials_sentence(
        s, std::none_of(troubles.begin(), troubles.end(),
                        [](const mirror_trouble& t) { return stops_reading(t.which); }));
    for (const std::string_view title : titles_of(troubles))
      s.sentence += fmt::format(" {}.", title);
  }
  if (daemon.paused_until && *daemon.paused_until > daemon.now) {
    if (s.how == summary::level::well) s.how = summary::level::look;
    s.sentence += fmt::format(" The provider asked us to wait: nothing is asked for before {}.",
                              clock_text(chr::ceil<chr::minutes>(*daemon.paused_until)));
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
  if (who_must_act == "end_user") return "the end user";
  if (who_must_act == "operator") return "an operator";
  if (who_must_act == "provider") return "the provider";
  return "nobody";
}

std::string_view who_must_act_on(const status_row& row) {
  return row.state == "paused" && !row.problem ? std::string_view("nobody") : row.who_must_act;
}

}  // namespace flanks::web
