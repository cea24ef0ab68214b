// Goes through a YAML tree and notes every mistake with its place.
#pragma once

#include "config/load.hpp"
#include "config/yaml_tree.hpp"

namespace flanks::config {

// Fills values, places and mistakes of `out` (whose file is set) from a whole document.
void walk(const yaml_node& root, const environment& lookup, loaded& out);

}  // namespace flanks::config
