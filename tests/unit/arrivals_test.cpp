// How credentials arrive, told against a provider and a register that are made up: pages that
// repeat, never end or shrink, codes that are spent once. And how the provider's answers are read.
#include "sync/arrivals.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <map>

#include "sync/flanks/arrivals.hpp"

namespace flanks {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

template <class T>
T result_of(awaitable<T> work) {
  asio::io_context loop;
  std::optional<T> result;
  std::exception_ptr error;
  asio::co_spawn(loop, std::move(work), [&](std::exception_ptr e, T value) {
    error = e;
    if (!e) result.emplace(std::move(value));
  });
  loop.run();
  if (error) std::rethrow_exception(error);
  return std::move(*result);
}

class made_up_provider final : public credential_source {
 public:
  using item = std::pair<std::string, std::string>;  // token, external_id
  std::vector<std::vector<item>> pages;
  std::optional<std::int64_t> says_pages;
  bool last_page_for_ever = false;
  std::vector<link_code> codes;
  std::map<std::string, std::string> exchanges;  // code -> token
  std::optional<failure> exchange_fails;
  std::vector<std::vector<std::string>> session_pages;
  int asked = 0, exchanged = 0;

  awaitable<listed_page> list(std::int64_t page) override {
    ++asked;
    listed_page out;
    auto at = static_cast<std::size_t>(page - 1);
    if (last_page_for_ever) at = std::min(at, pages.size() - 1);
    if (at < pages.size()) {
      for (const auto& [token, user] : pages[at])
        out.items.push_back({secret{token}, user});
    }
    out.pages = says_pages;
    co_return out;
  }
  awaitable<bool> forget(const secret&) override { co_return true; }
  awaitable<std::vector<link_code>> links() override { co_return codes; }
  awaitable<std::optional<secret>> exchange(const secret& code) override {
    ++exchanged;
    if (exchange_fails) throw failure{*exchange_fails};
    std::optional<secret> token;
    const auto found = exchanges.find(code.reveal());
    if (found != exchanges.end()) token.emplace(found->second);
    co_return token;
  }
  awaitable<session_page> sessions(const std::string& page_token) override {
    const std::size_t at = page_token.empty() ? 0 : std::stoul(page_token);
    session_page out;
    for (const std::string& token : session_pages.at(std::min(at, session_pages.size() - 1)))
      out.connections.emplace_back(token);
    if (at + 1 < session_pages.size() || last_page_for_ever)
      out.next_page_token = std::to_string(at + 1);
    co_return out;
  }
};

class made_up_book final : public credential_book {
 public:
  std::map<std::string, std::string> users;  // token -> user
  std::map<std::string, standing> others;    // removed, erased
  int failures = 0;                          // how often add() fails before it works
  bool rehearsal_fails = false;

  awaitable<std::vector<standing>> look(std::vector<secret> tokens) override {
    std::vector<standing> out;
    for (const secret& t : tokens) {
      const auto other = others.find(t.reveal());
      standing now = users.contains(t.reveal()) ? standing::known : standing::unknown;
      if (other != others.end()) now = other->second;
      out.push_back(now);
    }
    co_return out;
  }
  awaitable<std::vector<standing>> add(std::vector<registration_request> wanted) override {
    if (failures > 0) {
      --failures;
      throw failure(stage::write, verdict::later, "database_disk_full", "the disk is full");
    }
    std::vector<standing> out;
    for (const registration_request& w : wanted) {
      const bool fit = w.user.value != "unfit";
      if (fit) users.emplace(w.token.reveal(), w.user.value);
      out.push_back(fit ? standing::known : standing::refused);
    }
    co_return out;
  }
  awaitable<standing> rehearse(user_id user) override {
    if (rehearsal_fails)
      throw failure(stage::write, verdict::later, "database_disk_full", "the disk is full");
    co_return user.value == "unfit" ? standing::refused : standing::known;
  }
};

class patient_clock final : public engine_clock {
 public:
  std::chrono::milliseconds slept{0};
  [[nodiscard]] instant now() const override { return {}; }
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override { return {}; }
  awaitable<void> sleep(std::chrono::milliseconds time) override {
    slept += time;
    co_return;
  }
  double random() override { return 0; }
};

class arriving : public testing::Test {
 protected:
  arrival_counts discovered(arrival_options options = {}) {
    return result_of(discover(provider, book, std::move(options)));
  }
  exchange_counts exchange(exchange_options options = {}) {
    return result_of(exchange_links(provider, book, clock, std::move(options)));
  }
  static link_code code(const std::string& name, const std::string& user) {
    link_code out;
    out.code = secret{name};
    if (!user.empty()) out.extra.emplace_back("external_id", user);
    return out;
  }

  made_up_provider provider;
  made_up_book book;
  patient_clock clock;
};

TEST_F(arriving, pages_without_a_total_end_with_the_first_that_brings_nothing_new) {
  provider.pages = {{{"a", "1"}, {"b", "2"}}, {{"b", "2"}, {"c", "3"}}};
  const arrival_counts c = discovered();
  EXPECT_EQ(c.added, 3);
  EXPECT_EQ(c.pages, 3);
  EXPECT_THAT(c.cut_short_by, IsEmpty());
}

TEST_F(arriving, a_total_that_is_never_reached_ends_and_is_said) {
  provider.pages = {{{"a", "1"}}};
  provider.last_page_for_ever = true;
  provider.says_pages = 1'000'000'000;
  const arrival_counts c = discovered();
  EXPECT_EQ(c.seen, 1);
  EXPECT_LT(provider.asked, 10);
  EXPECT_THAT(c.cut_short_by, ElementsAre("repeated_pages"));
}

TEST_F(arriving, pages_beyond_the_limit_are_not_asked_for_and_it_is_said) {
  provider.pages = {{{"a", "1"}}, {{"b", "2"}}, {{"c", "3"}}};
  provider.says_pages = 3;
  arrival_options options;
  options.limits.discovery_pages = 2;
  const arrival_counts c = discovered(options);
  EXPECT_EQ(provider.asked, 2);
  EXPECT_EQ(c.added, 2);
  EXPECT_THAT(c.cut_short_by, ElementsAre("limits.discovery_pages"));
  options.limits.discovery_pages = 3;
  EXPECT_THAT(discovered(options).cut_short_by, IsEmpty())
      << "as many as the limit are all of them";
}

TEST_F(arriving, credentials_beyond_the_limit_are_not_taken_and_it_is_said) {
  provider.pages = {{{"a", "1"}, {"b", "2"}}, {{"a", "1"}, {"c", "3"}, {"d", "4"}}, {{"e", "5"}}};
  provider.says_pages = 3;
  arrival_options options;
  options.limits.discovery_credentials = 3;
  const arrival_counts c = discovered(options);
  EXPECT_EQ(provider.asked, 2);
  EXPECT_EQ(c.seen, 3);
  EXPECT_THAT(book.users, UnorderedElementsAre(Pair("a", "1"), Pair("b", "2"), Pair("c", "3")));
  EXPECT_THAT(c.cut_short_by, ElementsAre("limits.discovery_credentials"));
  options.limits.discovery_credentials = 5;
  EXPECT_THAT(discovered(options).cut_short_by, IsEmpty())
      << "as many as the limit are all of them";
}

TEST_F(arriving, an_empty_page_in_the_middle_does_not_end_the_list) {
  provider.pages = {{{"a", "1"}}, {}, {{"b", "2"}}};
  provider.says_pages = 3;
  EXPECT_EQ(discovered().added, 2);
}

TEST_F(arriving, what_is_known_removed_or_erased_stays_as_it_is) {
  provider.pages = {{{"known", "theirs"}, {"removed", "x"}, {"erased", "x"}, {"new", "n"}}};
  book.users["known"] = "ours";
  book.others = {{"removed", standing::removed}, {"erased", standing::erased}};
  const arrival_counts c = discovered();
  EXPECT_EQ(c.known + c.removed + c.erased + c.added, 4);
  EXPECT_THAT(book.users, UnorderedElementsAre(Pair("known", "ours"), Pair("new", "n")));
}

TEST_F(arriving, without_a_user_nothing_is_registered_and_a_dry_run_registers_nothing_at_all) {
  provider.pages = {{{"a", ""}, {"b", "2"}, {"c", "unfit"}}};
  EXPECT_EQ(discovered({.dry_run = true, .default_user = "", .limits = {}}).added, 2);
  EXPECT_THAT(book.users, IsEmpty());
  const arrival_counts c = discovered();
  EXPECT_EQ(c.without_user, 1);
  EXPECT_EQ(c.refused, 1);
  EXPECT_THAT(book.users, ElementsAre(Pair("b", "2")));
}

TEST_F(arriving, sessions_take_their_user_from_the_list_and_end_though_the_tokens_do_not) {
  provider.pages = {{{"a", "1"}, {"b", ""}}};
  provider.session_pages = {{"a"}, {"b", "c"}};
  EXPECT_EQ(result_of(take_sessions(provider, book, {})).without_user, 2);
  EXPECT_THAT(book.users, ElementsAre(Pair("a", "1")));
  provider.last_page_for_ever = true;
  EXPECT_THAT(result_of(take_sessions(provider, book, {})).cut_short_by,
              ElementsAre("repeated_pages"));
}

TEST_F(arriving, sessions_beyond_the_limit_are_not_asked_for_and_it_is_said) {
  provider.pages = {{{"a", "1"}, {"b", "2"}, {"c", "3"}}};
  provider.session_pages = {{"a"}, {"b"}, {"c"}};
  arrival_options options;
  options.limits.session_pages = 2;
  const arrival_counts c = result_of(take_sessions(provider, book, options));
  EXPECT_EQ(c.pages, 2);
  EXPECT_THAT(book.users, UnorderedElementsAre(Pair("a", "1"), Pair("b", "2")));
  EXPECT_THAT(c.cut_short_by, ElementsAre("limits.session_pages"));
}

TEST_F(arriving, a_session_that_the_unread_rest_of_the_list_may_name_is_not_the_default_users) {
  provider.pages = {{{"a", "1"}, {"b", ""}}, {{"c", "3"}}};
  provider.says_pages = 2;
  provider.session_pages = {{"a", "b", "c"}};
  arrival_options options;
  options.default_user = "someone";
  options.limits.discovery_pages = 1;
  const arrival_counts c = result_of(take_sessions(provider, book, options));
  EXPECT_EQ(c.without_user, 1);
  EXPECT_THAT(book.users, UnorderedElementsAre(Pair("a", "1"), Pair("b", "someone")));
  EXPECT_THAT(c.cut_short_by, ElementsAre("limits.discovery_pages"));
}

TEST_F(arriving, a_code_is_spent_only_for_a_user_who_can_be_registered) {
  provider.codes = {code("1", ""), code("2", "unfit"), code("3", "u"), code("4", "v")};
  provider.exchanges = {{"3", "token-3"}};
  const exchange_counts c = exchange();
  EXPECT_EQ(provider.exchanged, 2);
  EXPECT_EQ(c.without_user, 1);
  EXPECT_EQ(c.refused, 1);
  EXPECT_EQ(c.exchanged, 1);
  EXPECT_EQ(c.used_up, 1);
  EXPECT_THAT(book.users, ElementsAre(Pair("token-3", "u")));
}

TEST_F(arriving, no_code_is_spent_when_the_rehearsal_fails) {
  provider.codes = {code("3", "u")};
  book.rehearsal_fails = true;
  EXPECT_THROW(exchange(), failure);
  EXPECT_EQ(provider.exchanged, 0);
}

TEST_F(arriving, after_the_exchange_storing_is_tried_again_and_again) {
  provider.codes = {code("3", "u")};
  provider.exchanges = {{"3", "token-3"}};
  book.failures = 5;
  EXPECT_EQ(exchange().exchanged, 1);
  EXPECT_GE(clock.slept, std::chrono::seconds{30});
}

TEST_F(arriving, what_could_not_be_stored_is_said_with_the_way_back_and_without_the_token) {
  provider.codes = {code("3", "u")};
  provider.exchanges = {{"3", "token-3"}};
  book.failures = 100;
  try {
    exchange();
    FAIL() << "nothing was said";
  } catch (const failure& f) {
    EXPECT_THAT(f.what(), HasSubstr("was exchanged and is used up"));
    EXPECT_THAT(f.what(), HasSubstr("the disk is full"));
    EXPECT_THAT(f.hint, HasSubstr("credentials discover"));
    EXPECT_THAT(f.what() + f.hint, testing::Not(HasSubstr("token-3")));
  }
}

answer of(const std::string& body) {
  answer a;
  a.status = 200;
  a.body = body;
  a.body_bytes = static_cast<std::int64_t>(body.size());
  return a;
}

TEST(arrival_answers, a_page_without_anything_that_may_be_missing_is_read) {
  const listed_page page =
      read_list(of(R"({"items":[{"credentials_token":"a"},{"credentials_token":"b","external_id":7},
                   {"credentials_token":"c d"},null,{"external_id":"x"}],"pages":null})"),
                {});
  ASSERT_EQ(page.items.size(), 2U);
  EXPECT_EQ(page.items[0].external_id, "");
  EXPECT_EQ(page.items[1].external_id, "7");
  EXPECT_EQ(page.unusable, 3);
  EXPECT_FALSE(page.pages);
}

TEST(arrival_answers, what_is_no_page_is_a_failure_and_never_an_empty_list) {
  for (const char* body :
       {"", "[]", "{}", "<html>", R"({"items":null})", R"({"error":"no"})", R"({"items":[)"})
    EXPECT_THROW((void)read_list(of(body), {}), failure) << body;
  for (const char* body : {"", "{}", "7", R"({"message":"no"})"})
    EXPECT_THROW((void)read_links(of(body), {}), failure) << body;
  for (const char* body : {"", "[]", "{}", R"({"credentials_token":null})"})
    EXPECT_THROW((void)read_exchange(of(body), {}), failure) << body;
  EXPECT_THROW((void)read_sessions(of("[]"), {}), failure);
}

TEST(arrival_answers, only_sessions_that_finished_well_count) {
  const session_page page =
      read_sessions(of(R"({"items":[{"status":"Finished:OK","connection_id":"a"},
          {"status":"Finished:Error","connection_id":"b"},{"status":"Finished:OK"}],
          "next_page_token":"n"})"),
                    {});
  ASSERT_EQ(page.connections.size(), 1U);
  EXPECT_EQ(page.connections[0].reveal(), "a");
  EXPECT_EQ(page.unusable, 1);
  EXPECT_EQ(page.next_page_token, "n");
}

}  // namespace
}  // namespace flanks
