#include "daemon/log_queue.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace flanks {

namespace {

constexpr std::chrono::seconds last_patience{2};

log_entry note_of(std::int64_t lines) {
  const log_message what(event::lines_dropped);
  log_entry note;
  note.at = std::chrono::system_clock::now();
  note.level = config::log_level::warn;
  note.message = what.text();
  note.id = what.id();
  note.fields = {{"lines", lines}};
  return note;
}

}  // namespace

// Shared with a thread that may outlive the queue.
struct log_queue::state {
  explicit state(std::unique_ptr<log_sink> to) : sink(std::move(to)) {}

  // The next to write; none when the queue has ended.
  std::optional<log_entry> next() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !waiting.empty() || missing > 0 || ending; });
    if (given_up || (waiting.empty() && missing == 0)) return std::nullopt;
    if (waiting.empty()) return note_of(std::exchange(missing, 0));
    log_entry first = std::move(waiting.front());
    waiting.pop_front();
    return first;
  }

  std::unique_ptr<log_sink> sink;
  std::mutex mutex;
  std::condition_variable changed, ended;
  std::deque<log_entry> waiting;
  std::int64_t missing = 0;  // dropped, and not told yet
  std::int64_t dropped = 0;  // ever
  bool ending = false;
  bool has_ended = false;
  std::atomic<bool> given_up = false;
  std::thread worker;
};

log_queue::log_queue(std::unique_ptr<log_sink> to)
    : state_(std::make_shared<state>(std::move(to))) {
  state_->worker = std::thread([shared = state_] { work(shared); });
}

void log_queue::work(const std::shared_ptr<state>& shared) {
  state& my = *shared;
  while (const std::optional<log_entry> entry = my.next()) {
    const bool written = my.sink->write(*entry, my.given_up);
    if (written) continue;
    const std::lock_guard lock(my.mutex);
    ++my.dropped;
  }
  const std::lock_guard lock(my.mutex);
  my.has_ended = true;
  my.ended.notify_all();
}

log_queue::~log_queue() {
  state& my = *state_;
  std::unique_lock lock(my.mutex);
  my.ending = true;
  my.changed.notify_all();
  const bool done = my.ended.wait_for(lock, last_patience, [&] { return my.has_ended; });
  my.given_up = true;
  lock.unlock();
  if (done) {
    my.worker.join();
  } else {
    my.worker.detach();
  }
}

void log_queue::push(log_entry entry) {
  state& my = *state_;
  const std::lock_guard lock(my.mutex);
  // What was dropped is told before anything follows it. Only when half of the places are free: a
  // reader that is a little too slow would get little else to read.
  const std::size_t places = my.missing > 0 ? most_entries / 2 : most_entries;
  if (my.waiting.size() >= places) {
    ++my.missing;
    ++my.dropped;
    return;
  }
  if (my.missing > 0) my.waiting.push_back(note_of(std::exchange(my.missing, 0)));
  my.waiting.push_back(std::move(entry));
  my.changed.notify_one();
}

std::int64_t log_queue::dropped() const {
  const std::lock_guard lock(state_->mutex);
  return state_->dropped;
}

}  // namespace flanks
