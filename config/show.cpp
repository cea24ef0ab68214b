// The way back: settings as YAML.
#include <fmt/format.h>

#include <algorithm>

#include "config/keys.hpp"
#include "config/load.hpp"

namespace flanks::config {

namespace {

// Opens the sections of `path` that are not open yet ("flanks", "flanks.timeouts").
void open_sections(std::string_view path, std::string_view& previous, std::string& out) {
  for (std::size_t dot = path.find('.'); dot != std::string_view::npos;
       dot = path.find('.', dot + 1)) {
    const std::string_view section = path.substr(0, dot);
    const bool open =
        previous.starts_with(section) && previous.size() > dot && previous[dot] == '.';
    if (open) continue;
    const auto depth = static_cast<std::size_t>(std::count(section.begin(), section.end(), '.'));
    out += fmt::format("{:{}}{}:\n", "", 2 * depth, section.substr(section.rfind('.') + 1));
  }
  previous = path;
}

}  // namespace

std::string show(const settings& s) {
  settings current = s;
  settings initial;
  const auto keys = keys_of(current);
  const auto defaults = keys_of(initial);
  std::string out;
  std::string_view previous;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::string& path = keys[i].path;
    const std::string value = keys[i].show();
    open_sections(path, previous, out);
    const auto depth = static_cast<std::size_t>(std::count(path.begin(), path.end(), '.'));
    const std::string name = path.substr(path.rfind('.') + 1);
    if (value.empty()) {
      out += fmt::format("{:{}}# {}: (not set)\n", "", 2 * depth, name);
    } else {
      const bool is_default = value == defaults[i].show();
      out += fmt::format("{:{}}{}: {}{}\n", "", 2 * depth, name, value,
                         is_default ? "  # default" : "");
    }
  }
  return out;
}

std::vector<std::string> changed_keys(const settings& before, const settings& after) {
  settings one = before, other = after;
  const auto keys = keys_of(one);
  const auto others = keys_of(other);
  std::vector<std::string> changed;
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (keys[i].show() != others[i].show()) changed.push_back(keys[i].path);
  return changed;
}

}  // namespace flanks::config
