// The lines of the log: what a provider sends cannot forge one, nor draw on the terminal that shows
// it.
#include "daemon/log.hpp"

#include <gtest/gtest.h>

namespace flanks {
namespace {

using config::log_format;
using config::log_level;

// What an event becomes, without the time in front.
std::string written(log_format format, const log_message& message, log_fields fields) {
  ::testing::internal::CaptureStderr();
  make_log(log_level::info, format)->write(log_level::warn, message, fields);
  const std::string line = ::testing::internal::GetCapturedStderr();
  return line.substr(line.find(format == log_format::json ? "\"level\"" : "warn"));
}

TEST(log, a_text_line_is_one_line_that_steers_no_terminal) {
  EXPECT_EQ(written(log_format::text, "cannot\n\033[31m\u009B\u202Eread\xF1",
                    {{"bank", "a\nb\u009B\x7F\xF1"}, {"user", "Peñalara"}, {"x", "\u202Ey"}}),
            "warning cannot  [31m  read\uFFFD bank=\"a\\nb\\u009b\\u007f\\ufffd\" user=Peñalara "
            "x=\"\\u202ey\"\n");
}

TEST(log, a_json_line_holds_the_same_text_in_ascii_where_it_would_steer) {
  EXPECT_EQ(written(log_format::json, "a\u009B", {{"bank", "\033\u2066\xF1ñ"}, {"n", 2}}),
            "\"level\":\"warn\",\"message\":\"a\\u009b\",\"bank\":\"\\u001b\\u2066\\ufffdñ\","
            "\"n\":2}\n");
}

TEST(log, a_json_line_says_which_kind_of_event_it_is) {
  EXPECT_EQ(written(log_format::json, event::run_failed,
                    {http_status_field(0), {"trace_id", ""}, {"credential_id", 7}}),
            "\"level\":\"warn\",\"message\":\"run failed\","
            "\"message_id\":\"e69c82b65a984e5299485f1fae4d5f54\",\"credential_id\":7}\n");
  EXPECT_EQ(written(log_format::text, event::run_failed, {http_status_field(503)}),
            "warning run failed http_status=503\n");
}

}  // namespace
}  // namespace flanks
