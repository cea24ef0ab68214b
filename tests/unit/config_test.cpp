// The configuration as an operator meets it: what is taken, and the full text of every refusal.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <sstream>
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
  EXPECT_EQ(s.limits.discovery_pages, 10'000);
  EXPECT_EQ(s.limits.discovery_credentials, 1'000'000);
  EXPECT_EQ(s.limits.session_pages, 10'000);
  EXPECT_EQ(s.database.statement_timeout, 5min);
  EXPECT_EQ(s.database.lock_timeout, 10s);
  EXPECT_EQ(s.database.connect_timeout, 10s);
  EXPECT_FALSE(s.database.migrate);
  EXPECT_EQ(s.sync.products.size(), 4U);
  EXPECT_EQ(s.sync.history_months, 24);
  EXPECT_EQ(s.sync.interval, 24h);
  EXPECT_EQ(s.sync.polls_per_day, 6);
  EXPECT_EQ(s.sync.stale_after, 72h);
  EXPECT_EQ(s.sync.overlap, std::chrono::days{30});
  EXPECT_EQ(s.sync.sweep_interval, std::chrono::days{30});
  EXPECT_EQ(s.sync.recent_sweep_interval, std::chrono::days{7});
  EXPECT_EQ(s.sync.recent_sweep_days, std::chrono::days{90});
  EXPECT_EQ(s.sync.removal_threshold_percent, 10);
  EXPECT_EQ(s.sync.removal_threshold_rows, 5);
  EXPECT_EQ(s.sync.handover_after, 30 * 24h);
  EXPECT_EQ(s.sync.concurrency, 64);
  EXPECT_EQ(s.sync.tries, 3);
  EXPECT_EQ(s.sync.lease, 1min);
  EXPECT_EQ(s.sync.poll, 30s);
  EXPECT_EQ(s.admin.listen, "127.0.0.1:9464");
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

// `run` treats an address that somebody chose otherwise than the default, also when they are equal.
TEST(config, where_the_admin_listener_is) {
  const loaded chosen = read(smallest("", "admin: {listen: \"localhost:9464\"}\n"));
  EXPECT_EQ(told(chosen), "");
  EXPECT_EQ(chosen.values.admin.listen, "127.0.0.1:9464");
  EXPECT_TRUE(chosen.places.contains("admin.listen"));
  EXPECT_FALSE(read(smallest()).places.contains("admin.listen"));
  EXPECT_EQ(
      told(smallest("", "admin:\n  listen: 0.0.0.0:9464\n  lisen: none\n")),
      "c.yaml:6:11: admin.listen: \"0.0.0.0:9464\" would listen on every network that this machine "
      "is in\n"
      "  hint: name one address of this machine; whoever reaches it reads the metrics\n"
      "c.yaml:7:3: admin.lisen: unknown key\n"
      "  hint: did you mean admin.listen?\n");
}

TEST(config, more_hosts_of_the_admin_listener) {
  const loaded l =
      read(smallest("", "admin: {hosts: [Metrics.Internal, 10.1.2.3, \"[2001:db8::1]\"]}\n"));
  EXPECT_EQ(told(l), "");
  EXPECT_EQ(l.values.admin.hosts,
            (std::vector<std::string>{"metrics.internal", "10.1.2.3", "[2001:db8::1]"}));
  EXPECT_EQ(read(show(l.values)).values.admin.hosts, l.values.admin.hosts);
  EXPECT_EQ(told(smallest("", "admin: {hosts: []}\n")), "");
  const std::string hint =
      "  hint: write it like metrics.internal, 10.1.2.3 or [2001:db8::1], without a port\n";
  EXPECT_EQ(told(smallest("", "admin:\n  hosts: [\"a:80\", \"*\", \"::1\", a, A]\n")),
            "c.yaml:6:11: admin.hosts: \"a:80\" is neither a host name nor an address\n" + hint +
                "c.yaml:6:19: admin.hosts: \"*\" is neither a host name nor an address\n" + hint +
                "c.yaml:6:24: admin.hosts: \"::1\" is neither a host name nor an address\n" + hint +
                "c.yaml:6:34: admin.hosts: \"A\" is in the list twice\n");
}

TEST(config, what_is_kept_and_how_long) {
  const retention_ages by_default = read(smallest()).values.retention;
  EXPECT_EQ(by_default.run_logs, 90 * 24h);
  EXPECT_EQ(by_default.resolved_quarantine, 90 * 24h);
  EXPECT_EQ(by_default.credential_states, 730 * 24h);
  EXPECT_EQ(by_default.revisions, retention_ages::never);
  EXPECT_EQ(by_default.removed_rows, retention_ages::never);
  const loaded l = read(smallest("", "retention: {run_logs: never, revisions: 365d}\n"));
  EXPECT_EQ(told(l), "");
  EXPECT_EQ(l.values.retention.run_logs, retention_ages::never);
  EXPECT_EQ(l.values.retention.revisions, 365 * 24h);
  EXPECT_EQ(read(show(l.values)).values.retention.run_logs, retention_ages::never);
  EXPECT_EQ(told(smallest("", "retention:\n  run_logs: 23h\n  revisions: 0\n  removed_rows: no\n")),
            "c.yaml:6:13: retention.run_logs: \"23h\" must be between 24h and 3650d\n"
            "c.yaml:7:14: retention.revisions: \"0\" must be between 24h and 3650d\n"
            "c.yaml:8:17: retention.removed_rows: \"no\" is not a duration\n"
            "  hint: write never, or a whole number and d: 90d\n");
}

TEST(config, product_details_may_be_none_and_are_checked_by_name) {
  const loaded none = read(smallest("", "sync: {product_details: []}\n"));
  EXPECT_EQ(told(none), "");
  EXPECT_TRUE(none.values.sync.product_details.empty());
  EXPECT_EQ(read(show(none.values)).values.sync.product_details.size(), 0U);
  EXPECT_EQ(read(smallest("", "sync: {product_details: [holder, identity]}\n"))
                .values.sync.product_details,
            (std::vector{product_kind::holder, product_kind::identity}));
  EXPECT_THAT(
      told(read(smallest("", "sync: {product_details: [auth], products: []}\n"))),
      testing::AllOf(testing::HasSubstr("\"auth\" must be account, card, investment, liability, "
                                        "portfolio, identity or holder"),
                     testing::HasSubstr("sync.products: is an empty list")));
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
            "  hint: write it in brackets: [one, another]\n"
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
  std::string all = std::regex_replace(text, std::regex{"grant_type: client_credentials"},
                                       "grant_type: password");
  // A command that prints a secret stands in place of a file, not beside it.
  all = std::regex_replace(all, std::regex{"# (\\w+_command: \\[.*\\]\n)"}, "$1");
  loaded l = read(all);
  EXPECT_THAT(told(l), ::testing::AllOf(::testing::HasSubstr("stands beside flanks.client_secret_file"),
                                        ::testing::HasSubstr("stands beside database.password_file")));
  EXPECT_THAT(l.mistakes, ::testing::SizeIs(2));
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

// "# ..., 1 to 64." above a key says which values it takes.
TEST(config, the_example_names_the_bounds_that_are_kept) {
  settings s;
  std::map<std::string, key> keys;
  for (key& k : keys_of(s))
    keys.emplace(k.path, std::move(k));
  const std::regex bounds{R"((\d+\w*) to\s+(\d+\w*))"};
  const std::regex line{R"(( *)(# )?(.*))"};
  const std::regex setting{R"((\w+):.*)"};
  std::istringstream in{std::string{example()}};
  std::string text, comment;
  std::vector<std::string> sections(3);
  int checked = 0;
  while (std::getline(in, text)) {
    std::smatch part, name, range;
    ASSERT_TRUE(std::regex_match(text, part, line));
    const std::string rest = part[3];
    if (part[2].matched) {
      comment += rest + " ";
      continue;
    }
    if (std::regex_match(rest, name, setting)) {
      const auto depth = static_cast<std::size_t>(part[1].length()) / 2U;
      sections.at(depth) = (depth == 0 ? "" : sections.at(depth - 1) + ".") + name[1].str();
      const auto found = keys.find(sections.at(depth));
      if (found != keys.end() && std::regex_search(comment, range, bounds)) {
        ++checked;
        EXPECT_FALSE(found->second.read(range[1].str())) << text << ": " << range[1];
        EXPECT_FALSE(found->second.read(range[2].str())) << text << ": " << range[2];
        const std::string unit = std::regex_replace(range[2].str(), std::regex{"\\d+"}, "");
        const auto beyond = found->second.read("999999999" + unit);
        ASSERT_TRUE(beyond) << text;
        EXPECT_EQ(beyond->what, "must be between " + range[1].str() + " and " + range[2].str());
      }
    }
    comment.clear();
  }
  EXPECT_EQ(checked, 41);
}

TEST(config, the_example_loads_as_it_is) {
  EXPECT_EQ(told(example()), "");
}

TEST(config, what_is_no_yaml_is_told_with_its_place) {
  EXPECT_EQ(told("flanks:\n\tclient_id: a\n"),
            "c.yaml:2:11: is not valid YAML: illegal map value\n");
  EXPECT_EQ(told("flanks:\n  client_id: \"a\n"),
            "c.yaml:3:1: is not valid YAML: a quote is never closed\n");
  EXPECT_EQ(told("flanks: [a\n"),
            "c.yaml:2:1: is not valid YAML: end of sequence flow not found\n");
  EXPECT_EQ(told(smallest() + "---\nflanks: {}\n"),
            "c.yaml:5:1: a second document begins here\n"
            "  hint: keep one document in the file: remove the line --- or the stray comma\n");
  EXPECT_EQ(told("a: &x 1\nb: *x\nc: !!str d\n"),
            "c.yaml:2:4: aliases (*name) are not taken here\n"
            "  hint: write the value out\n"
            "c.yaml:3:4: tags (!name) are not taken here\n"
            "  hint: remove the tag\n");
  EXPECT_EQ(told(smallest("  <<: {base_url: x}\n")),
            "c.yaml:4:3: flanks.<<: merge keys are not taken here\n"
            "  hint: write the keys out\n");
}

// yaml-cpp would never come back from the comma.
TEST(config, a_stray_comma_or_bracket_is_told) {
  for (const char* text : {"]\n", "}\n", "flanks: {}]\n", ", a: b]\n"}) {
    EXPECT_NE(told(text), "") << text;
  }
  EXPECT_EQ(told(", a: b]\n"),
            "c.yaml:1:1: a second document begins here\n"
            "  hint: keep one document in the file: remove the line --- or the stray comma\n");
}

TEST(config, a_section_that_comes_twice_is_told) {
  EXPECT_EQ(told(smallest("", "flanks: {client_id: b}\nlog:\n")),
            "c.yaml:5:1: flanks: is given twice, first in line 1\n"
            "  hint: keep one of them\n"
            "c.yaml:5:10: flanks.client_id: is given twice, first in line 2\n"
            "  hint: keep one of them\n");
}

TEST(config, variables_stand_for_the_environment) {
  const loaded l = read(smallest("  base_url: \"https://${HOST:-api.flanks.io}:${PORT}\"\n"
                                 "  max_connections: ${N:-8}\n  ca_file: $${x}/$y/${EMPTY:-z}\n"),
                        {{"PORT", "8443"}, {"EMPTY", ""}});
  EXPECT_EQ(told(l), "");
  EXPECT_EQ(l.values.flanks.base_url, "https://api.flanks.io:8443");
  EXPECT_EQ(l.values.flanks.max_connections, 8);
  EXPECT_EQ(l.values.flanks.ca_file, "${x}/$y/z");
}

TEST(config, control_characters_are_refused) {
  EXPECT_EQ(told(smallest("  ca_file: ${FILE}\n"), {{"FILE", "/ca.pem\n"}}),
            "c.yaml:4:12: flanks.ca_file: holds a line break or another control character\n");
}

TEST(config, variable_that_is_not_set_is_told) {
  EXPECT_EQ(told(smallest("  max_connections: ${N}\n  base_url: ${\n  ca_file: ${A-b}\n")),
            "c.yaml:4:20: flanks.max_connections: the environment variable N is not set\n"
            "  hint: set it, or give a default: ${N:-default}\n"
            "c.yaml:5:13: flanks.base_url: holds ${ without its closing }\n"
            "  hint: write $${ for the characters ${\n"
            "c.yaml:6:12: flanks.ca_file: holds ${ without a valid variable name\n"
            "  hint: write ${NAME} or ${NAME:-default}, and $${ for the characters ${\n");
}

TEST(config, no_mistake_shows_what_may_be_a_secret) {
  const std::string all = told(
      "flanks:\n"
      "  base_url: http://me:hunter2@example.com\n"
      "  client_secret: hunter2\n"
      "  password:hunter2:\n"
      "  max_connections: ${SECRET}\n"
      "  username: hunter2\n"
      "database:\n"
      "  dsn: ${DSN}\n",
      {{"SECRET", "hunter2"}, {"DSN", "host=x password=hunter2"}});
  EXPECT_EQ(all,
            "c.yaml:1:1: flanks.client_id: is missing\n"
            "  hint: it has no default\n"
            "c.yaml:1:1: flanks.client_secret_file: is missing\n"
            "  hint: it has no default\n"
            "c.yaml:2:13: flanks.base_url: holds a user name or password, which do not belong into "
            "a URL\n"
            "  hint: write it like https://api.flanks.io\n"
            "c.yaml:3:3: flanks.client_secret: unknown key\n"
            "  hint: did you mean flanks.client_secret_file?\n"
            "c.yaml:4:3: flanks.password...: unknown key\n"
            "  hint: `flanks-sync config example` lists every key\n"
            "c.yaml:5:20: flanks.max_connections: is not a whole number\n"
            "c.yaml:6:3: flanks.username: belongs to flanks.grant_type: password only\n"
            "  hint: remove it, or set flanks.grant_type: password\n"
            "c.yaml:8:8: database.dsn: holds a password\n"
            "  hint: take it out and name a file that holds it in database.password_file\n");
  EXPECT_EQ(all.find("hunter2"), std::string::npos);
}

TEST(config, password_grant_needs_user_and_password) {
  EXPECT_EQ(told(smallest("  grant_type: password\n")),
            "c.yaml:4:15: flanks.username: is missing\n"
            "  hint: flanks.grant_type: password needs flanks.username and flanks.password_file\n"
            "c.yaml:4:15: flanks.password_file: is missing\n"
            "  hint: flanks.grant_type: password needs flanks.username and flanks.password_file\n");
  EXPECT_EQ(told(smallest("  grant_type: password\n  username: u\n  password_file: p\n")), "");
}

TEST(config, nearest_key_is_suggested_only_when_near) {
  const auto hint = [](std::string_view key) {
    return read(smallest("", fmt::format("sync: {{{}: 1}}\n", key))).mistakes.at(0).hint;
  };
  EXPECT_EQ(hint("concurency"), "did you mean sync.concurrency?");
  EXPECT_EQ(hint("historymonths"), "did you mean sync.history_months?");
  EXPECT_EQ(hint("pol"), "did you mean sync.poll?");
  EXPECT_EQ(hint("level"), "did you mean log.level?");
  EXPECT_EQ(hint("frequency"), "`flanks-sync config example` lists every key");
  EXPECT_EQ(hint(std::string(500, 'x')), "`flanks-sync config example` lists every key");
}

TEST(config, a_secret_has_one_source) {
  EXPECT_EQ(told(smallest("  client_secret_command: [\"/bin/true\"]\n")),
            "c.yaml:4:3: flanks.client_secret_command: stands beside flanks.client_secret_file\n"
            "  hint: keep one of the two\n");
  EXPECT_EQ(
      told("flanks:\n  client_id: id\n  client_secret_command: [true]\n"
           "database:\n  dsn: dbname=x\n"),
      "c.yaml:3:27: flanks.client_secret_command: must begin with the whole path of a program\n"
      "  hint: no shell and no search path is in between: [\"/usr/bin/vault\", \"read\", ...]\n");
  const loaded l = read(
      "flanks:\n  client_id: id\n  client_secret_command: [/bin/echo, a b, a b]\n"
      "database: {dsn: dbname=x, password_command: [/bin/pw]}\n");
  EXPECT_EQ(told(l), "");
  EXPECT_THAT(l.values.flanks.client_secret_command,
              ::testing::ElementsAre("/bin/echo", "a b", "a b"));
  EXPECT_THAT(changed_keys(settings{}, l.values),
              ::testing::ElementsAre("flanks.client_id", "flanks.client_secret_command",
                                     "database.dsn", "database.password_command"));
}

TEST(config, shown_settings_load_again_to_the_same) {
  const loaded l = read(smallest("  ca_file: 'a\"b\\${x}'\n  requests_per_second: 0.1\n"
                                 "  timeouts: {idle: 1500ms}\n",
                                 "sync: {products: [card], overlap: 0d}\n"),
                        {{"x", "é"}});
  ASSERT_EQ(told(l), "");
  const std::string shown = show(l.values);
  const loaded again = read(shown);
  EXPECT_EQ(told(again), "");
  EXPECT_EQ(show(again.values), shown);
  EXPECT_EQ(again.values.flanks.ca_file, "a\"b\\é");
  EXPECT_EQ(shown,
            "flanks:\n"
            "  base_url: \"https://api.flanks.io\"  # default\n"
            "  client_id: \"id\"\n"
            "  client_secret_file: \"s\"\n"
            "  # client_secret_command: (not set)\n"
            "  grant_type: client_credentials  # default\n"
            "  # username: (not set)\n"
            "  # password_file: (not set)\n"
            "  ca_file: \"a\\\"b\\\\é\"\n"
            "  max_connections: 16  # default\n"
            "  requests_per_second: 0.1\n"
            "  max_response_bytes: 1GiB  # default\n"
            "  timeouts:\n"
            "    resolve: 5s  # default\n"
            "    connect: 10s  # default\n"
            "    tls: 10s  # default\n"
            "    first_byte: 2m  # default\n"
            "    idle: 1500ms\n"
            "    total: 30m  # default\n"
            "database:\n"
            "  dsn: \"dbname=x\"\n"
            "  # password_file: (not set)\n"
            "  # password_command: (not set)\n"
            "  connections: 4  # default\n"
            "  statement_timeout: 5m  # default\n"
            "  lock_timeout: 10s  # default\n"
            "  connect_timeout: 10s  # default\n"
            "  migrate: false  # default\n"
            "sync:\n"
            "  products: [card]\n"
            "  product_details: [account, card, investment, liability, portfolio, identity, "
            "holder]  # default\n"
            "  history_months: 24  # default\n"
            "  source: v1  # default\n"
            "  query: {}  # default\n"
            "  interval: 24h  # default\n"
            "  polls_per_day: 6  # default\n"
            "  stale_after: 3d  # default\n"
            "  notify_changes: false  # default\n"
            "  overlap: 0s\n"
            "  sweep_interval: 30d  # default\n"
            "  recent_sweep_interval: 7d  # default\n"
            "  recent_sweep_days: 90d  # default\n"
            "  removal_threshold_percent: 10  # default\n"
            "  removal_threshold_rows: 5  # default\n"
            "  handover_after: 30d  # default\n"
            "  concurrency: 64  # default\n"
            "  tries: 3  # default\n"
            "  lease: 1m  # default\n"
            "  poll: 30s  # default\n"
            "  discover_interval: 0s  # default\n"
            "limits:\n"
            "  discovery_pages: 10000  # default\n"
            "  discovery_credentials: 1000000  # default\n"
            "  session_pages: 10000  # default\n"
            "  answer_pages: 2000  # default\n"
            "  bank_name_bytes: 256  # default\n"
            "  quarantine_per_day: 100  # default\n"
            "  unknown_fields_per_day: 100  # default\n"
            "retention:\n"
            "  run_logs: 90d  # default\n"
            "  resolved_quarantine: 90d  # default\n"
            "  credential_states: 730d  # default\n"
            "  revisions: never  # default\n"
            "  removed_rows: never  # default\n"
            "encryption:\n"
            "  # key_file: (not set)\n"
            "  # previous_key_file: (not set)\n"
            "admin:\n"
            "  listen: \"127.0.0.1:9464\"  # default\n"
            "  hosts: []  # default\n"
            "  # password_file: (not set)\n"
            "log:\n"
            "  level: info  # default\n"
            "  format: auto  # default\n");
}

TEST(config, a_previous_key_stands_beside_the_new_one) {
  EXPECT_EQ(told(smallest("", "encryption: {previous_key_file: old}\n")),
            "c.yaml:5:14: encryption.previous_key_file: needs encryption.key_file\n"
            "  hint: name the key that tokens are sealed with from now on in encryption.key_file\n");
  EXPECT_EQ(told(smallest("", "encryption: {key_file: new, previous_key_file: old}\n")), "");
}

}  // namespace
