#include "daemon/usage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace flanks::usage {

namespace {

namespace json = boost::json;

constexpr std::size_t columns = 80;

// Words from `at` on, wrapped at `columns`; the cursor stands at `at` already.
std::string wrapped(std::string_view text, std::size_t at) {
  std::string out;
  std::size_t used = at;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (used > at && used + end + 1 > columns) {
      out += fmt::format("\n{:{}}", "", at);
      used = at;
    } else if (used > at) {
      out += ' ';
      ++used;
    }
    out += text.substr(0, end);
    used += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + "\n";
}

std::string two_columns(const std::vector<std::pair<std::string, std::string>>& lines) {
  std::size_t left = 0;
  for (const auto& [name, text] : lines)
    left = std::max(left, name.size());
  std::string out;
  for (const auto& [name, text] : lines)
    out += fmt::format("  {:<{}}  {}", name, left, wrapped(text, left + 4));
  return out;
}

std::string list_of(const std::vector<option>& options) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const option& o : options)
    lines.emplace_back(form_of(o), o.required ? o.text + " (required)" : o.text);
  return two_columns(lines);
}

std::string usage_line(const command& c) {
  std::string line = c.path;
  for (const option& o : c.options) {
    if (o.required) line += " " + form_of(o);
  }
  for (const option& o : c.arguments)
    line += " " + o.name + (o.repeatable ? "..." : "");
  if (!c.commands.empty()) line += " COMMAND";
  const bool more =
      std::any_of(c.options.begin(), c.options.end(), [](const option& o) { return !o.required; });
  return more ? line + " [OPTIONS]" : line;
}

json::string_view view(std::string_view text) {
  return {text.data(), text.size()};
}

json::object object_of(const option& o) {
  json::array choices;
  for (const std::string_view choice : choices_of(o.value.empty() ? o.name : o.value))
    choices.emplace_back(view(choice));
  return {{"name", o.name},
          {"value", o.value.empty() ? json::value(nullptr) : json::value(o.value)},
          {"text", o.text},
          {"required", o.required},
          {"repeatable", o.repeatable},
          {"value_may_lack", o.value_may_lack},
          {"choices", std::move(choices)}};
}

json::object object_of(const command& c) {
  json::array examples, options, arguments, commands;
  for (const example& e : examples_of(c.path))
    examples.push_back(json::object{{"line", view(e.line)}, {"text", view(e.text)}});
  for (const option& o : c.options)
    options.push_back(object_of(o));
  for (const option& o : c.arguments)
    arguments.push_back(object_of(o));
  for (const command& below : c.commands)
    commands.push_back(object_of(below));
  return {{"name", c.name},
          {"path", c.path},
          {"text", c.text},
          {"examples", std::move(examples)},
          {"options", std::move(options)},
          {"arguments", std::move(arguments)},
          {"commands", std::move(commands)}};
}

}  // namespace

std::string form_of(const option& o) {
  if (o.value.empty()) return o.name;
  return o.name + (o.value_may_lack ? fmt::format(" [{}]", o.value) : " " + o.value);
}

std::string help(const command& c, const command& program) {
  std::string out = wrapped(c.text, 0);
  const std::span<const example> examples = examples_of(c.path);
  if (!examples.empty()) out += "\nExamples:\n";
  for (const example& e : examples)
    out += fmt::format("  {}\n      {}", e.line, wrapped(e.text, 6));
  out += fmt::format("\nUsage: {}\n", usage_line(c));
  if (!c.arguments.empty()) out += "\nArguments:\n" + list_of(c.arguments);
  if (!c.commands.empty()) {
    std::vector<std::pair<std::string, std::string>> lines;
    for (const command& below : c.commands)
      lines.emplace_back(below.name, below.text);
    out += "\nCommands:\n" + two_columns(lines);
  }
  if (!c.options.empty()) out += "\nOptions:\n" + list_of(c.options);
  if (&c != &program) out += "\nOptions of every command:\n" + list_of(program.options);
  return out;
}

std::string help_json(const command& c) {
  return json::serialize(object_of(c));
}

std::span<const std::string_view> choices_of(std::string_view value) {
  static constexpr std::array<std::string_view, 5> levels{"trace", "debug", "info", "warn",
                                                          "error"};
  static constexpr std::array<std::string_view, 4> products{"account", "card", "investment",
                                                            "liability"};
  if (value == "LEVEL") return levels;
  if (value == "P") return products;
  return {};
}

}  // namespace flanks::usage
