// What is wrong with a command line, by what there is: found before it is parsed.
#include <fmt/format.h>

#include <algorithm>

#include "config/nearest.hpp"
#include "daemon/typed_word.hpp"
#include "daemon/usage.hpp"

namespace flanks::usage {

namespace {

// Without the name of the program; itself for the program.
std::string_view short_path(const command& c) {
  const std::string_view path = c.path;
  const std::size_t blank = path.find(' ');
  return blank == std::string_view::npos ? path : path.substr(blank + 1);
}

const option* find(const std::vector<const command*>& above, std::string_view name) {
  for (const command* const c : above) {
    for (const option& o : c->options) {
      if (o.name == name) return &o;
    }
  }
  return nullptr;
}

// The first command below `c` that `fits`.
template <class Fits>
const command* find_below(const command& c, const Fits& fits) {
  for (const command& below : c.commands) {
    if (fits(below)) return &below;
    if (const command* const found = find_below(below, fits)) return found;
  }
  return nullptr;
}

std::string names_of(const std::vector<command>& commands) {
  std::string all;
  for (const command& c : commands)
    all += (all.empty() ? "" : ", ") + c.name;
  return all;
}

mistake unknown_command(const command& in, const std::string& word) {
  const std::string of = in.path == in.name ? "" : fmt::format(" of {}", in.name);
  const typed_word typed = told_choice(word);
  const std::string message = fmt::format("{} is no command{}{}", typed.name, of, typed.note);
  std::vector<std::string_view> names;
  for (const command& c : in.commands)
    names.emplace_back(c.name);
  const std::string_view near = config::nearest_word(word, names);
  if (!near.empty())
    return {message, fmt::format("did you mean {}? {} --help lists the commands", near, in.path)};
  const command* const elsewhere = find_below(in, [&](const command& c) { return c.name == word; });
  if (elsewhere != nullptr)
    return {message, fmt::format("did you mean {}?", short_path(*elsewhere))};
  return {message, fmt::format("the commands are: {}; {} --help tells more", names_of(in.commands),
                               in.path)};
}

mistake unknown_option(const command& in, const std::vector<const command*>& above,
                       const std::string& name) {
  const bool plain = is_plain_word(name);
  const std::string message =
      fmt::format("unknown option{}{}{}{}{}", plain ? " " : "", plain ? name : "",
                  in.path == in.name ? "" : " of ", in.path == in.name ? "" : short_path(in),
                  plain ? "" : "; it is not repeated here: it may be a secret");
  std::vector<std::string_view> names;
  for (const command* const c : above) {
    for (const option& o : c->options)
      names.emplace_back(o.name);
  }
  const std::string_view near = config::nearest_word(name, names);
  if (!near.empty())
    return {message, fmt::format("did you mean {}? {} --help lists the options", near, in.path)};
  const command* const elsewhere = find_below(in, [&](const command& c) {
    return std::any_of(c.options.begin(), c.options.end(),
                       [&](const option& o) { return o.name == name; });
  });
  if (elsewhere != nullptr)
    return {message, fmt::format("it is an option of commands, and stands behind their name: {} {}",
                                 elsewhere->path, name)};
  return {message, fmt::format("{} --help lists the options", in.path)};
}

// Where a reading of the words stands.
class reading {
 public:
  explicit reading(const command& program) : above_{&program} {}

  std::optional<mistake> take(std::span<const std::string> words) {
    for (at_ = 0; at_ < words.size(); ++at_) {
      const std::string& word = words[at_];
      const bool is_option = !only_arguments_ && word.size() > 1 && word[0] == '-';
      if (is_option && word == "--") {
        only_arguments_ = true;
        continue;
      }
      const std::optional<mistake> wrong = is_option ? take_option(words) : take_word(word);
      if (wrong || help_) return wrong;
    }
    return missing();
  }

 private:
  [[nodiscard]] const command& current() const { return *above_.front(); }

  std::optional<mistake> take_option(std::span<const std::string> words) {
    const std::string& word = words[at_];
    const std::string name = word.substr(0, word.find('='));
    const option* const known = find(above_, name == "-h" ? "--help" : name);
    if (known == nullptr) return unknown_option(current(), above_, name);
    help_ = known->name == "--help" || known->name == "--version";
    const bool again = std::find(seen_.begin(), seen_.end(), known) != seen_.end();
    if (again && !known->repeatable && !known->value.empty())
      return mistake{fmt::format("{} is given twice", name), help_hint()};
    seen_.push_back(known);
    if (is_empty_value(*known, words)) {
      return mistake{fmt::format("{} has an empty value", name),
                     fmt::format("leave it out, or write {}", form_of(*known))};
    }
    if (known->value.empty() && name.size() < word.size())
      return mistake{fmt::format("{} takes no value", name), help_hint()};
    if (known->value.empty() || name.size() < word.size()) return std::nullopt;
    const bool value_follows =
        at_ + 1 < words.size() && (words[at_ + 1] == "-" || !words[at_ + 1].starts_with('-'));
    if (value_follows && (!known->value_may_lack || current().arguments.empty())) ++at_;
    if (!value_follows && !known->value_may_lack)
      return mistake{fmt::format("{} needs a value: {}", name, form_of(*known)), help_hint()};
    return std::nullopt;
  }

  // An empty value is most often a variable of a script that is not set. A reason may be empty.
  [[nodiscard]] bool is_empty_value(const option& known, std::span<const std::string> words) const {
    const std::string& word = words[at_];
    if (known.value.empty() || known.name == "--reason") return false;
    if (word.find('=') != std::string::npos) return word.find('=') + 1 == word.size();
    return at_ + 1 < words.size() && words[at_ + 1].empty() && !known.value_may_lack;
  }

  std::optional<mistake> take_word(const std::string& word) {
    const auto& commands = current().commands;
    if (!commands.empty() && only_arguments_) {
      return mistake{
          fmt::format("a command stands behind --, which ends all but arguments{}",
                      told_choice(word).note),
          fmt::format("write it before --; {} --help lists the commands", current().path)};
    }
    if (!commands.empty()) {
      const auto found = std::find_if(commands.begin(), commands.end(),
                                      [&](const command& c) { return c.name == word; });
      if (found == commands.end()) return unknown_command(current(), word);
      above_.insert(above_.begin(), &*found);
      return std::nullopt;
    }
    ++arguments_;
    const auto& known = current().arguments;
    if (arguments_ <= known.size() || (!known.empty() && known.back().repeatable)) {
      if (!word.empty()) return std::nullopt;
      return mistake{fmt::format("{} is empty", known[std::min(arguments_, known.size()) - 1].name),
                     help_hint()};
    }
    const typed_word typed = told(word);
    return mistake{fmt::format("{} is one argument too many for {}{}", typed.name,
                               short_path(current()), typed.note),
                   help_hint()};
  }

  [[nodiscard]] std::optional<mistake> missing() const {
    const command& c = current();
    if (!c.commands.empty())
      return mistake{
          c.path == c.name ? "no command is given" : fmt::format("{} needs a command", c.name),
          fmt::format("the commands are: {}; {} --help tells more", names_of(c.commands), c.path)};
    for (const option& o : c.options) {
      if (o.required && std::find(seen_.begin(), seen_.end(), &o) == seen_.end())
        return mistake{fmt::format("{} needs {}", short_path(c), form_of(o)), help_hint()};
    }
    if (arguments_ < c.arguments.size())
      return mistake{fmt::format("{} needs {}", short_path(c), c.arguments[arguments_].name),
                     help_hint()};
    return std::nullopt;
  }

  [[nodiscard]] std::string help_hint() const {
    return fmt::format("{} --help shows how", current().path);
  }

  std::vector<const command*> above_;  // the innermost first
  std::vector<const option*> seen_;
  std::size_t at_ = 0;
  std::size_t arguments_ = 0;
  bool only_arguments_ = false;
  bool help_ = false;
};

}  // namespace

std::optional<mistake> first_mistake(const command& program, std::span<const std::string> words) {
  return reading(program).take(words);
}

}  // namespace flanks::usage
