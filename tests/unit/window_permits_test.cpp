// So many windows are open and no more; the others wait in the order of asking.
#include "db/window_permits.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <vector>

namespace flanks {
namespace {

namespace asio = boost::asio;

TEST(window_permits, one_more_waits_until_one_has_ended_in_the_order_of_asking) {
  asio::io_context loop;
  const auto windows = std::make_shared<window_permits>(loop.get_executor(), 2);
  std::vector<std::pair<int, std::unique_ptr<window_permits::permit>>> open;
  const auto ask = [&](int who) -> asio::awaitable<void> {
    auto taking = windows->take();
    auto place = co_await std::move(taking);
    open.emplace_back(who, std::move(place));
  };
  for (int who = 1; who <= 4; ++who)
    asio::co_spawn(loop, ask(who), asio::detached);
  loop.poll();
  ASSERT_EQ(open.size(), 2U);
  open.erase(open.begin());
  loop.restart();
  loop.poll();
  ASSERT_EQ(open.size(), 2U);
  EXPECT_EQ(open[1].first, 3);
  open.clear();
  loop.restart();
  loop.poll();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0].first, 4);
}

}  // namespace
}  // namespace flanks
