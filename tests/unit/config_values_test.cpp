// The grammars inside scalars, as truth tables.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/values.hpp"

namespace {

using namespace flanks::config;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

std::string url(std::string_view text) {
  std::string into;
  const auto wrong = read_base_url(text, into);
  return wrong ? wrong->what : into;
}

std::string listen(std::string_view text) {
  std::string into;
  const auto wrong = read_listen(text, into);
  return wrong ? wrong->what : into;
}

std::string duration(std::string_view text, milliseconds unit = 1ms) {
  milliseconds into = -1ms;
  const auto wrong = read_duration(text, unit, 0ms, 24h * 10'000, into);
  return wrong ? wrong->what : std::to_string(into.count());
}

TEST(base_url, https_anywhere_and_http_on_loopback) {
  EXPECT_EQ(url("https://api.flanks.io"), "https://api.flanks.io");
  EXPECT_EQ(url("https://api.flanks.io:8443/"), "https://api.flanks.io:8443");
  EXPECT_EQ(url("https://[2001:db8::1]:443"), "https://[2001:db8::1]:443");
  for (const char* text : {"http://localhost", "http://localhost:8080", "http://127.0.0.1:1",
                           "http://127.9.9.9", "http://[::1]:65535"}) {
    EXPECT_EQ(url(text), text);
  }
  for (const char* text :
       {"http://api.flanks.io", "http://10.0.0.1", "http://localhost.example.com",
        "http://127.0.0.1.example.com", "http://[::2]", "http://128.0.0.1"}) {
    EXPECT_EQ(url(text), "is plain http, which would show the access token to the network") << text;
  }
}

TEST(base_url, anything_else_is_refused) {
  EXPECT_EQ(url("api.flanks.io"), "does not begin with https://");
  EXPECT_EQ(url("HTTPS://api.flanks.io"), "does not begin with https://");
  EXPECT_EQ(url("ftp://api.flanks.io"), "does not begin with https://");
  EXPECT_EQ(url("https://api.flanks.io/v0"), "has more than a scheme, a host and a port");
  EXPECT_EQ(url("https://api.flanks.io?x"), "has more than a scheme, a host and a port");
  EXPECT_EQ(url("https://me:hunter2@api.flanks.io"),
            "holds a user name or password, which do not belong into a URL");
  for (const char* text : {"https://", "https:///", "https://a b", "https://:443", "https://[::g]",
                           "https://[::1", "https://[::1]x", "https://-a", "https://a_b"}) {
    EXPECT_EQ(url(text), "has no valid host name") << text;
  }
  for (const char* text :
       {"https://a:0", "https://a:65536", "https://a:x", "https://a:1:2", "https://a:+1"}) {
    EXPECT_EQ(url(text), "has no valid port") << text;
  }
}

TEST(listen, an_address_a_socket_or_none) {
  for (const char* text :
       {"none", "127.0.0.1:9464", "127.9.9.9:1", "10.1.2.3:65535", "127.0.0.1:0", "[::1]:9464",
        "[2001:db8::1]:80", "unix:/run/flanks-sync/admin.socket", "unix:/a b"}) {
    EXPECT_EQ(listen(text), text);
  }
  EXPECT_EQ(listen("localhost:80"), "127.0.0.1:80");
  EXPECT_EQ(listen("unix:/" + std::string(106, 'x')), "unix:/" + std::string(106, 'x'));
}

TEST(listen, every_address_at_once_is_refused) {
  for (const char* text :
       {"0.0.0.0:9464", "[::]:9464", "[0:0:0:0:0:0:0:0]:1", "[::ffff:0.0.0.0]:1"})
    EXPECT_EQ(listen(text), "would listen on every network that this machine is in") << text;
}

TEST(listen, anything_else_is_refused) {
  for (const char* text :
       {"127.0.0.1", "9464", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:+1",
        "[::1]", "::1:9464", "[::1", "Unix:/x", "http://127.0.0.1:1"})
    EXPECT_EQ(listen(text), "has no valid port") << text;
  for (const char* text : {"db.internal:9464", ":9464", "*:9464", "127.1:9464", "[127.0.0.1]:1",
                           "[localhost]:1", "[::g]:1", "[fe80::1%lo]:1"})
    EXPECT_EQ(listen(text), "does not begin with an IP address of this machine, nor with unix:")
        << text;
  for (const char* text : {"unix:", "unix:admin.socket", "unix:@abstract", "unix:/run/"})
    EXPECT_EQ(listen(text), "is not the absolute path of a unix socket") << text;
  EXPECT_EQ(listen("unix:/" + std::string(107, 'x')), "is too long for a unix socket (107 bytes)");
}

TEST(duration, whole_number_and_unit) {
  EXPECT_EQ(duration("500ms"), "500");
  EXPECT_EQ(duration("30s"), "30000");
  EXPECT_EQ(duration("5m"), "300000");
  EXPECT_EQ(duration("24h"), "86400000");
  EXPECT_EQ(duration("30d"), "2592000000");
  EXPECT_EQ(duration("0"), "0");
  EXPECT_EQ(duration("1500ms", 1s), "must be whole seconds");
  EXPECT_EQ(duration("2000ms", 1s), "2000");
  EXPECT_EQ(duration("36h", 24h), "must be whole days");
  EXPECT_EQ(duration("9223372036854775807ms"), "must be between 0s and 10000d");
  for (const char* text : {"", "5", "s", "-5s", "+5s", "5 s", "5S", "1.5h", "1h30m", "5min", " 5s",
                           "5s ", "18446744073709551616s", "9223372036854775807d"}) {
    EXPECT_EQ(duration(text), "is not a duration") << text;
  }
}

TEST(duration, text_reads_back_to_the_same) {
  for (const milliseconds d : {milliseconds{0ms}, milliseconds{1ms}, milliseconds{1500ms},
                               milliseconds{90s}, milliseconds{120s}, milliseconds{24h},
                               milliseconds{36h}, milliseconds{48h}, milliseconds{720h}}) {
    EXPECT_EQ(duration(duration_text(d)), std::to_string(d.count())) << duration_text(d);
  }
  EXPECT_EQ(duration_text(24h), "24h");
  EXPECT_EQ(duration_text(720h), "30d");
  EXPECT_EQ(duration_text(90s), "90s");
}

TEST(size, whole_number_and_unit) {
  const auto size = [](std::string_view text) {
    std::uint64_t into = 0;
    const auto wrong = read_size(text, 1, 1ULL << 40, into);
    return wrong ? wrong->what : std::to_string(into);
  };
  EXPECT_EQ(size("1"), "1");
  EXPECT_EQ(size("7B"), "7");
  EXPECT_EQ(size("64KiB"), "65536");
  EXPECT_EQ(size("3MiB"), "3145728");
  EXPECT_EQ(size("1GiB"), "1073741824");
  EXPECT_EQ(size("0"), "must be between 1B and 1024GiB");
  EXPECT_EQ(size("1025GiB"), "must be between 1B and 1024GiB");
  for (const char* text : {"", "1KB", "1kib", "1 GiB", "-1", "1.5GiB", "99999999999999GiB"}) {
    EXPECT_EQ(size(text), "is not a size") << text;
  }
  EXPECT_EQ(size_text(65536), "64KiB");
  EXPECT_EQ(size_text(65537), "65537B");
}

TEST(number, decimals_and_integers) {
  const auto decimal = [](std::string_view text) {
    double into = -1;
    const auto wrong = read_decimal(text, 0, 10'000, into);
    return wrong ? wrong->what : decimal_text(into);
  };
  EXPECT_EQ(decimal("2"), "2");
  EXPECT_EQ(decimal("0.5"), "0.5");
  EXPECT_EQ(decimal("0.1"), "0.1");
  EXPECT_EQ(decimal("10000"), "10000");
  EXPECT_EQ(decimal("10000.5"), "must be between 0 and 10000");
  EXPECT_EQ(decimal("-1"), "must be between 0 and 10000");
  for (const char* text : {"", "nan", "inf", "1e3", "0x10", "1,5", "1.5/s", " 1"}) {
    EXPECT_EQ(decimal(text), "is not a decimal number") << text;
  }
  const auto integer = [](std::string_view text) {
    int into = -1;
    const auto wrong = read_integer(text, 1, 64, into);
    return wrong ? wrong->what : std::to_string(into);
  };
  EXPECT_EQ(integer("64"), "64");
  EXPECT_EQ(integer("0"), "must be between 1 and 64");
  EXPECT_EQ(integer("99999999999999999999"), "must be between 1 and 64");
  for (const char* text : {"", "4.0", "four", "0x4", "4 ", "+4"}) {
    EXPECT_EQ(integer(text), "is not a whole number") << text;
  }
}

}  // namespace
