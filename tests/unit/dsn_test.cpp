// database.dsn as an operator meets it: what is taken, and what is said of the rest.
#include <gtest/gtest.h>

#include <string>

#include "config/libpq_keywords.hpp"
#include "config/values.hpp"

namespace {

using namespace flanks::config;

std::string dsn(std::string_view text, bool with_hint = false) {
  std::string into;
  const auto wrong = read_dsn(text, into);
  if (wrong) {
    EXPECT_EQ(into, "");
    for (const char* secret : {"hunter2", "hun", "ter2"})
      EXPECT_EQ((wrong->what + wrong->hint).find(secret), std::string::npos) << wrong->what;
    return with_hint ? wrong->what + " / " + wrong->hint : wrong->what;
  }
  EXPECT_EQ(into, text);
  return "ok";
}

TEST(dsn, without_a_password_is_taken) {
  for (const char* text : {
           "dbname=x",
           " host = db  port=5432 dbname = 'my db' user=a ",
           "options='-c work_mem=64MB' host=/run/postgresql",
           "dbname='it\\'s password=x'",
           "passfile=/etc/pgpass dbname=x",
           "postgresql://",
           "postgresql://db/mirror",
           "postgres://user@db:5432,db2:5433/mirror?sslmode=verify-full&application_name=a:b",
           "postgresql://[::1]:5432/mirror",
           "host=a,b,c port=1,,3 hostaddr=10.0.0.1,,::1 dbname=x",
           "postgresql://a,b:5433,[::1]/x?target_session_attrs=primary",
           "postgresql://%2Frun%2Fpostgresql/mir%72or?ssl=true&user=%41na",
           "connect_timeout=' 10 ' keepalives=+1 keepalives_idle=-1 tcp_user_timeout=0 port=65535",
           "sslmode=verify-ca channel_binding=require gssencmode=disable load_balance_hosts=random",
           "ssl_min_protocol_version=tlsv1 ssl_max_protocol_version=TLSv1.1",
           "ssl_max_protocol_version=TLSv1.2 ssl_min_protocol_version=''",
           "sslmode=prefer service=mine port=1,2,3",
           "",
       }) {
    EXPECT_EQ(dsn(text), "ok") << text;
  }
}

TEST(dsn, with_a_password_is_refused) {
  for (const char* text : {
           "password=hunter2",
           "dbname=x password = 'hunter2'",
           "dbname=x password=''",
           "sslpassword=hunter2 dbname=x",
           "postgresql://user:hunter2@db/mirror",
           "postgres://:hunter2@/mirror",
           "postgresql://user:hun?ter2@db/mirror",
           "postgresql://user:hun/ter2@db/mirror",
           "postgresql://db/mirror?sslmode=require&password=hunter2",
           "postgresql://db/mirror?%70assword=hunter2",
           "PASSWORD=hunter2",
           "dbname=x Password=hunter2 sslmode=on",
           "passwd=hunter2 dbname=x",
           "dbname=x pwd=hunter2",
           "postgresql://db/mirror?PassWord=hunter2",
           "scram_client_key=hunter2",
           "oauth_client_secret=hunter2 port=abc",
           "password=hunter2 dbname='x",
       }) {
    EXPECT_EQ(dsn(text), "holds a password") << text;
  }
}

TEST(dsn, that_libpq_could_not_read_is_refused) {
  const std::string neither = "is neither a libpq connection string nor a postgresql:// URI: ";
  for (const char* text :
       {"mirror", "host", "host=a dbname", "='x'", "host=a b c=d", "postgresql:db", "host:db"})
    EXPECT_EQ(dsn(text), neither + "a word is no keyword=value") << text;
  for (const char* text : {"dbname='x", "dbname='x\\", "dbname='x\\'"})
    EXPECT_EQ(dsn(text), neither + "a quote is never closed") << text;
  const std::string no_uri = "is not a postgresql:// URI: ";
  EXPECT_EQ(dsn("postgresql://[::1/x"), no_uri + "the bracket of an IPv6 address is never closed");
  EXPECT_EQ(dsn("postgresql://[]/x"), no_uri + "the brackets of an IPv6 address are empty");
  EXPECT_EQ(dsn("postgresql://[::1]x"),
            no_uri + "after the bracket of an IPv6 address belongs : or /");
  EXPECT_EQ(dsn("postgresql://db/x?sslmode"), no_uri + "a parameter has no =");
  EXPECT_EQ(dsn("postgresql://db/x?host=a=b"), no_uri + "a parameter has two =");
  for (const char* text : {"postgresql://db/%", "postgresql://db/%4", "postgresql://d%zz/x"})
    EXPECT_EQ(dsn(text), no_uri + "a % is not followed by two hexadecimal digits") << text;
  EXPECT_EQ(dsn("postgresql://db/%00"), no_uri + "%00 stands for no character of a text");
}

TEST(dsn, of_another_kind_is_refused) {
  const std::string hint =
      " / write it like host=db.internal dbname=mirror user=flanks_daemon, or "
      "postgresql://flanks_daemon@db.internal/mirror";
  for (const char* text : {"jdbc:postgresql://db/flanks?user=flanks",
                           "jdbc:postgresql://db/x?password=hunter2", "jdbc:postgresql:flanks"})
    EXPECT_EQ(dsn(text, true), "is a URL of JDBC, which libpq does not know" + hint) << text;
  for (const char* text : {"mysql://db/x", "postgresql+psycopg2://u:hunter2@db/x",
                           "PostgreSQL://db/x", " postgresql://db/x?user=a"})
    EXPECT_EQ(dsn(text, true), "is a URL that does not begin with postgresql://" + hint) << text;
}

TEST(dsn, unknown_keyword_is_refused_with_the_one_that_was_meant) {
  const auto meant = [](std::string_view wrong, std::string_view right) {
    return "has the unknown keyword " + std::string{wrong} + " / did you mean " +
           std::string{right} + "?";
  };
  EXPECT_EQ(dsn("sslmod=require dbname=x", true), meant("sslmod", "sslmode"));
  EXPECT_EQ(dsn("HOST=db", true), meant("HOST", "host"));
  EXPECT_EQ(dsn("postgresql://db/x?SSLmode=require", true), meant("SSLmode", "sslmode"));
  EXPECT_EQ(dsn("database=x", true), meant("database", "dbname"));
  EXPECT_EQ(dsn("username=x", true), meant("username", "user"));
  EXPECT_EQ(dsn("conect_timeout=3", true), meant("conect_timeout", "connect_timeout"));
  EXPECT_EQ(dsn("passwrod=hunter2", true),
            "has the unknown keyword passwrod / take it out and name a file that holds it in "
            "database.password_file");
  const std::string unknown =
      "has a keyword that libpq does not know / libpq's keywords: "
      "https://www.postgresql.org/docs/current/libpq-connect.html";
  EXPECT_EQ(dsn("dbname=x hunter2=1", true), unknown);
  EXPECT_EQ(dsn("postgresql://db/x?hunter2=1", true), unknown);
  EXPECT_EQ(dsn("options=-c work_mem=64MB", true), unknown);
}

TEST(dsn, value_that_libpq_would_refuse_is_refused) {
  const struct {
    const char* text;
    const char* says;
  } table[] = {
      {"port=abc", "port must be between 1 and 65535"},
      {"port=0", "port must be between 1 and 65535"},
      {"port=65536 host=/run", "port must be between 1 and 65535"},
      {"host=a,b port=1,x", "port must be between 1 and 65535"},
      {"postgresql://db:hunter/x", "port must be between 1 and 65535"},
      {"sslmode=on", "sslmode must be disable, allow, prefer, require, verify-ca or verify-full"},
      {"sslmode=Require",
       "sslmode must be disable, allow, prefer, require, verify-ca or verify-full"},
      {"postgresql://db/x?sslmode=true",
       "sslmode must be disable, allow, prefer, require, verify-ca or verify-full"},
      {"target_session_attrs=master",
       "target_session_attrs must be any, read-write, read-only, primary, standby or "
       "prefer-standby"},
      {"gssencmode=on", "gssencmode must be disable, prefer or require"},
      {"channel_binding=''", "channel_binding must be disable, prefer or require"},
      {"load_balance_hosts=on", "load_balance_hosts must be disable or random"},
      {"connect_timeout=10s", "connect_timeout must be a whole number"},
      {"connect_timeout=''", "connect_timeout must be a whole number"},
      {"keepalives=on", "keepalives must be a whole number"},
      {"keepalives_idle=1.5", "keepalives_idle must be a whole number"},
      {"keepalives_interval='1 0'", "keepalives_interval must be a whole number"},
      {"keepalives_count=0x3", "keepalives_count must be a whole number"},
      {"tcp_user_timeout=99999999999", "tcp_user_timeout must be a whole number"},
      {"ssl_min_protocol_version=1.2",
       "ssl_min_protocol_version must be TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3"},
      {"ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
       "ssl_max_protocol_version is lower than ssl_min_protocol_version (TLSv1.2 when it is left "
       "out)"},
      {"ssl_max_protocol_version=TLSv1.1",
       "ssl_max_protocol_version is lower than ssl_min_protocol_version (TLSv1.2 when it is left "
       "out)"},
      {"hostaddr=db.internal", "hostaddr must be an IP address; a name belongs into host"},
      {"host=a,b hostaddr=10.0.0.1", "names 2 in host and 1 in hostaddr"},
      {"host=a,b,c port=1,2", "names 2 ports for 3 hosts"},
      {"host=a port=1,2", "names 2 ports for 1 host"},
      {"port=1,2", "names 2 ports for 1 host"},
      {"host=a,b host=c port=1,2", "names 2 ports for 1 host"},
  };
  for (const auto& row : table)
    EXPECT_EQ(dsn(row.text), row.says) << row.text;
}

TEST(dsn, every_keyword_is_found_and_no_other) {
  EXPECT_NE(find_keyword("sslmode"), nullptr);
  EXPECT_EQ(find_keyword("sslmod"), nullptr);
  EXPECT_EQ(find_keyword("SSLMODE"), nullptr);
  EXPECT_EQ(find_keyword(""), nullptr);
}

}  // namespace
