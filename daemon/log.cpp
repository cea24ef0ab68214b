#include "daemon/log.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>

#include "daemon/journal.hpp"
#include "daemon/log_queue.hpp"
#include "daemon/terminal.hpp"

namespace flanks {

namespace {

namespace chr = std::chrono;
using config::log_format;
using config::log_level;

spdlog::level::level_enum native(log_level level) {
  switch (level) {
    case log_level::trace:
      return spdlog::level::trace;
    case log_level::debug:
      return spdlog::level::debug;
    case log_level::info:
      return spdlog::level::info;
    case log_level::warn:
      return spdlog::level::warn;
    case log_level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string json_quoted(std::string_view text) {
  return terminal::printable_json(boost::json::serialize(boost::json::string(text)));
}

// A value as key=value needs it: bare when it is one plain word, else quoted and escaped.
std::string bare_or_quoted(std::string_view text) {
  const bool plain = !text.empty() && text.find_first_of(" \"=") == std::string_view::npos &&
                     terminal::printable(text) == text;
  return plain ? std::string(text) : json_quoted(text);
}

std::string text_line(const log_entry& entry) {
  std::string line = terminal::printable(entry.message);
  for (const log_field& f : entry.fields) {
    if (!f.value.empty()) line += fmt::format(" {}={}", f.name, bare_or_quoted(f.value));
  }
  return line;
}

std::string json_line(const log_entry& entry) {
  const auto at = chr::floor<chr::milliseconds>(entry.at);
  const auto seconds = chr::floor<chr::seconds>(at);
  std::string line = fmt::format(R"({{"time":"{}.{:03}Z","level":"{}","message":{})",
                                 to_string(instant{seconds}).substr(0, 19), (at - seconds).count(),
                                 config::to_string(entry.level), json_quoted(entry.message));
  if (!entry.id.empty()) line += fmt::format(R"(,"message_id":"{}")", entry.id);
  for (const log_field& f : entry.fields) {
    if (f.value.empty()) continue;
    line +=
        fmt::format(",{}:{}", json_quoted(f.name), f.is_number ? f.value : json_quoted(f.value));
  }
  return line + "}\n";
}

// Standard error is other people's too, so it stays as it is: it is waited for before each piece.
class stream_sink final : public log_sink {
 public:
  explicit stream_sink(bool json)
      : json_(json),
        colour_(terminal::has_colour(stderr)),
        formatter_("%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %v", spdlog::pattern_time_type::utc) {}

  bool write(const log_entry& entry, const std::atomic<bool>& given_up) override {
    const std::string line = json_ ? json_line(entry) : formatted(entry);
    std::string_view left = line;
    while (!left.empty() && !given_up) {
      pollfd ready{STDERR_FILENO, POLLOUT, 0};
      const int found = ::poll(&ready, 1, look_again_ms);
      if (found == 0 || (found < 0 && errno == EINTR)) continue;
      // A pipe that is ready takes as much at once (pipe(7)): so others cannot come in between.
      const ssize_t taken =
          ::write(STDERR_FILENO, left.data(), std::min(left.size(), most_at_once));
      if (taken < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (taken < 0) return false;
      left.remove_prefix(static_cast<std::size_t>(taken));
    }
    return left.empty();
  }

 private:
  static constexpr int look_again_ms = 100;
  static constexpr std::size_t most_at_once = 4096;  // PIPE_BUF

  std::string formatted(const log_entry& entry) {
    const std::string text = text_line(entry);
    spdlog::details::log_msg line("flanks-sync", native(entry.level), text);
    line.time = entry.at;
    spdlog::memory_buf_t buffer;
    formatter_.format(line, buffer);
    std::string out(buffer.data(), buffer.size());
    if (colour_) {
      out.insert(line.color_range_end, "\033[0m");
      out.insert(line.color_range_start, colour_of(entry.level));
    }
    return out;
  }

  static const char* colour_of(log_level level) {
    switch (level) {
      case log_level::error:
        return "\033[31m";
      case log_level::warn:
        return "\033[33m";
      case log_level::info:
        return "\033[32m";
      default:
        return "\033[2m";
    }
  }

  bool json_;
  bool colour_;
  spdlog::pattern_formatter formatter_;
};

class queued_log final : public log {
 public:
  queued_log(log_level level, std::unique_ptr<log_sink> to)
      : level_(level), queue_(std::move(to)) {}

  void write(log_level level, const log_message& what, log_fields fields) override {
    if (level < level_) return;
    queue_.push({chr::system_clock::now(), level, what.text(), what.id(), fields});
  }
  void set_level(log_level level) override { level_ = level; }
  [[nodiscard]] std::int64_t dropped() const override { return queue_.dropped(); }

 private:
  log_level level_;
  log_queue queue_;
};

}  // namespace

log_field http_status_field(int status) {
  if (status == 0) return {"http_status", ""};
  return {"http_status", status};
}

std::unique_ptr<log> make_log(log_level level, log_format format) {
  if (format == log_format::automatic) {
    format = stderr_is_journal() ? log_format::journal : log_format::text;
  }
  std::unique_ptr<log_sink> to;
  if (format == log_format::journal) {
    to = make_journal_sink(text_line);
  } else {
    to = std::make_unique<stream_sink>(format == log_format::json);
  }
  return std::make_unique<queued_log>(level, std::move(to));
}

}  // namespace flanks
