// Reads a configuration file, strictly: every mistake at once, each with its place and a hint.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace flanks::config {

// Looks up an environment variable; nullopt when it is not set.
using environment = std::function<std::optional<std::string>(std::string_view name)>;
// The environment of this process.
[[nodiscard]] environment process_environment();

// Where in the file, counted from 1; line 0: the file as a whole.
struct place {
  int line = 0;
  int column = 0;
};

// One thing that is wrong. No text of it ever holds the value of an environment variable, a
// connection string or a secret.
struct mistake {
  std::string file;
  place at;
  std::string key;   // "flanks.base_url"; empty when it is not about one key
  std::string what;  // one sentence without a full stop
  std::string hint;  // what to do; may be empty
};
// "file:line:column: key: what", then "\n  hint: ..." when there is a hint.
[[nodiscard]] std::string to_string(const mistake& m);

struct loaded {
  settings values;                      // to be used only when ok()
  std::vector<mistake> mistakes;        // in the order of the file
  std::filesystem::path file;           // as it was given
  std::map<std::string, place> places;  // of every known key that the file sets

  [[nodiscard]] bool ok() const { return mistakes.empty(); }
};

// Takes the file to read and where ${VAR} is looked up. Never throws for what a file can hold:
// that it cannot be read is a mistake as well. Secret files are not opened here (read_secrets).
[[nodiscard]] loaded load(const std::filesystem::path& file, const environment& lookup);
// The same for text already at hand; `file` is what mistakes call it.
[[nodiscard]] loaded load_text(std::string_view text, const std::filesystem::path& file,
                               const environment& lookup);

// The effective configuration as YAML that loads again to the same settings: every key, values that
// are the default marked so. Names of secret files are in it, secrets are not.
[[nodiscard]] std::string show(const settings& s);

// The paths of the keys whose values differ, in the order of the example.
[[nodiscard]] std::vector<std::string> changed_keys(const settings& before, const settings& after);

// The documented example (config/config.yaml): every key with comment, default and unit.
[[nodiscard]] std::string_view example();

}  // namespace flanks::config
