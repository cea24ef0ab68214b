#include "config/nearest.hpp"

#include <algorithm>

namespace flanks::config {

namespace {

// Optimal string alignment: insert, delete, replace, swap of neighbours cost one each.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j)
    d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t same = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + same});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

// Words that are further apart than this have nothing to do with each other.
std::size_t farthest(std::string_view word) {
  return std::max<std::size_t>(word.size() / 3, 1);
}

constexpr std::size_t longest = 40;

std::string_view leaf_of(std::string_view path) {
  return path.substr(path.rfind('.') + 1);
}

std::string_view section_of(std::string_view path) {
  return path.substr(0, path.size() - leaf_of(path).size());
}

// Every key and every section.
std::vector<std::string> names(const std::vector<key>& keys) {
  std::vector<std::string> all;
  for (const key& k : keys) {
    for (auto dot = k.path.find('.'); dot != std::string::npos; dot = k.path.find('.', dot + 1)) {
      const std::string section = k.path.substr(0, dot);
      if (std::find(all.begin(), all.end(), section) == all.end()) all.push_back(section);
    }
    all.push_back(k.path);
  }
  return all;
}

}  // namespace

std::string_view nearest_word(std::string_view word, name_list known) {
  std::string_view best;
  if (word.size() > longest) return best;
  std::size_t least = farthest(word) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string nearest_key(const std::string& path, const std::vector<key>& keys) {
  const std::string_view leaf = leaf_of(path);
  std::string best;
  if (leaf.size() > longest) return best;
  std::size_t least = farthest(leaf) + 1;
  for (const std::string& candidate : names(keys)) {
    // The first words of a longer name are near: "client_secret" for "client_secret_file".
    const bool begins = leaf_of(candidate).starts_with(std::string{leaf} + "_");
    const std::size_t distance = begins ? 1 : edit_distance(leaf, leaf_of(candidate));
    const bool same_section = section_of(path) == section_of(candidate);
    // In another section, only the very same name.
    if ((same_section || distance == 0) && distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace flanks::config
