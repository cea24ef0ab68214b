// Events while nobody takes them: whoever logs never waits, and learns what was lost.
#include "daemon/log_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace flanks {
namespace {

using std::chrono::steady_clock;
using ::testing::ElementsAre;

// What a reader has got, and whether it reads.
struct reader {
  std::mutex mutex;
  std::condition_variable changed;
  bool reads = false, is_there = true;
  std::vector<std::string> got;

  void go_on() {
    const std::lock_guard lock(mutex);
    reads = true;
    changed.notify_all();
  }
};

class reader_sink final : public log_sink {
 public:
  explicit reader_sink(std::shared_ptr<reader> to) : to_(std::move(to)) {}
  bool write(const log_entry& entry, const std::atomic<bool>& given_up) override {
    std::unique_lock lock(to_->mutex);
    while (!to_->reads && !given_up)
      to_->changed.wait_for(lock, std::chrono::milliseconds{20});
    if (!to_->reads || !to_->is_there) return false;
    std::string line = entry.message;
    for (const log_field& f : entry.fields)
      line.append(" ").append(f.name).append("=").append(f.value);
    to_->got.push_back(line);
    return true;
  }

 private:
  std::shared_ptr<reader> to_;
};

log_entry line(std::size_t number) {
  log_entry entry;
  entry.message = std::to_string(number);
  return entry;
}

TEST(log_queue, what_was_logged_is_written_in_order_before_it_ends) {
  const auto to = std::make_shared<reader>();
  to->reads = true;
  {
    log_queue queue(std::make_unique<reader_sink>(to));
    for (std::size_t i = 1; i <= 3; ++i)
      queue.push(line(i));
  }
  EXPECT_THAT(to->got, ElementsAre("1", "2", "3"));
}

TEST(log_queue, a_reader_that_stands_still_costs_lines_and_no_time_and_is_told_how_many) {
  const auto to = std::make_shared<reader>();
  constexpr std::size_t places = log_queue::most_entries;
  std::size_t held = 0;
  {
    log_queue queue(std::make_unique<reader_sink>(to));
    const auto begin = steady_clock::now();
    for (std::size_t i = 1; i <= 3 * places; ++i)
      queue.push(line(i));
    EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds{1});
    // One more may be in the hands of the sink.
    held = 3 * places - static_cast<std::size_t>(queue.dropped());
    EXPECT_GE(held, places);
    EXPECT_LE(held, places + 1);
    to->go_on();
  }
  ASSERT_EQ(to->got.size(), held + 1);
  EXPECT_EQ(to->got[held - 1], std::to_string(held)) << "what had a place comes in order";
  EXPECT_EQ(to->got[held], std::string(info_of(event::lines_dropped).message) +
                               " lines=" + std::to_string(3 * places - held))
      << "though nothing is logged after it";
}

TEST(log_queue, what_comes_later_comes_after_the_word_of_what_was_lost) {
  const auto to = std::make_shared<reader>();
  {
    log_queue queue(std::make_unique<reader_sink>(to));
    for (std::size_t i = 1; i <= log_queue::most_entries + 100; ++i)
      queue.push(line(i));
    to->go_on();
    const auto until = steady_clock::now() + std::chrono::seconds{10};
    for (bool told = false; !told && steady_clock::now() < until;) {
      std::this_thread::yield();
      const std::lock_guard lock(to->mutex);
      told = to->got.size() > log_queue::most_entries;
    }
    queue.push(line(0));
  }
  ASSERT_GT(to->got.size(), 2U);
  EXPECT_EQ(to->got.back(), "0");
  EXPECT_THAT(to->got[to->got.size() - 2], ::testing::HasSubstr(" lines="));
}

TEST(log_queue, its_end_waits_two_seconds_for_a_reader_that_stands_still) {
  const auto to = std::make_shared<reader>();
  const auto begin = steady_clock::now();
  {
    log_queue queue(std::make_unique<reader_sink>(to));
    queue.push(line(1));
  }
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds{4});
  EXPECT_GE(steady_clock::now() - begin, std::chrono::seconds{2});
}

TEST(log_queue, what_the_reader_refuses_counts_as_dropped) {
  const auto to = std::make_shared<reader>();
  to->reads = true;
  to->is_there = false;
  log_queue queue(std::make_unique<reader_sink>(to));
  queue.push(line(1));
  const auto until = steady_clock::now() + std::chrono::seconds{10};
  while (queue.dropped() == 0 && steady_clock::now() < until)
    std::this_thread::yield();
  EXPECT_EQ(queue.dropped(), 1);
}

}  // namespace
}  // namespace flanks
