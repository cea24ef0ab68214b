#include "config/yaml_walker.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/expand.hpp"
#include "config/keys.hpp"
#include "config/nearest.hpp"

namespace flanks::config {

namespace {

// A key as it may be shown: someone who forgot the space after "client_secret:" has put the secret
// into the key.
std::string shown_key(std::string_view name) {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.<";
  const auto end = std::min({name.find_first_not_of(allowed), name.size(), std::size_t{40}});
  return std::string{name.substr(0, end)} + (end < name.size() ? "..." : "");
}

// Walks one tree, noting every mistake.
class walker {
 public:
  walker(loaded& out, const environment& lookup)
      : out_(out), lookup_(lookup), keys_(keys_of(out.values)) {}

  void walk(const yaml_node& root) {
    using kind = yaml_node::kind;
    if (root.is != kind::map && root.is != kind::nothing) {
      note(root.at, "", fmt::format("the file holds {}, not a mapping", to_string(root.is)),
           "`flanks-sync config example` prints a whole configuration");
      return;
    }
    walk_map(root, "");
    check_required();
    check_secrets();
    check_encryption();
    check_grant();
    check_source();
    std::stable_sort(out_.mistakes.begin(), out_.mistakes.end(),
                     [](const mistake& a, const mistake& b) {
                       return std::pair{a.at.line, a.at.column} < std::pair{b.at.line, b.at.column};
                     });
  }

 private:
  void note(place at, std::string path, std::string what, std::string hint) {
    out_.mistakes.push_back(
        {out_.file.string(), at, std::move(path), std::move(what), std::move(hint)});
  }

  const key* find(std::string_view path) const {
    const auto found =
        std::find_if(keys_.begin(), keys_.end(), [path](const key& k) { return k.path == path; });
    return found == keys_.end() ? nullptr : &*found;
  }

  bool is_section(const std::string& path) const {
    return std::any_of(keys_.begin(), keys_.end(),
                       [&path](const key& k) { return k.path.starts_with(path + "."); });
  }

  void walk_map(const yaml_node& map, const std::string& prefix) {
    for (std::size_t i = 0; i < map.keys.size(); ++i) {
      const yaml_node& name = map.keys[i];
      const yaml_node& value = map.items[i];
      if (name.is != yaml_node::kind::scalar) {
        note(name.at, prefix, "a key must be a single word", "");
        continue;
      }
      const std::string path = prefix.empty() ? name.text : prefix + "." + name.text;
      if (is_section(path)) {
        walk_section(path, name, value);
      } else if (const key* known = find(path)) {
        if (first_sighting(path, name.at)) read(*known, name, value);
      } else {
        note_unknown(name, prefix, path);
      }
    }
  }

  void walk_section(const std::string& path, const yaml_node& name, const yaml_node& value) {
    first_sighting(path, name.at);
    if (value.is == yaml_node::kind::map) {
      walk_map(value, path);
    } else if (value.is != yaml_node::kind::nothing) {
      note(value.at, path, fmt::format("must be a mapping, but is {}", to_string(value.is)), "");
    }
  }

  bool first_sighting(const std::string& path, place at) {
    const auto [seen, first] = seen_.emplace(path, at);
    if (!first) {
      note(at, path, fmt::format("is given twice, first in line {}", seen->second.line),
           "keep one of them");
    }
    return first;
  }

  void note_unknown(const yaml_node& name, const std::string& prefix, const std::string& path) {
    const std::string shown =
        prefix.empty() ? shown_key(name.text) : prefix + "." + shown_key(name.text);
    if (name.text == "<<") {
      note(name.at, shown, "merge keys are not taken here", "write the keys out");
      return;
    }
    const std::string near = nearest_key(path, keys_);
    note(name.at, shown, "unknown key",
         near.empty() ? "`flanks-sync config example` lists every key"
                      : fmt::format("did you mean {}?", near));
  }

  void read(const key& known, const yaml_node& name, const yaml_node& value) {
    using kind = yaml_node::kind;
    out_.places[known.path] = value.is == kind::nothing ? name.at : value.at;
    if (value.is == kind::nothing) {
      note(name.at, known.path, "has no value", "give it one, or remove the key");
    } else if (known.takes == key::shape::tree) {
      known.read_tree(value, lookup_,
                      [this](place at, std::string path, std::string what, std::string hint) {
                        note(at, std::move(path), std::move(what), std::move(hint));
                      });
    } else if (known.takes == key::shape::list) {
      read_list(known, value);
    } else if (value.is != kind::scalar) {
      note(value.at, known.path,
           fmt::format("must be a single value, but is {}", to_string(value.is)), "");
    } else {
      read_scalar(known, value);
    }
  }

  void read_list(const key& known, const yaml_node& value) {
    if (value.is != yaml_node::kind::list) {
      note(value.at, known.path, fmt::format("must be a list, but is {}", to_string(value.is)),
           "write it in brackets: [one, another]");
      return;
    }
    known.clear();
    if (value.items.empty() && !known.may_be_empty)
      note(value.at, known.path, "is an empty list", "name at least one");
    for (const yaml_node& item : value.items) {
      if (item.is == yaml_node::kind::scalar) {
        read_scalar(known, item);
      } else {
        note(item.at, known.path,
             fmt::format("must hold single values, but one is {}", to_string(item.is)), "");
      }
    }
  }

  void read_scalar(const key& known, const yaml_node& value) {
    const expanded text = expand(value.text, lookup_);
    verdict_on_value wrong = text.wrong ? text.wrong : known.read(text.text);
    if (!wrong) return;
    // What came from the environment may be anything, also a secret: it is never quoted.
    const bool quote = !text.wrong && !text.from_environment && !known.confidential &&
                       !text.text.empty() && text.text.size() <= 60;
    if (quote) wrong->what = fmt::format("{} {}", yaml_quoted(text.text), wrong->what);
    note(value.at, known.path, wrong->what, wrong->hint);
  }

  // Where a key that is missing would have to be: at its section, else at the top of the file.
  place missing_place(const std::string& path) const {
    const auto section = seen_.find(path.substr(0, path.rfind('.')));
    return section == seen_.end() ? place{1, 1} : section->second;
  }

  void check_required() {
    for (const key& k : keys_) {
      // A secret of ours has one of two sources.
      const bool secret = k.path == "flanks.client_secret_file" &&
                          !seen_.contains("flanks.client_secret_command");
      if ((k.is == key::need::required || secret) && !seen_.contains(k.path))
        note(missing_place(k.path), k.path, "is missing", "it has no default");
    }
  }

  // The grant `password` takes a user and a password; the other takes neither.
  void check_grant() {
    const bool password = out_.values.flanks.grant_type == grant::password;
    for (const std::string path : {"flanks.username", "flanks.password_file"}) {
      const auto given = seen_.find(path);
      if (password && given == seen_.end()) {
        note(out_.places.at("flanks.grant_type"), path, "is missing",
             "flanks.grant_type: password needs flanks.username and flanks.password_file");
      } else if (!password && given != seen_.end()) {
        note(given->second, path, "belongs to flanks.grant_type: password only",
             "remove it, or set flanks.grant_type: password");
      }
    }
  }

  // A secret has one source: a file, or a command.
  void check_secrets() {
    for (const auto& [file, command] :
         {std::pair<std::string, std::string>{"flanks.client_secret_file", "flanks.client_secret_command"},
          std::pair<std::string, std::string>{"database.password_file", "database.password_command"}}) {
      const auto given = seen_.find(command);
      if (given != seen_.end() && seen_.contains(file))
        note(given->second, command, "stands beside " + file, "keep one of the two");
    }
  }

  void check_encryption() {
    const auto previous = seen_.find("encryption.previous_key_file");
    if (previous != seen_.end() && !seen_.contains("encryption.key_file"))
      note(previous->second, previous->first, "needs encryption.key_file",
           "name the key that tokens are sealed with from now on in encryption.key_file");
  }

  // Aggregation v2 knows no filter: it would be left out without a word.
  void check_source() {
    const sync_settings& sync = out_.values.sync;
    if (sync.from == transaction_source::v1 || sync.query.fields.empty()) return;
    note(out_.places.at("sync.query"), "sync.query", "belongs to sync.source: v1 only",
         "remove it, or set sync.source: v1");
  }

  loaded& out_;
  const environment& lookup_;
  std::vector<key> keys_;
  std::map<std::string, place> seen_;  // keys and sections, where they came first
};

}  // namespace

void walk(const yaml_node& root, const environment& lookup, loaded& out) {
  walker{out, lookup}.walk(root);
}

}  // namespace flanks::config
