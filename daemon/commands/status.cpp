// status: the words of flanks.sync_status.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <map>

#include "config/nearest.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/credential_json.hpp"
#include "daemon/terminal.hpp"
#include "daemon/watch.hpp"
#include "db/commands/examination.hpp"
#include "db/commands/migrate.hpp"
#include "db/commands/status_view.hpp"
#include "sync/finding.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

namespace json = boost::json;

std::string names_of(const std::vector<user_id>& users) {
  std::string text;
  for (const user_id& u : users)
    text += (text.empty() ? "" : ", ") + u.value;
  return text;
}

void print_json(const std::vector<status_row>& rows) {
  json::array all;
  for (const status_row& r : rows)
    all.push_back(json_of(r));
  terminal::print_json(json::serialize(all));
}

terminal::colour colour_of(std::string_view state) {
  using terminal::colour;
  if (state == "ok") return colour::green;
  if (state == "stale" || state == "error" || state == "blocked" || state == "gone")
    return colour::red;
  if (state == "action_required") return colour::yellow;
  return colour::dim;
}

// Problems in full, a block each; what is well in one line each below.
void print_problems(std::FILE* out, const std::vector<status_row>& rows, bool coloured) {
  for (const status_row& r : rows) {
    if (!r.problem) continue;
    const terminal::colour c = coloured ? terminal::colour::red : terminal::colour::none;
    const std::string named = r.error_class.value_or(r.state);
    terminal::print(out, "{}credential {} ({}): {}{}{}\n", terminal::verbatim{begin_of(c)},
                    r.id.value, names_of(r.users), r.state, named == r.state ? "" : ", " + named,
                    terminal::verbatim{end_of(c)});
    if (r.last_error) terminal::print(out, "  what:  {}\n", terminal::localised(*r.last_error));
    if (r.last_error_hint) terminal::print(out, "  hint:  {}\n", *r.last_error_hint);
    if (r.reviews > 0) {
      terminal::print(
          out,
          "  what:  so many rows vanished at once that none was removed ({} to decide)\n"
          "  hint:  flanks-sync removals list\n",
          r.reviews);
    }
    terminal::print(out, "  who:   {}\n  next:  {}\n\n",
                    r.who_must_act == "nobody" ? "nobody has to act" : r.who_must_act,
                    terminal::localised(r.what_next));
  }
}

void print_table(std::FILE* out, const std::vector<status_row>& rows, bool coloured) {
  terminal::table table({{"credential", terminal::align::right},
                         {"users"},
                         {"bank"},
                         {"state", terminal::align::left, colour_of},
                         {"refreshed"},
                         {"agreed"},
                         {"next"}});
  const auto ago = [](const std::optional<std::chrono::seconds>& age) {
    return age ? terminal::ago(*age) : std::string("never");
  };
  for (const status_row& r : rows) {
    table.add({std::to_string(r.id.value), names_of(r.users), r.bank.value_or("-"), r.state,
               ago(r.provider_age), ago(r.lag), terminal::localised(r.what_next)});
  }
  const std::string text = table.text(coloured);
  terminal::print(out, "{}", terminal::verbatim{text});
}

// "3 credentials: 1 error, 2 ok".
void print_sum(std::FILE* out, const std::vector<status_row>& rows) {
  std::map<std::string, int> states;
  for (const status_row& r : rows)
    ++states[r.state];
  std::string sum;
  for (const auto& [state, count] : states)
    sum += fmt::format("{}{} {}", sum.empty() ? "" : ", ", count, state);
  terminal::print(out, "{}: {}\n", counted(static_cast<std::int64_t>(rows.size()), "credential"),
                  sum);
}

// What status tells: the credentials that were asked for, and what concerns all of them.
struct mirror_status {
  std::vector<status_row> rows;
  std::vector<mirror_problems::row> problems;
  std::optional<finding> misfit;  // of the schema
};

// Of the whole mirror, before any credential, in the words of each.
void print_mirror_problems(std::FILE* out, const mirror_status& s, bool coloured) {
  const terminal::colour c = coloured ? terminal::colour::red : terminal::colour::none;
  if (s.misfit) {
    terminal::print(out, "{}The schema is not that of this program: {}{}\n",
                    terminal::verbatim{begin_of(c)}, s.misfit->error_class,
                    terminal::verbatim{end_of(c)});
    terminal::print(out, "  what:  {}\n  hint:  {}\n  who:   {}\n\n", s.misfit->says,
                    s.misfit->hint, who_must_act(*s.misfit));
  }
  for (const mirror_problems::row& p : s.problems) {
    terminal::print(out, "{}{}, since {} (says {}): {}{}\n", terminal::verbatim{begin_of(c)},
                    title_of(p.problem), terminal::localised(p.since), p.process, p.error_class,
                    terminal::verbatim{end_of(c)});
    terminal::print(out, "  what:  {}\n", p.error);
    if (p.hint) terminal::print(out, "  hint:  {}\n", *p.hint);
    terminal::print(out, "  who:   {}\n  next:  {}\n\n",
                    p.who_must_act == "nobody" ? "nobody has to act" : p.who_must_act, p.what_next);
  }
}

void print_people(std::FILE* out, const mirror_status& s, const invocation& asked, bool coloured) {
  print_mirror_problems(out, s, coloured);
  const std::vector<status_row>& rows = s.rows;
  if (rows.empty()) {
    terminal::print(out, "{}\n",
                    asked.problems
                        ? "no credential has a problem"
                        : "no credential is registered; see flanks-sync credentials add --help");
    return;
  }
  print_problems(out, rows, coloured);
  print_table(out, rows, coloured);
  print_sum(out, rows);
}

[[noreturn]] void refuse_bank(const std::string& bank, const std::vector<status_row>& rows) {
  std::vector<std::string_view> known;
  for (const status_row& r : rows) {
    if (r.bank && std::find(known.begin(), known.end(), *r.bank) == known.end())
      known.emplace_back(*r.bank);
  }
  const std::string_view near = config::nearest_word(bank, known);
  throw refusal(exit_code::failed, fmt::format("no credential is at a bank named {}", bank),
                near.empty() ? "flanks-sync status shows the names in the column bank"
                             : fmt::format("did you mean {}?", near));
}

std::vector<status_row> at_banks(std::vector<status_row> rows,
                                 const std::vector<std::string>& banks) {
  if (banks.empty()) return rows;
  const auto at = [](const std::string& bank) {
    return [&bank](const status_row& r) { return r.bank == bank; };
  };
  for (const std::string& bank : banks) {
    if (std::none_of(rows.begin(), rows.end(), at(bank))) refuse_bank(bank, rows);
  }
  std::erase_if(rows, [&](const status_row& r) {
    return std::none_of(banks.begin(), banks.end(),
                        [&](const std::string& bank) { return r.bank == bank; });
  });
  return rows;
}

// A reader who may not look at the bookkeeping of migrations is not told.
std::optional<finding> misfit_of(const configuration& c) {
  try {
    finding schema = schema_finding(migrate::migrator(database_options(c)).check());
    if (schema.how != grade::ok) return schema;
  } catch (const failure& f) {
    if (f.error_class != "database_rights") throw;
  }
  return std::nullopt;
}

mirror_status read(const invocation& asked, const configuration& c) {
  const db_options database = database_options(c);
  mirror_status s;
  s.misfit = misfit_of(c);
  s.rows = at_banks(read_status(database, asked.who), asked.banks);
  if (asked.problems) std::erase_if(s.rows, [](const status_row& r) { return !r.problem; });
  s.problems = read_mirror_problems(database);
  return s;
}

}  // namespace

exit_code command_status(const invocation& asked) {
  const configuration c = configure(asked, config::secret_scope::database);
  if (asked.watch) {
    if (!terminal::is_live(stdout))
      throw refusal(exit_code::usage, "--watch needs a terminal, and standard output is none",
                    "leave it out, or use watch(1)");
    watch(*asked.watch, [&](std::FILE* out) {
      print_people(out, read(asked, c), asked, terminal::has_colour(stdout));
    });
  }
  const mirror_status now = read(asked, c);
  const std::vector<status_row>& rows = now.rows;
  if (asked.json) {
    print_json(rows);
    print_mirror_problems(stderr, now, false);  // standard output is a list of credentials
  } else {
    print_people(stdout, now, asked, terminal::has_colour(stdout));
  }
  // What keeps /-/ready at 503 and fails in doctor is no success here.
  if (asked.exit_code && now.misfit)
    throw refusal(exit_code::configuration, now.misfit->says, now.misfit->hint);
  const bool problems =
      !now.problems.empty() ||
      std::any_of(rows.begin(), rows.end(), [](const status_row& r) { return r.problem; });
  return asked.exit_code && problems ? exit_code::some_failed : exit_code::done;
}

}  // namespace flanks
