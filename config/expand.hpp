// ${VAR} and ${VAR:-default} inside scalars; $${ stands for ${.
#pragma once

#include <string>
#include <string_view>

#include "config/load.hpp"
#include "config/values.hpp"

namespace flanks::config {

struct expanded {
  std::string text;
  verdict_on_value wrong;  // names variables, never their values
  bool from_environment = false;
};

// A variable that is set wins, also when it is empty; with ":-" an empty one counts as not set, as
// in a shell. A variable that is not set and has no default is a complaint.
[[nodiscard]] expanded expand(std::string_view text, const environment& lookup);

// `text` so that expand() gives it back unchanged.
[[nodiscard]] std::string unexpanded(std::string_view text);

}  // namespace flanks::config
