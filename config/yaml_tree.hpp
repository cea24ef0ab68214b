// One YAML document as a tree of places and texts, with everything that yaml-cpp would pass over in
// silence still in it: keys that come twice, in their order. yaml-cpp stays behind this header.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/load.hpp"

namespace flanks::config {

struct yaml_node {
  enum class kind : std::uint8_t { nothing, scalar, list, map };

  kind is = kind::nothing;
  place at;
  std::string text;              // of a scalar
  std::vector<yaml_node> items;  // of a list; of a map its values
  std::vector<yaml_node> keys;   // of a map, as they came: keys[i] names items[i]
};

// "a text", "a list", "a mapping", "nothing".
[[nodiscard]] std::string_view to_string(yaml_node::kind k);

// Something that is no YAML, or YAML that we do not take: a second document, an alias, a tag.
struct yaml_problem {
  place at;
  std::string what;
  std::string hint;
};

// Takes a whole file; gives the root of its one document (kind nothing for an empty file) or every
// problem. Not valid YAML: the first problem only, nothing after it can be told.
[[nodiscard]] std::variant<yaml_node, std::vector<yaml_problem>> read_yaml(std::string_view text);

}  // namespace flanks::config
