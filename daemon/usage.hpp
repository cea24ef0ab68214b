// The commands and options that there are, as values: what --help says of them, and what is wrong
// with words that fit none of them. Knows no parser and runs nothing.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flanks::usage {

// An option ("--user"), or an argument ("RUN"), whose name is that of its value.
struct option {
  std::string name;
  std::string value;  // "U"; empty: it takes none
  std::string text;
  bool required = false;
  bool repeatable = false;
  bool value_may_lack = false;
};

// "--user U", "--watch [SECONDS]", "RUN".
[[nodiscard]] std::string form_of(const option& o);

struct example {
  std::string_view line;  // as typed, with redirections
  std::string_view text;
};

struct command {
  std::string name;  // "add"
  std::string path;  // "flanks-sync credentials add"
  std::string text;
  std::vector<option> options;
  std::vector<option> arguments;
  std::vector<command> commands;
};

// Of the command with that path, the most frequent first; none for one that has no examples.
[[nodiscard]] std::span<const example> examples_of(std::string_view path);

// What --help prints for `c`: what it does, examples, usage, its options, those of every command.
[[nodiscard]] std::string help(const command& c, const command& program);
// The same of `c` and all below it, as JSON, for what completes and documents command lines.
[[nodiscard]] std::string help_json(const command& c);

// The values that an option or argument of that value name takes; empty when they are not few.
[[nodiscard]] std::span<const std::string_view> choices_of(std::string_view value);

struct mistake {
  std::string message, hint;
};
// The first word that no command, option or argument is meant by; then the first that is missing.
// `words` are those behind the name of the program. Nothing for a line that asks for help.
[[nodiscard]] std::optional<mistake> first_mistake(const command& program,
                                                   std::span<const std::string> words);

}  // namespace flanks::usage
