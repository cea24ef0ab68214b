#include "config/keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "config/expand.hpp"

namespace flanks::config {

namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;
constexpr milliseconds one_day = 24h;

constexpr std::array<std::string_view, 2> grants{"client_credentials", "password"};
constexpr std::array<std::string_view, 2> sources{"v1", "v2"};
constexpr std::array<std::string_view, 5> levels{"trace", "debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 4> formats{"auto", "text", "json", "journal"};
constexpr std::array<std::string_view, 4> products{"account", "card", "investment", "liability"};
constexpr std::array<std::string_view, 7> product_kinds{
    "account", "card", "investment", "liability", "portfolio", "identity", "holder"};

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

complaint not_one_of(name_list names) {
  return {fmt::format("must be {}", one_of(names)), ""};
}

// Collects the keys; one short method a kind of value, so that the list below reads as a table.
class table {
 public:
  std::vector<key> keys;

  using rule = verdict_on_value (*)(std::string_view, std::string&);

  key& text(std::string path, key::need is, std::string& into, rule read = nullptr) {
    return add(
        std::move(path), is,
        [&into, read](std::string_view value) -> verdict_on_value {
          if (value.empty()) return complaint{"is empty", ""};
          // A line break at the end of a variable would otherwise show up as a riddle much later.
          if (std::any_of(value.begin(), value.end(), is_control))
            return complaint{"holds a line break or another control character", ""};
          if (read != nullptr) return read(value, into);
          into = value;
          return std::nullopt;
        },
        [&into] { return into.empty() ? std::string{} : yaml_quoted(into); });
  }

  void number(std::string path, int& into, int least, int most) {
    add(
        std::move(path), key::need::optional,
        [&into, least, most](std::string_view value) {
          return read_integer(value, least, most, into);
        },
        [&into] { return std::to_string(into); });
  }

  void decimal(std::string path, double& into, double least, double most) {
    add(
        std::move(path), key::need::optional,
        [&into, least, most](std::string_view value) {
          return read_decimal(value, least, most, into);
        },
        [&into] { return decimal_text(into); });
  }

  void size(std::string path, std::uint64_t& into, std::uint64_t least, std::uint64_t most) {
    add(
        std::move(path), key::need::optional,
        [&into, least, most](std::string_view value) {
          return read_size(value, least, most, into);
        },
        [&into] { return size_text(into); });
  }

  void flag(std::string path, bool& into) {
    add(
        std::move(path), key::need::optional,
        [&into](std::string_view value) { return read_flag(value, into); },
        [&into] { return std::string{into ? "true" : "false"}; });
  }

  template <class Duration>
  void duration(std::string path, Duration& into, milliseconds least, milliseconds most) {
    add(
        std::move(path), key::need::optional,
        [&into, least, most](std::string_view value) {
          milliseconds read = into;
          auto wrong = read_duration(value, Duration{1}, least, most, read);
          if (!wrong) into = std::chrono::duration_cast<Duration>(read);
          return wrong;
        },
        [&into] { return duration_text(into); });
  }

  // A duration, or never, which is zero.
  void age(std::string path, std::chrono::seconds& into, milliseconds least, milliseconds most) {
    add(
        std::move(path), key::need::optional,
        [&into, least, most](std::string_view value) -> verdict_on_value {
          if (value == "never") {
            into = retention_ages::never;
            return std::nullopt;
          }
          milliseconds read = into;
          auto wrong = read_duration(value, 1s, least, most, read);
          if (!wrong) into = std::chrono::duration_cast<std::chrono::seconds>(read);
          if (wrong && !wrong->hint.empty())
            wrong->hint = "write never, or a whole number and d: 90d";
          return wrong;
        },
        [&into] {
          return into == retention_ages::never ? std::string{"never"} : duration_text(into);
        });
  }

  template <class Enum>
  void choice(std::string path, Enum& into, name_list names) {
    add(
        std::move(path), key::need::optional,
        [&into, names](std::string_view value) -> verdict_on_value {
          const auto found = std::find(names.begin(), names.end(), value);
          if (found == names.end()) return not_one_of(names);
          into = static_cast<Enum>(found - names.begin());
          return std::nullopt;
        },
        [&into, names] { return std::string{names[static_cast<std::size_t>(into)]}; });
  }

  void texts(std::string path, std::vector<std::string>& into, rule read) {
    key& added = add(
        std::move(path), key::need::optional,
        [&into, read](std::string_view value) -> verdict_on_value {
          std::string text;
          if (auto wrong = read(value, text)) return wrong;
          if (std::find(into.begin(), into.end(), text) != into.end())
            return complaint{"is in the list twice", ""};
          into.push_back(std::move(text));
          return std::nullopt;
        },
        [&into] {
          std::string all;
          for (const std::string& text : into)
            all += (all.empty() ? "" : ", ") + yaml_quoted(text);
          return "[" + all + "]";
        });
    added.takes = key::shape::list;
    added.clear = [&into] { into.clear(); };
    added.may_be_empty = true;
  }

  // A program and its arguments, as execve(2) takes them.
  void command(std::string path, std::vector<std::string>& into) {
    key& added = add(
        std::move(path), key::need::optional,
        [&into](std::string_view value) -> verdict_on_value {
          if (value.find('\0') != std::string_view::npos) return complaint{"holds a zero byte", ""};
          if (into.empty() && !value.starts_with('/'))
            return complaint{"must begin with the whole path of a program",
                             "no shell and no search path is in between: [\"/usr/bin/vault\", \"read\", ...]"};
          into.emplace_back(value);
          return std::nullopt;
        },
        [&into] {
          std::string all;
          for (const std::string& text : into)
            all += (all.empty() ? "" : ", ") + yaml_quoted(text);
          return into.empty() ? std::string{} : "[" + all + "]";
        });
    added.takes = key::shape::list;
    added.clear = [&into] { into.clear(); };
    added.confidential = true;
  }

  template <class Enum>
  key& names(std::string path, std::vector<Enum>& into,
             std::optional<Enum> (*from)(std::string_view), name_list known) {
    key& added = add(
        std::move(path), key::need::optional,
        [&into, from, known](std::string_view value) -> verdict_on_value {
          const auto read = from(value);
          if (!read) return not_one_of(known);
          if (std::find(into.begin(), into.end(), *read) != into.end())
            return complaint{fmt::format("names {} twice", value), ""};
          into.push_back(*read);
          return std::nullopt;
        },
        [&into] {
          std::string all;
          for (const Enum p : into) {
            all += all.empty() ? "" : ", ";
            all += to_string(p);
          }
          return "[" + all + "]";
        });
    added.takes = key::shape::list;
    added.clear = [&into] { into.clear(); };
    return added;
  }

  void query(std::string path, query_filter& into) {
    key& added = add(path, key::need::optional, nullptr, [&into] { return show_query(into); });
    added.takes = key::shape::tree;
    added.read_tree = [&into, path](const yaml_node& value, const environment& lookup,
                                    const mistake_taker& note) {
      read_query(value, path, lookup, note, into);
    };
  }

 private:
  key& add(std::string path, key::need is, std::function<verdict_on_value(std::string_view)> read,
           std::function<std::string()> show) {
    key added;
    added.path = std::move(path);
    added.is = is;
    added.takes = key::shape::scalar;
    added.read = std::move(read);
    added.show = std::move(show);
    added.clear = [] {};
    return keys.emplace_back(std::move(added));
  }
};

void add_provider(table& t, provider_settings& s) {
  t.text("flanks.base_url", key::need::optional, s.base_url, read_base_url).confidential = true;
  t.text("flanks.client_id", key::need::required, s.client_id).confidential = true;
  t.text("flanks.client_secret_file", key::need::optional, s.client_secret_file);
  t.command("flanks.client_secret_command", s.client_secret_command);
  t.choice("flanks.grant_type", s.grant_type, grants);
  t.text("flanks.username", key::need::optional, s.username).confidential = true;
  t.text("flanks.password_file", key::need::optional, s.password_file);
  t.text("flanks.ca_file", key::need::optional, s.ca_file);
  t.number("flanks.max_connections", s.max_connections, 1, 1024);
  t.decimal("flanks.requests_per_second", s.requests_per_second, 0, 10'000);
  t.size("flanks.max_response_bytes", s.max_response_bytes, 1ULL << 10, 1ULL << 40);
  t.duration("flanks.timeouts.resolve", s.timeouts.resolve, 100ms, 5min);
  t.duration("flanks.timeouts.connect", s.timeouts.connect, 100ms, 5min);
  t.duration("flanks.timeouts.tls", s.timeouts.tls, 100ms, 5min);
  t.duration("flanks.timeouts.first_byte", s.timeouts.first_byte, 100ms, 1h);
  t.duration("flanks.timeouts.idle", s.timeouts.idle, 100ms, 1h);
  t.duration("flanks.timeouts.total", s.timeouts.total, 100ms, 24h);
}

void add_database(table& t, database_settings& s) {
  t.text("database.dsn", key::need::required, s.dsn, read_dsn).confidential = true;
  t.text("database.password_file", key::need::optional, s.password_file);
  t.command("database.password_command", s.password_command);
  t.number("database.connections", s.connections, 1, 64);
  t.duration("database.statement_timeout", s.statement_timeout, 100ms, 24h);
  t.duration("database.lock_timeout", s.lock_timeout, 100ms, 1h);
  // libpq knows no shorter connect_timeout than two seconds.
  t.duration("database.connect_timeout", s.connect_timeout, 2s, 5min);
  t.flag("database.migrate", s.migrate);
}

void add_sync(table& t, sync_settings& s) {
  t.names("sync.products", s.products, product_from, products);
  t.names("sync.product_details", s.product_details, product_kind_from, product_kinds)
      .may_be_empty = true;
  t.number("sync.history_months", s.history_months, 1, 120);
  t.choice("sync.source", s.from, sources);
  t.query("sync.query", s.query);
  t.duration("sync.interval", s.interval, 1s, 30 * one_day);
  t.number("sync.polls_per_day", s.polls_per_day, 1, 86'400);
  t.duration("sync.stale_after", s.stale_after, 1min, 366 * one_day);
  t.flag("sync.notify_changes", s.notify_changes);
  t.duration("sync.overlap", s.overlap, 0s, 730 * one_day);
  t.duration("sync.sweep_interval", s.sweep_interval, 1min, 366 * one_day);
  t.duration("sync.recent_sweep_interval", s.recent_sweep_interval, 1min, 366 * one_day);
  t.duration("sync.recent_sweep_days", s.recent_sweep_days, one_day, 3650 * one_day);
  t.number("sync.removal_threshold_percent", s.removal_threshold_percent, 0, 100);
  t.number("sync.removal_threshold_rows", s.removal_threshold_rows, 0, 10'000);
  t.duration("sync.handover_after", s.handover_after, 0s, 3650 * one_day);
  t.number("sync.concurrency", s.concurrency, 1, 1024);
  t.number("sync.tries", s.tries, 1, 10);
  t.duration("sync.lease", s.lease, 1s, 24h);
  t.duration("sync.poll", s.poll, 100ms, 1h);
  t.duration("sync.discover_interval", s.discover_interval, 0s, 30 * one_day);
}

void add_limits(table& t, sync_limits& s) {
  t.number("limits.discovery_pages", s.discovery_pages, 1, 1'000'000);
  t.number("limits.discovery_credentials", s.discovery_credentials, 1, 100'000'000);
  t.number("limits.session_pages", s.session_pages, 1, 1'000'000);
  t.number("limits.answer_pages", s.answer_pages, 1, 1'000'000);
  t.number("limits.bank_name_bytes", s.bank_name_bytes, 16, 1024);
  t.number("limits.quarantine_per_day", s.quarantine_per_day, 1, 1'000'000);
  t.number("limits.unknown_fields_per_day", s.unknown_fields_per_day, 1, 10'000);
}

void add_retention(table& t, retention_ages& s) {
  const auto add = [&t](const char* path, std::chrono::seconds& into) {
    t.age(path, into, one_day, 3650 * one_day);
  };
  add("retention.run_logs", s.run_logs);
  add("retention.resolved_quarantine", s.resolved_quarantine);
  add("retention.credential_states", s.credential_states);
  add("retention.revisions", s.revisions);
  add("retention.removed_rows", s.removed_rows);
}

}  // namespace

std::vector<key> keys_of(settings& s) {
  table t;
  add_provider(t, s.flanks);
  add_database(t, s.database);
  add_sync(t, s.sync);
  add_limits(t, s.limits);
  add_retention(t, s.retention);
  t.text("encryption.key_file", key::need::optional, s.encryption.key_file);
  t.text("encryption.previous_key_file", key::need::optional, s.encryption.previous_key_file);
  t.text("admin.listen", key::need::optional, s.admin.listen, read_listen);
  t.texts("admin.hosts", s.admin.hosts, read_host);
  t.text("admin.password_file", key::need::optional, s.admin.password_file);
  t.choice("log.level", s.log.level, levels);
  t.choice("log.format", s.log.format, formats);
  return std::move(t.keys);
}

std::string yaml_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : unexpanded(text)) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (is_control(c)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string_view to_string(log_level l) {
  return levels.at(static_cast<std::size_t>(l));
}
std::string_view to_string(log_format f) {
  return formats.at(static_cast<std::size_t>(f));
}

}  // namespace flanks::config
