// sync.query: the provider's query object, read strictly before anything is sent.
#pragma once

#include <functional>
#include <string>

#include "config/yaml_tree.hpp"
#include "sync/query_filter.hpp"

namespace flanks::config {

// Told of every mistake: where, of which key, what is wrong, what to do.
using mistake_taker =
    std::function<void(place at, std::string path, std::string what, std::string hint)>;

// Reads `value`, the value of the key `path`, into `into`.
void read_query(const yaml_node& value, const std::string& path, const environment& lookup,
                const mistake_taker& note, query_filter& into);

// As YAML on one line that reads back the same; "{}" when it is empty.
[[nodiscard]] std::string show_query(const query_filter& filter);

}  // namespace flanks::config
