// Secrets that a command prints: what is taken, and what is said of everything else.
#include "config/secret_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flanks::config {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::string said(const std::vector<std::string>& argv, std::chrono::milliseconds timeout = 5s) {
  try {
    return "took " +
           run_secret_command("database.password_command", argv, stage::database, timeout).reveal();
  } catch (const failure& f) {
    EXPECT_EQ(f.error_class, "secret_command");
    EXPECT_EQ(f.verdict, verdict::later);
    EXPECT_THAT(f.hint, HasSubstr("run it by hand"));
    return f.what();
  }
}

std::string of_shell(const std::string& script, std::chrono::milliseconds timeout = 5s) {
  return said({"/bin/sh", "-c", script}, timeout);
}

TEST(secret_command, takes_the_one_line_that_it_prints) {
  EXPECT_EQ(said({"/bin/echo", "pass word"}), "took pass word");
  EXPECT_EQ(of_shell("printf 'no end'"), "took no end");
  EXPECT_EQ(of_shell("printf 'x\\r\\n'"), "took x");
  // It has no input, and dies of SIGPIPE as programs expect to.
  EXPECT_EQ(of_shell("cat; echo x"), "took x");
  EXPECT_EQ(of_shell("kill -PIPE $$; echo x"),
            "database.password_command: /bin/sh was ended by signal 13");
}

TEST(secret_command, says_what_is_wrong_and_never_what_was_printed) {
  const std::string about = "database.password_command: /bin/sh ";
  EXPECT_EQ(of_shell("echo geheim; exit 3"), about + "ended with code 3");
  EXPECT_EQ(of_shell("echo geheim; kill -9 $$"), about + "was ended by signal 9");
  EXPECT_EQ(of_shell("echo geheim; echo geheim"), about + "printed more than one line");
  EXPECT_EQ(of_shell("true"), about + "printed nothing");
  EXPECT_EQ(of_shell("printf 'geh\\377eim'"), about + "printed what is no plain text in UTF-8");
  EXPECT_EQ(of_shell("head -c 70000 /dev/zero | tr '\\0' x"), about + "printed more than 64 KiB");
  EXPECT_EQ(of_shell("echo geheim; exec sleep 100", 100ms), about + "has not ended within 100 ms");
  EXPECT_EQ(of_shell("exec sleep 100", 100ms), about + "has not ended within 100 ms");
  EXPECT_THAT(said({"/no/such/program"}),
              HasSubstr("/no/such/program cannot be run: No such file"));
}

}  // namespace
}  // namespace flanks::config
