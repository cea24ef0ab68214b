// The command line: what each line means, and what is said of one that means nothing.
#include "daemon/usage.hpp"

#include <gtest/gtest.h>

#include <iomanip>
#include <sstream>

#include "daemon/command_line.hpp"

namespace flanks {
namespace {

struct outcome {
  parsed line;
  std::string out, err;
};

outcome parse(std::vector<std::string> words) {
  words.insert(words.begin(), "flanks-sync");
  std::vector<char*> argv;
  for (std::string& w : words)
    argv.push_back(w.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  outcome o{parse_command_line(static_cast<int>(argv.size()), argv.data()), "", ""};
  std::fflush(stdout);
  o.out = testing::internal::GetCapturedStdout();
  o.err = testing::internal::GetCapturedStderr();
  return o;
}

std::string refused(std::vector<std::string> words) {
  const outcome o = parse(std::move(words));
  EXPECT_EQ(o.line.exit, 64);
  EXPECT_EQ(o.out, "");
  return o.err;
}

TEST(usage, a_slip_of_the_pen_is_told_with_what_was_meant) {
  EXPECT_EQ(refused({"stauts"}),
            "error: \"stauts\" is no command\n"
            "hint: did you mean status? flanks-sync --help lists the commands\n");
  EXPECT_EQ(refused({"credentials", "lst"}),
            "error: \"lst\" is no command of credentials\n"
            "hint: did you mean list? flanks-sync credentials --help lists the commands\n");
  EXPECT_EQ(refused({"discover"}),
            "error: \"discover\" is no command\n"
            "hint: did you mean credentials discover?\n");
  EXPECT_EQ(refused({"backfill", "--form", "2026-01-01"}),
            "error: unknown option --form of backfill\n"
            "hint: did you mean --from? flanks-sync backfill --help lists the options\n");
  EXPECT_EQ(refused({"status", "--jsn"}),
            "error: unknown option --jsn of status\n"
            "hint: did you mean --json? flanks-sync status --help lists the options\n");
  EXPECT_EQ(refused({"--user", "u", "status"}),
            "error: unknown option --user\n"
            "hint: it is an option of commands, and stands behind their name: flanks-sync backfill "
            "--user\n");
  EXPECT_EQ(refused({"status", "--zzzzzz"}),
            "error: unknown option --zzzzzz of status\n"
            "hint: flanks-sync status --help lists the options\n");
}

TEST(usage, what_is_missing_or_too_much_is_told_with_its_form) {
  EXPECT_EQ(refused({"erase"}),
            "error: erase needs --user U\nhint: flanks-sync erase --help shows how\n");
  EXPECT_EQ(refused({"erase", "--user"}),
            "error: --user needs a value: --user U\nhint: flanks-sync erase --help shows how\n");
  EXPECT_EQ(refused({"erase", "--user", "--yes"}),
            "error: --user needs a value: --user U\nhint: flanks-sync erase --help shows how\n");
  EXPECT_EQ(refused({"removals", "confirm"}),
            "error: removals confirm needs RUN\n"
            "hint: flanks-sync removals confirm --help shows how\n");
  EXPECT_EQ(refused({"removals", "confirm", "a", "17"}),
            "error: \"17\" is one argument too many for removals confirm\n"
            "hint: flanks-sync removals confirm --help shows how\n");
  EXPECT_EQ(refused({"status", "backfill"}),
            "error: what was given is one argument too many for status; the argument is not "
            "repeated here: it may be a secret\n"
            "hint: flanks-sync status --help shows how\n");
  EXPECT_EQ(refused({"--config", "a", "status", "--config=b"}),
            "error: --config is given twice\nhint: flanks-sync status --help shows how\n");
  EXPECT_EQ(refused({"run", "--once=yes"}),
            "error: --once takes no value\nhint: flanks-sync run --help shows how\n");
  EXPECT_TRUE(refused({}).starts_with("error: no command is given\nhint: the commands are: run, "));
  EXPECT_TRUE(
      refused({"migrate"})
          .starts_with(
              "error: migrate needs a command\nhint: the commands are: up, status, plan; "));
}

TEST(usage, a_value_that_cannot_be_is_told_with_what_can) {
  EXPECT_TRUE(refused({"sync", "--credential", "x1"})
                  .starts_with("error: credential: what was given is no number from 1 on; "));
  EXPECT_TRUE(refused({"credentials", "show", "0"})
                  .starts_with("error: credential: \"0\" is no number from 1 on\n"));
  EXPECT_TRUE(refused({"successions", "show", "99999999999999999999"})
                  .starts_with("error: succession: \"99999999999999999999\" is no number"));
  EXPECT_TRUE(refused({"status", "--log-level", "loud"})
                  .starts_with("error: --log-level: \"loud\" is none of trace, debug, "));
}

TEST(usage, what_is_empty_is_refused) {
  EXPECT_EQ(refused({"backfill", "--from", ""}),
            "error: --from has an empty value\nhint: leave it out, or write --from D\n");
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"backfill", "--from="},
           {"verify", "--to", ""},
           {"status", "--log-level", ""},
           {"support", "--output", ""},
           {"credentials", "discover", "--default-user", ""},
           {"credentials", "add", "--user", "u", "--token-file", ""},
           {"credentials", "import", ""}})
    EXPECT_NE(refused(words).find("empty"), std::string::npos) << words.back();
  EXPECT_FALSE(parse({"credentials", "pause", "1", "--reason", ""}).line.exit);
}

TEST(usage, a_command_behind_two_hyphens_and_a_very_long_word_are_told_in_our_words) {
  EXPECT_EQ(refused({"--", "status"}),
            "error: a command stands behind --, which ends all but arguments\n"
            "hint: write it before --; flanks-sync --help lists the commands\n");
  EXPECT_LT(refused({std::string(100'000, 'a')}).size(), 1000U);
  EXPECT_LT(refused({"status", std::string(100'000, '1')}).size(), 1000U);
  EXPECT_LT(refused({"status", "--" + std::string(100'000, 'a')}).size(), 1000U);
}

TEST(usage, a_run_is_named_by_its_whole_id_in_any_case) {
  const std::string id = "0B5F9A52-7C11-4F0E-9D55-3C1F6C6B4D10";
  EXPECT_EQ(parse({"removals", "confirm", id}).line.asked.review,
            "0b5f9a52-7c11-4f0e-9d55-3c1f6c6b4d10");
  for (const std::string& wrong :
       {id.substr(1), id + "0", "{" + id.substr(1), std::string(36, 'z'), std::string("x")})
    EXPECT_TRUE(refused({"removals", "reject", wrong}).starts_with("error: run: ")) << wrong;
}

TEST(usage, a_secret_that_was_typed_where_something_else_belongs_is_not_repeated) {
  const std::string token = "eyJhbGciOi.CANARY9/x+Lw==";
  for (const std::vector<std::string>& before : {std::vector<std::string>{},
                                                 {"credentials"},
                                                 {"credentials", "show"},
                                                 {"credentials", "add", "--user", "u"},
                                                 {"credentials", "import", "file.csv"},
                                                 {"successions", "show"},
                                                 {"sync", "--credential"},
                                                 {"sync", "--product"},
                                                 {"backfill", "--from"},
                                                 {"status", "--log-level"},
                                                 {"status", "--watch"}}) {
    std::vector<std::string> words = before;
    words.push_back(token);
    const std::string said = refused(words);
    EXPECT_EQ(said.find("CANARY"), std::string::npos) << said;
    EXPECT_NE(said.find("not repeated here: it may be a secret"), std::string::npos) << said;
  }
  const std::string said = refused({"status", "--" + token});
  EXPECT_EQ(said.find("CANARY"), std::string::npos) << said;
}

TEST(usage, options_of_the_program_stand_before_or_behind_the_command) {
  for (const auto& words : {std::vector<std::string>{"--json", "--config", "x", "status"},
                            std::vector<std::string>{"status", "--json", "--config=x"}}) {
    const outcome o = parse(words);
    EXPECT_FALSE(o.line.exit) << o.err;
    EXPECT_TRUE(o.line.asked.json);
    EXPECT_EQ(o.line.asked.config, "x");
    EXPECT_EQ(o.line.asked.what, command::status);
  }
}

TEST(usage, status_takes_its_filters_and_a_time_to_wait) {
  const outcome o =
      parse({"status", "--problems", "--user", "a", "--user", "b", "--bank", "c", "--watch"});
  EXPECT_FALSE(o.line.exit) << o.err;
  EXPECT_TRUE(o.line.asked.problems);
  EXPECT_EQ(o.line.asked.who.users.size(), 2U);
  EXPECT_EQ(o.line.asked.banks, std::vector<std::string>{"c"});
  EXPECT_EQ(o.line.asked.watch, std::chrono::seconds{2});
  EXPECT_EQ(parse({"status", "--watch", "30", "--problems"}).line.asked.watch,
            std::chrono::seconds{30});
  EXPECT_FALSE(parse({"status"}).line.asked.watch);
}

// As a shell would take it, without what is redirected.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::istringstream in{std::string(line.substr(0, line.find_first_of("<>|")))};
  for (std::string word; in >> std::quoted(word, '\'');)
    words.push_back(word);
  words.erase(words.begin());
  return words;
}

// What --help prints for the command, first its own part, then all below it.
void check_help(const std::string& path) {
  SCOPED_TRACE(path);
  std::vector<std::string> words = words_of(path);
  words.emplace_back("--help");
  const outcome help = parse(words);
  EXPECT_EQ(help.line.exit, 0);
  EXPECT_EQ(help.err, "");
  const std::size_t examples = help.out.find("\nExamples:\n");
  const std::size_t usage = help.out.find("\nUsage: " + path);
  ASSERT_NE(examples, std::string::npos) << "a page without examples";
  EXPECT_LT(examples, usage) << "examples come first";
  std::istringstream lines(help.out);
  for (std::string line; std::getline(lines, line);)
    EXPECT_LE(line.size(), 80U) << line;
  for (const usage::example& e : usage::examples_of(path)) {
    const outcome o = parse(words_of(e.line));
    EXPECT_FALSE(o.line.exit) << e.line << "\n" << o.err;
  }
}

TEST(usage, every_page_of_help_begins_with_examples_and_each_is_a_command_line) {
  check_help("flanks-sync");
  for (const char* const path : {"run",
                                 "backfill",
                                 "sync",
                                 "status",
                                 "verify",
                                 "credentials",
                                 "credentials add",
                                 "credentials import",
                                 "credentials list",
                                 "credentials show",
                                 "credentials pause",
                                 "credentials resume",
                                 "credentials remove",
                                 "credentials rotate",
                                 "credentials discover",
                                 "link",
                                 "link exchange",
                                 "link sessions",
                                 "erase",
                                 "prune",
                                 "removals",
                                 "removals list",
                                 "removals confirm",
                                 "removals reject",
                                 "successions",
                                 "successions list",
                                 "successions show",
                                 "successions confirm",
                                 "successions reject",
                                 "migrate",
                                 "migrate up",
                                 "migrate status",
                                 "doctor",
                                 "migrate plan",
                                 "config",
                                 "config check",
                                 "config show",
                                 "config example",
                                 "support"})
    check_help(std::string("flanks-sync ") + path);
}

}  // namespace
}  // namespace flanks
