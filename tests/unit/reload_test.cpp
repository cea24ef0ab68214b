// What a reload of the configuration says that it has changed, and what it has not.
#include "daemon/reload.hpp"

#include <gtest/gtest.h>

#include "config/keys.hpp"

namespace flanks {
namespace {

TEST(reload, tells_what_applies_and_what_needs_a_restart) {
  config::settings started;
  config::settings before = started;
  before.flanks.max_connections = 3;
  config::settings after = before;
  after.sync.interval = std::chrono::hours{1};
  EXPECT_EQ(reload_summary(started, started, started, {}),
            "no key that applies at once has changed");
  EXPECT_EQ(reload_summary(started, before, after, {}),
            "sync.interval applies from now on; restart the "
            "daemon for "
            "flanks.max_connections");
  after.database.dsn = "dbname=other";
  EXPECT_EQ(reload_summary(started, started, after, {}),
            "database.dsn, sync.interval apply from now on; "
            "restart the daemon "
            "for flanks.max_connections");
}

TEST(reload, names_each_secret_whose_file_holds_another_one) {
  config::secrets before;
  before.client_secret = secret("a");
  before.admin_password = secret("p");
  config::secrets after = before;
  EXPECT_TRUE(changed_secrets(before, after).empty());
  after.client_secret = secret("b");
  after.admin_password = secret("q");
  const std::vector<std::string> changed = changed_secrets(before, after);
  EXPECT_EQ(changed,
            (std::vector<std::string>{"flanks.client_secret_file", "admin.password_file"}));
  const config::settings s;
  EXPECT_EQ(reload_summary(s, s, s, changed),
            "what flanks.client_secret_file holds applies from now on; restart the daemon for what "
            "admin.password_file holds");
}

TEST(reload, secrets_and_the_dsn_move_and_nothing_else_of_their_sections) {
  config::settings s;
  for (const config::key& k : config::keys_of(s)) {
    const bool secret = k.path.ends_with("_file") && k.path != "flanks.ca_file";
    const bool moves = secret || k.path.ends_with("_command") || k.path == "database.dsn";
    if (!k.path.starts_with("flanks.") && !k.path.starts_with("database.") &&
        !k.path.starts_with("encryption."))
      continue;
    EXPECT_EQ(needs_restart(k.path), !moves) << k.path;
  }
}

}  // namespace
}  // namespace flanks
