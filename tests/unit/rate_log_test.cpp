// The lines and numbers that operators get of pauses and waits.
#include "daemon/rate_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace {

using namespace flanks;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// Each event as "level: message name=value ...".
class kept_log final : public flanks::log {
 public:
  void write(config::log_level level, const log_message& what, log_fields fields) override {
    std::string line = level == config::log_level::warn ? "warn: " : "info: ";
    line += what.text();
    for (const log_field& f : fields)
      if (!f.value.empty()) line.append(" ").append(f.name).append("=").append(f.value);
    lines.push_back(std::move(line));
  }
  void set_level(config::log_level) override {}
  std::vector<std::string> lines;
};

TEST(rate_log, a_pause_is_one_line_when_it_begins_and_one_when_it_is_over) {
  kept_log events;
  metrics counted;
  rate_log told(events, counted);
  pause_notice notice;
  notice.left = milliseconds{29'500};
  notice.http_status = 429;
  notice.answer = "POST /v0/token at h answered 429";
  told.paused(notice, true);
  notice.left = seconds{60};
  told.paused(notice, false);
  ASSERT_TRUE(told.totals().paused_until);
  EXPECT_GT(*told.totals().paused_until, std::chrono::system_clock::now() + seconds{50})
      << "it has become longer";
  told.pause_over(seconds{61});
  EXPECT_FALSE(told.totals().paused_until);
  EXPECT_THAT(
      events.lines,
      ElementsAre(MatchesRegex("warn: the provider asks us to wait; no process sends before "
                               "until=20.*Z pause_seconds=30 http_status=429 asked=this process "
                               "error=POST /v0/token at h answered 429"),
                  "info: the provider's pause is over pause_seconds=61"));
  EXPECT_EQ(told.totals().pauses, 1);
}

TEST(rate_log, a_pause_that_another_process_was_told_names_it_and_is_not_counted_again) {
  kept_log events;
  metrics counted;
  rate_log told(events, counted);
  pause_notice notice;
  notice.left = seconds{5};
  notice.http_status = 503;
  notice.other = "host:7";
  told.paused(notice, true);
  ASSERT_EQ(events.lines.size(), 1U);
  EXPECT_THAT(events.lines[0], HasSubstr(" http_status=503 asked=host:7"));
  EXPECT_EQ(told.totals().pauses, 0);
}

TEST(rate_log, what_keeps_all_requests_waiting_is_said) {
  kept_log events;
  metrics counted;
  rate_log told(events, counted);
  failure f{stage::database, verdict::later, "database_unreachable", "cannot open it"};
  f.hint = "is it running?";
  told.unreachable(f);
  told.reachable();
  EXPECT_THAT(events.lines,
              ElementsAre("warn: the rate limit in the database cannot be asked; requests wait "
                          "error=cannot open it hint=is it running?",
                          "info: the rate limit in the database answers again"));
}

}  // namespace
