// What was typed, as text: turned into values, with a good message, once all of it is known.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "daemon/command_line.hpp"

namespace flanks {

struct given_text {
  std::string level, from, to, succession;
  std::vector<std::string> users, products, credentials;
  std::optional<std::string> watch;  // "" without a value
};

// Its message is for people: which option, what was given, what belongs there.
struct refused_value : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws refused_value for the first that is none, or that goes not with another.
void read_values(const given_text& given, invocation& asked);

}  // namespace flanks
