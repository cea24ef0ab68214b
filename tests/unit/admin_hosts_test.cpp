// Which Host the admin listener answers for.
#include "daemon/admin_hosts.hpp"

#include <gtest/gtest.h>

namespace flanks {
namespace {

using config::admin_settings;

// The status of what is answered in place of a page; 200 when it is served.
int status(const admin_settings& settings, const std::vector<std::string>& fields,
           bool is_http_1_0 = false) {
  const auto answer = admin_hosts(settings).objection(is_http_1_0, fields);
  return answer ? answer->status : 200;
}

TEST(admin_hosts, its_own_names_and_addresses_are_served_with_any_port) {
  const admin_settings settings{"[2001:db8::1]:9464",
                                {"metrics.internal", "10.1.2.3", "[2001:db8::2]"}};
  for (const char* host :
       {"localhost", "LocalHost:80", "localhost:", "127.0.0.1", "127.0.0.1:9464", "[::1]",
        "[::1]:1", "[0:0:0:0:0:0:0:1]", "[2001:db8::1]", "[2001:DB8:0::1]:9464", "metrics.internal",
        "Metrics.Internal:443", "10.1.2.3:9464", "[2001:db8::2]:9464"})
    EXPECT_EQ(status(settings, {host}), 200) << host;
  EXPECT_EQ(status({"10.9.8.7:9464", {}}, {"10.9.8.7:1"}), 200);
}

TEST(admin_hosts, every_other_host_is_refused) {
  const admin_settings settings{"127.0.0.1:9464", {"metrics.internal"}};
  for (const char* host : {"evil.example",
                           "evil.example:9464",
                           "localhost.evil.example",
                           "127.0.0.1.evil.example",
                           "metrics.internal.evil.example",
                           "127.0.0.2",
                           "10.1.2.3",
                           "[::2]",
                           "::1",
                           "[127.0.0.1]",
                           "[localhost]",
                           "localhost:x",
                           "localhost:80:80",
                           "localhost@evil",
                           "127.1",
                           "0.0.0.0",
                           "[",
                           "",
                           "[::1",
                           "[::1]x"})
    EXPECT_EQ(status(settings, {host}), 421) << host;
}

TEST(admin_hosts, http_1_1_names_one_host_and_http_1_0_may_name_none) {
  const admin_settings tcp{"127.0.0.1:9464", {}}, file{"unix:/run/a.socket", {}};
  for (const admin_settings& settings : {tcp, file}) {
    EXPECT_EQ(status(settings, {}), 400);
    EXPECT_EQ(status(settings, {}, true), 200);
    EXPECT_EQ(status(settings, {"localhost", "localhost"}), 400);
    EXPECT_EQ(status(settings, {"localhost", "evil.example"}, true), 400);
  }
  EXPECT_EQ(status(tcp, {"evil.example"}, true), 421);
  EXPECT_EQ(status(file, {"evil.example"}), 200);
}

TEST(admin_hosts, the_answer_says_what_was_asked_and_where_to_accept_it) {
  const auto answer =
      admin_hosts({"127.0.0.1:9464", {}}).objection(false, {"evil\x9B\xF1.example"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body,
            "this is asked for at the host \"evil??.example\", which is none of this daemon: it "
            "answers for localhost, 127.0.0.1, [::1], the address of admin.listen and the names in "
            "admin.hosts of its configuration\n");
  EXPECT_EQ(repeatable(std::string(300, 'x')).size(), 100U);
}

}  // namespace
}  // namespace flanks
