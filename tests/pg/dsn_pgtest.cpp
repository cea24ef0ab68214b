// What config/ says of a connection string against what libpq does with it: the two must agree, or
// `config check` is wrong about somebody's file.
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <rapidcheck/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "config/conninfo.hpp"
#include "config/libpq_keywords.hpp"
#include "config/values.hpp"

namespace flanks {
namespace {

using settings = std::map<std::string, std::string>;

std::optional<settings> read_by_libpq(const std::string& dsn) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(dsn.c_str(), nullptr), &PQconninfoFree);
  if (!parsed) return std::nullopt;
  settings all;
  for (const PQconninfoOption* o = parsed.get(); o->keyword != nullptr; ++o) {
    if (o->val != nullptr) all[o->keyword] = o->val;
  }
  return all;
}

std::optional<settings> read_by_us(const std::string& dsn) {
  constexpr std::string_view scheme = "postgresql://";
  const bool uri = dsn.starts_with(scheme);
  const config::conninfo read =
      uri ? config::read_uri(dsn.substr(scheme.size())) : config::read_keywords(dsn);
  if (!read.wrong.empty()) return std::nullopt;
  settings all;
  for (const auto& [key, value] : read.pairs) {
    if (config::find_keyword(key) == nullptr) return std::nullopt;
    all[key] = value;
  }
  return all;
}

// One of these, each as likely as another.
std::string any_of(std::initializer_list<std::string> pieces) {
  return *rc::gen::elementOf(std::vector<std::string>(pieces));
}

// Up to six of these, one after the other.
std::string some_of(std::initializer_list<std::string> pieces) {
  std::string all;
  for (int left = *rc::gen::inRange(0, 7); left > 0; --left)
    all += any_of(pieces);
  return all;
}

// Mostly right, now and then wrong in one place, so that both sides are met.
std::string some_keywords() {
  std::string all;
  for (int left = *rc::gen::inRange(0, 4); left > 0; --left) {
    all += any_of({"host", "dbname", "user", "options", "application_name", "nope"});
    all += any_of({"=", "=", "=", " = ", "= ", " =", "==", " ", ""});
    const std::string quote = any_of({"'", "'", ""});
    all += quote + some_of({"x", "ñ", "\\\\", "\\'", "\\ ", "\\", "=", quote.empty() ? "'" : " "});
    all += any_of({quote, quote, quote, quote, ""}) + any_of({" ", "\t ", "\n", "\v", ""});
  }
  return all;
}

RC_GTEST_PROP(dsn_and_libpq, read_the_same_keywords_and_values, ()) {
  for (int i = 0; i < 50; ++i) {
    const std::string dsn = some_keywords();
    RC_LOG() << dsn << std::endl;
    RC_ASSERT(read_by_us(dsn) == read_by_libpq(dsn));
  }
}

std::string some_uri() {
  std::string all = "postgresql://";
  all += any_of({"", "", "user@", "%75ser:@", ":@", "@", "a:b@", "user%@"});
  for (int left = *rc::gen::inRange(0, 3); left > 0; --left) {
    all += any_of({"db", "%2Frun", "[::1]", "[::1", "[]", "[::1]x", "", "a b"});
    all += any_of({"", ":5432", ":", ":x"}) + (left > 1 ? "," : "");
  }
  all += any_of({"", "/", "/mirror", "/mir%72or", "/a/b", "/%", "/%4", "/%00"});
  all += any_of({"", "", "?"});
  for (int left = *rc::gen::inRange(0, 3); left > 0; --left) {
    all +=
        any_of({"host", "dbn%61me", "user", "nope", "ssl", ""}) + any_of({"=", "=", "=", "", "=="});
    all += some_of({"x", "%41", "true", "=", "/", "?", "@"}) + any_of({"&", "&", "", "&&"});
  }
  return all;
}

RC_GTEST_PROP(dsn_and_libpq, read_the_same_uris, ()) {
  for (int i = 0; i < 50; ++i) {
    const std::string dsn = some_uri();
    RC_LOG() << dsn << std::endl;
    RC_ASSERT(read_by_us(dsn) == read_by_libpq(dsn));
  }
}

// Takes every connection and ends it at once.
class closing_server {
 public:
  closing_server() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    ::bind(socket_, reinterpret_cast<sockaddr*>(&at), size);
    ::listen(socket_, 8);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] {
      for (int one = 0; (one = ::accept(socket_, nullptr, nullptr)) >= 0;)
        ::close(one);
    });
  }
  ~closing_server() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  [[nodiscard]] int port() const { return port_; }

 private:
  int socket_;
  int port_ = 0;
  std::thread thread_;
};

// Whether libpq gets as far as the server, which hangs up, or is not there.
bool is_tried_by_libpq(const std::string& dsn) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(dsn.c_str()),
                                                                &PQfinish);
  const std::string message = PQerrorMessage(connection.get());
  return message.find("server closed the connection") != std::string::npos ||
         message.find("Connection reset") != std::string::npos ||
         message.find("could not receive data") != std::string::npos ||
         message.find("could not send") != std::string::npos ||
         message.find("Connection refused") != std::string::npos;
}

TEST(dsn_and_libpq, refuse_the_same_values) {
  const closing_server server;
  const std::string base =
      "host=127.0.0.1 user=x dbname=x sslmode=disable gssencmode=disable port=" +
      std::to_string(server.port()) + " ";
  for (const char* more : {"",
                           "port=0",
                           "port=65536",
                           "port=abc",
                           "port=1",
                           "port=' 1 '",
                           "port=1x",
                           "port=-1",
                           "port=''",
                           "sslmode=on",
                           "sslmode=prefer",
                           "sslmode=Prefer",
                           "sslmode=''",
                           "sslmode=true",
                           "gssencmode=on",
                           "gssencmode=prefer",
                           "gssencmode=''",
                           "channel_binding=prefer",
                           "channel_binding=yes",
                           "channel_binding=''",
                           "target_session_attrs=any",
                           "target_session_attrs=primary",
                           "target_session_attrs=master",
                           "target_session_attrs=''",
                           "connect_timeout=10",
                           "connect_timeout=' 10 '",
                           "connect_timeout=+10",
                           "connect_timeout=-1",
                           "connect_timeout=10s",
                           "connect_timeout=''",
                           "connect_timeout=1.5",
                           "connect_timeout=99999999999",
                           "connect_timeout=0x10",
                           "keepalives=1",
                           "keepalives=0",
                           "keepalives=on",
                           "keepalives_idle=1",
                           "keepalives_idle=x",
                           "keepalives_idle=''",
                           "keepalives_interval=1",
                           "keepalives_interval=1s",
                           "keepalives_count=1",
                           "keepalives_count=many",
                           "tcp_user_timeout=1000",
                           "tcp_user_timeout=1s",
                           "ssl_min_protocol_version=TLSv1.2",
                           "ssl_min_protocol_version=tlsv1.2",
                           "ssl_min_protocol_version=1.2",
                           "ssl_min_protocol_version=''",
                           "ssl_max_protocol_version=TLSv1.3",
                           "ssl_max_protocol_version=TLSv1.1",
                           "ssl_max_protocol_version=TLSv1.1 ssl_min_protocol_version=TLSv1",
                           "ssl_max_protocol_version=TLSv1.2 ssl_min_protocol_version=TLSv1.3",
                           "host=127.0.0.1,127.0.0.1",
                           "host=127.0.0.1,127.0.0.1 port=1,1",
                           "host=127.0.0.1,127.0.0.1 port=1,1,1",
                           "port=1,1",
                           "port=1,",
                           "hostaddr=127.0.0.1",
                           "hostaddr=127.0.0.1,127.0.0.1",
                           "hostaddr=localhost",
                           "hostaddr=::1",
                           "hostaddr=",
                           "host=127.0.0.1,127.0.0.1 hostaddr=127.0.0.1,",
                           "sslsni=yes",
                           "sslcompression=on"}) {
    std::string ignored;
    const auto wrong = config::read_dsn(base + more, ignored);
    EXPECT_EQ(!wrong, is_tried_by_libpq(base + more))
        << more << ": " << (wrong ? wrong->what : "taken");
  }
}

// A keyword that we do not know is one that nobody can use.
TEST(dsn_and_libpq, know_the_same_keywords) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> all(PQconndefaults(),
                                                                         &PQconninfoFree);
  for (const PQconninfoOption* o = all.get(); o->keyword != nullptr; ++o) {
    const config::keyword* const known = config::find_keyword(o->keyword);
    ASSERT_NE(known, nullptr) << o->keyword;
    EXPECT_EQ(known->what == config::takes::secret, std::string_view{o->dispchar} == "*")
        << o->keyword;
  }
}

}  // namespace
}  // namespace flanks
