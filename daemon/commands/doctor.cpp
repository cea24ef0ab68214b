// doctor: everything that must be right before anything can be mirrored, each line ok, warn or fail
// and what to do. Changes nothing.
#include "daemon/commands/doctor.hpp"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "daemon/commands/commands.hpp"
#include "daemon/moving_secrets.hpp"
#include "daemon/task_group.hpp"
#include "daemon/terminal.hpp"
#include "db/commands/examination.hpp"
#include "sync/flanks/probe.hpp"

namespace flanks {

namespace {

namespace asio = boost::asio;
namespace json = boost::json;

std::vector<finding> probe(const configuration& c) {
  std::vector<finding> found;
  asio::io_context loop{1};
  const asio::any_io_executor executor = loop.get_executor();
  api_options options = provider_options_of(c);
  options.keys = make_moving_keys(executor, c);
  task_group group(executor);
  auto story = [&]() -> asio::awaitable<void> {
    asio::awaitable<std::vector<finding>> probing = probe_provider(executor, options);
    found = co_await std::move(probing);
  };
  group.spawn(story());
  loop.run();
  return found;
}

json::value said_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

}  // namespace

std::vector<finding> examine(const invocation& asked) {
  std::vector<finding> found;
  std::optional<configuration> c;
  try {
    c = configure(asked, config::secret_scope::all);
    found.push_back(
        {"config", grade::ok, fmt::format("{} has no mistake", c->file.file.string()), "", ""});
  } catch (const refusal& r) {
    // Each mistake has a hint of its own.
    found.push_back({"config", grade::fail, r.what(), "", "configuration"});
    return found;
  }
  for (finding& f : probe(*c))
    found.push_back(std::move(f));
  for (finding& f : examine_database(database_options(*c)))
    found.push_back(std::move(f));
  return found;
}

namespace {

void print_json(const std::vector<finding>& found) {
  json::array all;
  for (const finding& f : found) {
    all.push_back(json::object{{"check", f.check},
                               {"result", to_string(f.how)},
                               {"says", f.says},
                               {"hint", said_or_null(f.hint)},
                               {"error_class", said_or_null(f.error_class)},
                               {"who_must_act", said_or_null(who_must_act(f))}});
  }
  terminal::print_json(json::serialize(all));
}

// Lines after the first stand below it.
std::string indented(const std::string& text) {
  std::string out;
  for (const char c : text)
    out += c == '\n' ? "\n" + std::string(22, ' ') : std::string(1, c);
  return out;
}

void print_people(const std::vector<finding>& found) {
  const bool colour = terminal::has_colour(stdout);
  for (const finding& f : found) {
    const char* const paint = !colour                ? ""
                              : f.how == grade::ok   ? "\033[32m"
                              : f.how == grade::warn ? "\033[1;33m"
                                                     : "\033[1;31m";
    const std::string says = indented(f.says);
    terminal::print("{}{:<4}{}  {:<14}  {}\n", terminal::verbatim{paint}, to_string(f.how),
                    terminal::verbatim{colour ? "\033[0m" : ""}, f.check, terminal::lines{says});
    if (!f.hint.empty()) terminal::print("                      {}\n", f.hint);
    const std::string_view who = who_must_act(f);
    if (!who.empty()) terminal::print("                      who must act: {}\n", who);
  }
}

// That of the first thing that fails, as a command would end that needs it.
exit_code code_of(const std::vector<finding>& found) {
  for (const finding& f : found) {
    if (f.how != grade::fail) continue;
    if (f.check == "config") return exit_code::configuration;
    if (f.error_class.empty()) return exit_code::failed;
    return exit_code_of(f.at, f.error_class);
  }
  return exit_code::done;
}

}  // namespace

exit_code command_doctor(const invocation& asked) {
  const std::vector<finding> found = examine(asked);
  if (asked.json) {
    print_json(found);
  } else {
    print_people(found);
  }
  return code_of(found);
}

}  // namespace flanks
