// The configuration as an operator meets it: what is taken, and the full text of every refusal.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <string>

#include "config/keys.hpp"
#include "config/load.hpp"

namespace {

using namespace flanks;
using namespace flanks::config;
using namespace std::chrono_literals;

using variables = std::map<std::string, std::string, std::less<>>;

environment these(variables v) {
  return [v = std::move(v)](std::string_view name) -> std::optional<std::string> {
    const auto found = v.find(name);
    return found == v.end() ? std::nullopt : std::optional{found->second};
  };
}

loaded read(std::string_view text, variables v = {}) {
  return load_text(text, "c.yaml", these(std::move(v)));
}

// The smallest configuration there is, and `more` below it.
std::string smallest(std::string_view flanks = "", std::string_view rest = "") {
  return fmt::format(
      "flanks:\n  client_id: id\n  client_secret_file: s\n{}"
      "database: {{dsn: dbname=x}}\n{}",
      flanks, rest);
}

// All mistakes as an operator sees them.
std::string told(const loaded& l) {
  std::string all;
  for (const mistake& m : l.mistakes)
    all += to_string(m) + "\n";
  return all;
}

std::string told(std::string_view text, variables v = {}) {
  return told(read(text, std::move(v)));
}

TEST(config, smallest_file_has_every_default) {
  const loaded l = read(smallest());
  EXPECT_EQ(told(l), "");
  const settings& s = l.values;
  EXPECT_EQ(s.flanks.base_url, "https://api.flanks.io");
  EXPECT_EQ(s.flanks.client_id, "id");
  EXPECT_EQ(s.flanks.grant_type, grant::client_credentials);
  EXPECT_EQ(s.flanks.max_connections, 16);
  EXPECT_EQ(s.flanks.requests_per_second, 0);
  EXPECT_EQ(s.flanks.max_response_bytes, 1073741824U);
  EXPECT_EQ(s.flanks.timeouts.resolve, 5s);
  EXPECT_EQ(s.flanks.timeouts.connect, 10s);
  EXPECT_EQ(s.flanks.timeouts.tls, 10s);
  EXPECT_EQ(s.flanks.timeouts.first_byte, 120s);
  EXPECT_EQ(s.flanks.timeouts.idle, 60s);
  EXPECT_EQ(s.flanks.timeouts.total, 30min);
  EXPECT_EQ(s.database.connections, 4);
  EXPECT_EQ(s.database.statement_timeout, 5min);
  EXPECT_EQ(s.database.lock_timeout, 10s);
  EXPECT_EQ(s.database.connect_timeout, 10s);
  EXPECT_FALSE(s.database.migrate);
  EXPECT_EQ(s.sync.products.size(), 4U);
  EXPECT_EQ(s.sync.history_months, 24);
  EXPECT_EQ(s.sync.interval, 24h);
  EXPECT_EQ(s.sync.overlap, std::chrono::days{30});
  EXPECT_EQ(s.sync.sweep_interval, std::chrono::days{30});
  EXPECT_EQ(s.sync.concurrency, 16);
  EXPECT_EQ(s.sync.tries, 3);
  EXPECT_EQ(s.sync.lease, 10min);
  EXPECT_EQ(s.sync.poll, 30s);
  EXPECT_EQ(s.log.level, log_level::info);
  EXPECT_EQ(s.log.format, log_format::automatic);
}

TEST(config, values_of_every_kind_are_taken) {
  const loaded l =
      read(smallest("  requests_per_second: 2.5\n  max_response_bytes: 64KiB\n"
                    "  timeouts: {resolve: 500ms}\n  base_url: http://[::1]:8443/\n",
                    "sync: {products: [card, account], overlap: 48h}\n"
                    "log: {level: \"debug\", format: journal}\n"));
  EXPECT_EQ(told(l), "");
  EXPECT_EQ(l.values.flanks.requests_per_second, 2.5);
  EXPECT_EQ(l.values.flanks.max_response_bytes, 65536U);
  EXPECT_EQ(l.values.flanks.timeouts.resolve, 500ms);
  EXPECT_EQ(l.values.flanks.base_url, "http://[::1]:8443");
  EXPECT_EQ(l.values.sync.products, (std::vector{product::card, product::account}));
  EXPECT_EQ(l.values.sync.overlap, std::chrono::days{2});
  EXPECT_EQ(l.values.log.level, log_level::debug);
  EXPECT_EQ(l.values.log.format, log_format::journal);
}

TEST(config, all_mistakes_are_told_at_once_in_the_order_of_the_file) {
  EXPECT_EQ(
      told("flanks:\n"
           "  base_ulr: https://api.flanks.io\n"
           "  client_id: a\n"
           "  client_id: b\n"
           "  max_connections: many\n"
           "  timeouts:\n"
           "    idle: 5 seconds\n"
           "    total: 25h\n"
           "sync:\n"
           "  tries: 11\n"
           "  overlap: 36h\n"
           "  products: [account, cards, account]\n"
           "  connections: 3\n"
           "logs:\n"
           "  level: info\n"),
      "c.yaml:1:1: flanks.client_secret_file: is missing\n"
      "  hint: it has no default\n"
      "c.yaml:1:1: database.dsn: is missing\n"
      "  hint: it has no default\n"
      "c.yaml:2:3: flanks.base_ulr: unknown key\n"
      "  hint: did you mean flanks.base_url?\n"
      "c.yaml:4:3: flanks.client_id: is given twice, first in line 3\n"
      "  hint: keep one of them\n"
      "c.yaml:5:20: flanks.max_connections: \"many\" is not a whole number\n"
      "c.yaml:7:11: flanks.timeouts.idle: \"5 seconds\" is not a duration\n"
      "  hint: write a whole number and ms, s, m, h or d: 500ms, 30s, 24h, 30d\n"
      "c.yaml:8:12: flanks.timeouts.total: \"25h\" must be between 100ms and 24h\n"
      "c.yaml:10:10: sync.tries: \"11\" must be between 1 and 10\n"
      "c.yaml:11:12: sync.overlap: \"36h\" must be whole days\n"
      "c.yaml:12:23: sync.products: \"cards\" must be account, card, investment or liability\n"
      "c.yaml:12:30: sync.products: \"account\" names account twice\n"
      "c.yaml:13:3: sync.connections: unknown key\n"
      "  hint: did you mean database.connections?\n"
      "c.yaml:14:1: logs: unknown key\n"
      "  hint: did you mean log?\n");
}

TEST(config, wrong_shapes_are_told) {
  EXPECT_EQ(told(smallest("  timeouts: 5s\n  base_url: [a]\n  max_connections:\n",
                          "sync: {products: account, interval: {a: 1}}\nlog:\n")),
            "c.yaml:4:13: flanks.timeouts: must be a mapping, but is a single value\n"
            "c.yaml:5:13: flanks.base_url: must be a single value, but is a list\n"
            "c.yaml:6:3: flanks.max_connections: has no value\n"
            "  hint: give it one, or remove the key\n"
            "c.yaml:8:18: sync.products: must be a list, but is a single value\n"
            "  hint: write it like [account, card]\n"
            "c.yaml:8:37: sync.interval: must be a single value, but is a mapping\n");
}

TEST(config, what_is_no_configuration_is_told) {
  EXPECT_EQ(told("hunter2"),
            "c.yaml:1:1: the file holds a single value, not a mapping\n"
            "  hint: `flanks-sync config example` prints a whole configuration\n");
  EXPECT_EQ(told("# nothing\n"),
            "c.yaml:1:1: flanks.client_id: is missing\n  hint: it has no default\n"
            "c.yaml:1:1: flanks.client_secret_file: is missing\n  hint: it has no default\n"
            "c.yaml:1:1: database.dsn: is missing\n  hint: it has no default\n");
  EXPECT_EQ(told(load("/nowhere/c.yaml", these({}))),
            "/nowhere/c.yaml: cannot be read: No such file or directory\n"
            "  hint: name another file with --config; `flanks-sync config example` prints one to "
            "start from\n");
}

TEST(config, the_example_names_every_key_with_its_default) {
  // Uncomment what has no default: the names with a value in quotes.
  const std::string text =
      std::regex_replace(std::string{example()}, std::regex{"# (\\w+: \"[^\"]*\"\n)"}, "$1");
  const std::string all = std::regex_replace(text, std::regex{"grant_type: client_credentials"},
                                             "grant_type: password");
  loaded l = read(all);
  EXPECT_EQ(told(l), "");
  settings initial;
  const auto known = keys_of(l.values);
  const auto defaults = keys_of(initial);
  for (std::size_t i = 0; i < known.size(); ++i) {
    const std::string& path = known[i].path;
    EXPECT_TRUE(l.places.contains(path)) << path << " is not in config.yaml";
    const bool has_default = !defaults[i].show().empty() && path != "flanks.grant_type";
    if (has_default) {
      EXPECT_EQ(known[i].show(), defaults[i].show()) << path;
    }
  }
}

}  // namespace
