// The list of every key there is, each bound to its setting: how it is read, checked and shown. The
// walker, `config show`, and the test of the example all go by this list.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/query.hpp"
#include "config/settings.hpp"
#include "config/values.hpp"

namespace flanks::config {

struct key {
  enum class need : std::uint8_t { optional, required };
  enum class shape : std::uint8_t { scalar, list, tree };

  std::string path;  // "flanks.timeouts.resolve"
  need is;
  shape takes;
  // One scalar after expansion; for a list, one element after another.
  std::function<verdict_on_value(std::string_view)> read;
  // The value as YAML; empty while it has none.
  std::function<std::string()> show;
  // Forgets the default of a list; called before its elements are read.
  std::function<void()> clear;
  // A list may have no elements.
  bool may_be_empty = false;
  // Of a tree: the whole value, with its mistakes.
  std::function<void(const yaml_node&, const environment&, const mistake_taker&)> read_tree;
  // The value may hold what must not be shown: complaints never quote it.
  bool confidential = false;
};

// Every key, in the order of the documented example; each refers to `s`, which must outlive them.
[[nodiscard]] std::vector<key> keys_of(settings& s);

// The value in double quotes, so that it loads again to the same text.
[[nodiscard]] std::string yaml_quoted(std::string_view text);

}  // namespace flanks::config
