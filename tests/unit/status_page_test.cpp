// The status page's decisions: what is escaped and masked, what a query means, the one sentence.
#include <gtest/gtest.h>

#include "daemon/hourly_counts.hpp"
#include "daemon/web/html.hpp"
#include "daemon/web/page_facts.hpp"
#include "daemon/web/parts.hpp"
#include "daemon/web/status_pages.hpp"

namespace flanks::web {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(status_page, text_of_others_never_becomes_markup) {
  EXPECT_EQ(escaped("<script>alert('1')</script>"),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;");
  EXPECT_EQ(html("<a title=\"{}\">{}</a>", "\"&", std::string("<b>")).text,
            "<a title=\"&quot;&amp;\">&lt;b&gt;</a>");
  EXPECT_EQ(html("<p>{}</p>", html("<b>{}</b>", 7)).text, "<p><b>7</b></p>");
  EXPECT_EQ(escaped("a\nb\xE2\x80\xAE"
                    "c\xFF"),
            "a b c\xEF\xBF\xBD");
}

TEST(status_page, account_and_card_numbers_become_their_last_four) {
  const std::string dots = "\u2022\u2022\u2022\u2022";
  EXPECT_EQ(masked("ES9121000418450200051332"), dots + "1332");
  EXPECT_EQ(masked("the account ES91 2100 0418 4502 0005 1332 is closed"),
            "the account " + dots + "1332 is closed");
  EXPECT_EQ(masked("card 4111 1111 1111 1234, 4111-1111-1111-1234."),
            "card " + dots + "1234, " + dots + "1234.");
  EXPECT_EQ(masked("4548********6545"), dots + "6545");
  EXPECT_EQ(masked("no 0123456789"), "no " + dots + "6789");
  for (const char* text : {"2026-11-28 10:14 UTC", "2026-11-28T10:14:05Z", "1 234 567 rows",
                           "http_503", "user-123456789", "trace 7f3a9c0b1d2e4f5a", "credential 17",
                           "", "9999_later", "GB12 is short"})
    EXPECT_EQ(masked(text), text);
}

TEST(status_page, numbers_in_other_groups_are_masked_as_well) {
  const std::string dots = "\u2022\u2022\u2022\u2022";
  for (const char* text :
       {"4111\u00A01111\u00A01111\u00A01234", "4111_1111_1111_1234", "4111.1111.1111.1234",
        "4111/1111/1111/1234", "4111%201111%201111%201234", "4111  1111  1111  1234",
        "41 111111 11111234", "4111-1111 1111 1234", "2100 0418 45 0200051234",
        "ES91\u202F2100\u202F0418\u202F4502\u202F0005\u202F1234", "2012-12-345678-1234",
        "ES91-2100-0418-4502-0005-1234"})
    EXPECT_EQ(masked(text), dots + "1234") << text;
  EXPECT_EQ(masked("ES91 2100 0418 4502 0005 1332 EUR"), dots + "1332 EUR");
  EXPECT_EQ(masked("GB29 NWBK 6016 1331 9268 19 IN GBP"), dots + "6819 IN GBP");
  EXPECT_EQ(masked("de89370400440532013000"), "de" + dots + "3000");
}

TEST(status_page, dates_times_addresses_and_trace_ids_are_no_numbers_of_accounts) {
  for (const char* text :
       {"2026-11-28T22:40", "2026-11-28 22:40 UTC", "2026-11-28 22:40:05.123456",
        "10:14:05 2026-11-28", "2026-01-01/2026-02-01", "2026-01 2026-02 2026-03",
        "28.11.2026 22.40", "2026-11-28, 2026-11-29", "from 2026-11-28 to 2026-11-30.",
        "the server at \"192.168.100.200\", port 5432", "1 234 567 of 9 876 543",
        "trace_id 0123456789abcdef0123456789012345", "4bf92f3577b34da6a3ce929d0e0e4736",
        "00f067aa0ba902b71234567890123456", "550e8400-e29b-41d4-a716-446655440000"})
    EXPECT_EQ(masked(text), text);
}

TEST(status_page, a_query_is_read_leniently) {
  const credential_query q =
      credential_query_from("q=+user%2D1%20&state=ok&sort=-bank&page=3&x=y&bank=a%26b");
  EXPECT_EQ(q.text, "user-1");
  EXPECT_EQ(q.state, "ok");
  EXPECT_EQ(q.bank, "a&b");
  EXPECT_TRUE(q.by == credential_query::order::bank && q.descending);
  EXPECT_EQ(q.page, 3);
  EXPECT_EQ(link_of(q), "/credentials?q=user-1&bank=a%26b&state=ok&sort=-bank&page=3");
  for (const char* odd : {"", "&&", "=", "page=0", "page=-1", "page=1e9", "page=99999999999999",
                          "sort=;drop", "q", "q=%"}) {
    const credential_query read = credential_query_from(odd);
    EXPECT_EQ(read.page, 1) << odd;
    EXPECT_TRUE(read.by == credential_query::order::id) << odd;
  }
  EXPECT_EQ(credential_query_from("q=" + std::string(5000, 'x')).text.size(), 200U);
  EXPECT_EQ(credential_query_from("page=900000000").page, 1'000'000);
}

mirror_overview overview_of(std::vector<mirror_overview::state> states, std::int64_t problems) {
  mirror_overview o;
  o.states = std::move(states);
  o.problem_count = problems;
  return o;
}

std::string sentence(const mirror_overview& o) {
  return summary_of({}, {&o, "", ""}).sentence;
}

TEST(status_page, one_sentence_says_how_it_stands) {
  EXPECT_EQ(sentence(overview_of({{"paused", 2, hours{900}, {4}}}, 0)),
            "Up, and nothing is mirrored: 2 credentials are paused.");
  EXPECT_EQ(sentence(overview_of({{"ok", 412, hours{3}, {17}}, {"paused", 2, hours{900}, {4}}}, 0)),
            "Up and current: all 412 credentials agree with the provider; the worst lag is 3 h "
            "(credential 17).");
  EXPECT_EQ(sentence(overview_of({{"ok", 410, hours{3}, {17}}, {"error", 2, hours{80}, {9}}}, 2)),
            "Up, but 2 of 412 credentials have a problem; the worst lag is 3 d (credential 9).");
  EXPECT_EQ(sentence(overview_of({{"ok", 1, seconds{90}, {1}}, {"new", 2, seconds{9}, {3}}}, 0)),
            "Up: 1 of 3 credentials agree with the provider, 2 wait for the first synchronisation; "
            "the worst lag is 90 s (credential 1).");
  EXPECT_EQ(sentence(overview_of({{"new", 1, seconds{9}, {3}}}, 0)),
            "Up: 0 of 1 credential agrees with the provider, 1 waits for the first "
            "synchronisation; the worst lag is 9 s (credential 3).");
  EXPECT_EQ(sentence(overview_of({}, 0)),
            "Up. No credential is registered yet: flanks-sync credentials add --help says how.");
}

TEST(status_page, trouble_comes_before_everything_else) {
  const mirror_overview o = overview_of({{"ok", 5, hours{1}, {1}}}, 0);
  daemon_facts daemon;
  EXPECT_EQ(summary_of(daemon, {&o, "", ""}).how, summary::level::well);
  const summary down = summary_of(daemon, {&o, "it has not answered within 3 s", ""});
  EXPECT_EQ(down.how, summary::level::down);
  EXPECT_EQ(down.sentence,
            "The daemon runs, but the database cannot be asked: it has not answered within 3 s.");
  EXPECT_EQ(down.credentials, 5);
  daemon.paused_until = instant{seconds{60}};
  EXPECT_EQ(summary_of(daemon, {&o, "", ""}).how, summary::level::look);
  EXPECT_NE(summary_of(daemon, {&o, "", ""})
                .sentence.find("nothing is asked for before 1970-01-01 00:01 UTC."),
            std::string::npos);
  daemon.now = instant{seconds{61}};
  EXPECT_EQ(summary_of(daemon, {&o, "", ""}).how, summary::level::well);
  EXPECT_EQ(summary_of(daemon, {&o, "x", "", "", false, "the daemon is stopping"}).sentence,
            "The daemon runs, but it is not ready: the daemon is stopping.");
  const summary unread = summary_of(daemon, {&o, "", "", "statement_timeout ended it"});
  EXPECT_EQ(unread.how, summary::level::look) << "the daemon does its work";
  EXPECT_EQ(unread.sentence,
            "The daemon runs, but this page could not be read: statement_timeout ended it.");
}

mirror_problems::row told(mirror_problem which, const char* process, const char* error_class) {
  return {which,      "2026-11-28T10:14:00Z", process,      error_class,
          "operator", "what fails",           std::nullopt, "what happens next"};
}

TEST(status_page, what_another_daemon_or_the_database_says_is_no_calm) {
  mirror_overview o = overview_of({{"ok", 5, hours{1}, {1}}}, 0);
  o.of_all = {told(mirror_problem::working, "the database", "work_overdue")};
  const summary s = summary_of({}, {&o, "", ""});
  EXPECT_EQ(s.how, summary::level::look);
  EXPECT_EQ(s.sentence,
            "Up; all 5 credentials agreed with the provider when they were last read; the worst "
            "lag is 60 min (credential 1). Nobody works on what is due.");
  EXPECT_FALSE(s.all_current());
}

TEST(status_page, what_concerns_all_is_told_once) {
  mirror_overview o = overview_of({{"ok", 5, hours{1}, {1}}}, 0);
  daemon_facts daemon;
  daemon.process = "a:1";
  finding refused{"token", grade::fail, "the keys were refused", "", "token_refused"};
  daemon.problems = {{mirror_problem::fetching, refused}};
  o.of_all = {told(mirror_problem::fetching, "b:2", "token_refused"),
              told(mirror_problem::working, "the database", "work_overdue"),
              told(mirror_problem::reloading, "a:1", "configuration"),
              told(mirror_problem::reloading, "b:2", "configuration")};
  const auto all = troubles_of(daemon, {&o, "", ""});
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].process, "a:1");
  EXPECT_EQ(all[0].since, std::nullopt);
  EXPECT_EQ(all[1].which, mirror_problem::reloading);
  EXPECT_EQ(all[1].process, "b:2") << "what we said of ourselves before is over";
  o.of_all[0].process = "a:1";
  EXPECT_EQ(troubles_of(daemon, {&o, "", ""})[0].since, "2026-11-28T10:14:00Z");
}

TEST(status_page, only_what_agrees_is_current) {
  const auto current = [](std::vector<mirror_overview::state> states) {
    const mirror_overview o = overview_of(std::move(states), 0);
    return summary_of({}, {&o, "", ""}).all_current();
  };
  EXPECT_TRUE(current({{"ok", 5, hours{1}, {1}}}));
  EXPECT_FALSE(current({}));
  EXPECT_FALSE(current({{"paused", 5, hours{1}, {1}}}));
  EXPECT_FALSE(current({{"new", 51, hours{1}, {1}}}));
  EXPECT_FALSE(current({{"ok", 50, hours{1}, {1}}, {"new", 1, hours{1}, {1}}}));
}

TEST(status_page, a_backfill_ends_at_the_pace_of_the_last_minutes) {
  mirror_overview::backfill b;
  b.items = 1000, b.items_done = 400, b.done_lately = 200, b.lately = seconds{600};
  EXPECT_EQ(time_left(b), seconds{1800});
  b.done_lately = 0;
  EXPECT_EQ(time_left(b), std::nullopt);
}

TEST(status_page, requests_are_counted_hour_by_hour_for_a_day) {
  const hourly_counts::hour first{hours{1000}};
  hourly_counts counts(first);
  counts.add(first);
  counts.add(first);
  counts.add(first + hours{2});
  EXPECT_EQ(counts.in(first - hours{1}), std::nullopt);
  EXPECT_EQ(counts.in(first), 2);
  EXPECT_EQ(counts.in(first + hours{1}), 0);
  EXPECT_EQ(counts.in(first + hours{2}), 1);
  counts.add(first + hours{24});
  EXPECT_EQ(counts.in(first + hours{24}), 1);
  EXPECT_EQ(counts.in(first + hours{25}), 0);
}

TEST(status_page, what_is_paused_waits_for_nobody) {
  status_row row;
  row.id = credential_id{7};
  row.state = "paused";
  row.who_must_act = "operator";
  row.last_error_hint = "flanks-sync credentials resume 7";
  EXPECT_EQ(whose_turn(who_must_act_on(row)), "nobody");
  EXPECT_EQ(what_is_wrong(row).text,
            "<p class=\"what\">An operator has paused it. To resume it: <code>flanks-sync "
            "credentials resume 7</code></p>");
  row.problem = true;
  EXPECT_EQ(whose_turn(who_must_act_on(row)), "an operator");
}

TEST(status_page, times_are_read_back) {
  EXPECT_EQ(instant_from("1970-01-02T00:00:05Z"), instant{hours{24} + seconds{5}});
  for (const char* odd : {"", "1970-01-02", "1970-13-02T00:00:05Z", "xxxx-01-02T00:00:05Z"})
    EXPECT_EQ(instant_from(odd), std::nullopt) << odd;
}

}  // namespace
}  // namespace flanks::web
