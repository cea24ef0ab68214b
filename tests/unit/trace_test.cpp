// The ids of W3C Trace Context: their form, and that no two are alike.
#include "sync/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace flanks {
namespace {

using ::testing::ContainsRegex;

TEST(trace, the_header_is_a_version_the_trace_an_id_and_a_flag) {
  const trace_id trace = new_trace();
  EXPECT_THAT(trace.value, ContainsRegex("^[0-9a-f]{32}$"));
  EXPECT_THAT(traceparent(trace), ContainsRegex("^00-" + trace.value + "-[0-9a-f]{16}-01$"));
}

TEST(trace, every_trace_and_every_request_has_an_id_of_its_own) {
  std::set<std::string> traces, requests;
  const trace_id one = new_trace();
  for (int i = 0; i < 1000; ++i) {
    traces.insert(new_trace().value);
    requests.insert(traceparent(one));
  }
  EXPECT_EQ(traces.size(), 1000U);
  EXPECT_EQ(requests.size(), 1000U);
}

}  // namespace
}  // namespace flanks
