// config check | show | example.
#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>

#include "daemon/commands/commands.hpp"
#include "daemon/terminal.hpp"

namespace flanks {

namespace {

namespace json = boost::json;

void print_yaml(const invocation& asked, std::string_view text) {
  if (asked.json) {
    const json::string_view yaml{text.data(), text.size()};
    terminal::print_json(json::serialize(json::object{{"yaml", yaml}}));
  } else {
    terminal::print("{}", terminal::verbatim{text});
  }
}

}  // namespace

exit_code command_config(const invocation& asked) {
  if (asked.what == command::config_example) {
    print_yaml(asked, config::example());
    return exit_code::done;
  }
  const configuration c = configure(asked, config::secret_scope::all);
  if (asked.what == command::config_show) {
    print_yaml(asked, config::show(c.values()));
  } else if (asked.json) {
    terminal::print_json(json::serialize(json::object{{"file", c.file.file.string()}}));
  } else {
    terminal::print("{}: ok\n", c.file.file.string());
  }
  return exit_code::done;
}

}  // namespace flanks
