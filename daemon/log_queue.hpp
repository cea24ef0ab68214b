// Events on their way from the event loop to whoever writes them, on a thread of its own: a reader
// that stands still stops nobody but that thread. It knows neither formats nor where they go.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/log.hpp"

namespace flanks {

struct log_entry {
  std::chrono::system_clock::time_point at;
  config::log_level level = config::log_level::info;
  std::string message;
  std::string_view id;  // MESSAGE_ID; empty: none
  std::vector<log_field> fields;
};

// Where entries go. Used by one thread. Must not throw.
class log_sink {
 public:
  virtual ~log_sink() = default;
  // May wait for as long as it takes, unless `given_up`. False when nobody will read the entry.
  virtual bool write(const log_entry& entry, const std::atomic<bool>& given_up) = 0;
};

class log_queue {
 public:
  // Entries that wait at most; with that, the memory that they take.
  static constexpr std::size_t most_entries = 1024;

  explicit log_queue(std::unique_ptr<log_sink> to);
  // Gives what waits two seconds to be written. A thread that still hangs in its sink then is left
  // to the end of the process.
  ~log_queue();
  log_queue(const log_queue&) = delete;
  log_queue& operator=(const log_queue&) = delete;

  // Never waits for the sink: an entry that has no place is dropped and counted.
  void push(log_entry entry);
  [[nodiscard]] std::int64_t dropped() const;

 private:
  struct state;
  static void work(const std::shared_ptr<state>& shared);

  std::shared_ptr<state> state_;
};

}  // namespace flanks
