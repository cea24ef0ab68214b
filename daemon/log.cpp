#include "daemon/log.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "daemon/terminal.hpp"

namespace flanks {

namespace {

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

std::string text_line(std::string_view message, log_fields fields) {
  std::string line = terminal::printable(message);
  for (const log_field& f : fields) {
    if (!f.value.empty()) line += fmt::format(" {}={}", f.name, bare_or_quoted(f.value));
  }
  return line;
}

std::string json_line(log_level level, std::string_view message, log_fields fields) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  std::string line = fmt::format(R"({{"time":"{}.{:03}Z","level":"{}","message":{})",
                                 to_string(instant{seconds}).substr(0, 19), (now - seconds).count(),
                                 config::to_string(level), json_quoted(message));
  for (const log_field& f : fields) {
    if (f.value.empty()) continue;
    line += fmt::format(",{}:{}", json_quoted(f.name), f.is_number ? f.value : json_quoted(f.value));
  }
  return line + "}";
}

class stream_log final : public log {
 public:
  stream_log(log_level level, bool json)
      : json_(json), logger_("flanks-sync", std::make_shared<spdlog::sinks::stderr_sink_st>()) {
    logger_.set_pattern(json ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ %-5l %v",
                        spdlog::pattern_time_type::utc);
    logger_.flush_on(spdlog::level::trace);
    stream_log::set_level(level);
  }

  void write(log_level level, std::string_view message, log_fields fields) override {
    if (!logger_.should_log(native(level))) return;
    logger_.log(native(level),
                json_ ? json_line(level, message, fields) : text_line(message, fields));
  }

  void set_level(log_level level) override { logger_.set_level(native(level)); }

 private:
  bool json_;
  spdlog::logger logger_;
};

// Native fields: `journalctl -u flanks-sync FLANKS_CREDENTIAL=12`.
class journal_log final : public log {
 public:
  explicit journal_log(log_level level) : level_(level) {}

  void write(log_level level, std::string_view message, log_fields fields) override {
    if (level < level_) return;
    std::vector<std::string> entries{"MESSAGE=" + text_line(message, fields),
                                     fmt::format("PRIORITY={}", priority(level)),
                                     "SYSLOG_IDENTIFIER=flanks-sync"};
    for (const log_field& f : fields) {
      std::string name = fmt::format("FLANKS_{}", f.name);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      if (!f.value.empty()) entries.push_back(name + "=" + f.value);
    }
    std::vector<iovec> parts;
    for (std::string& e : entries)
      parts.push_back({e.data(), e.size()});
    sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
  }

  void set_level(log_level level) override { level_ = level; }

 private:
  static int priority(log_level level) {
    switch (level) {
      case log_level::error:
        return LOG_ERR;
      case log_level::warn:
        return LOG_WARNING;
      case log_level::info:
        return LOG_INFO;
      default:
        return LOG_DEBUG;
    }
  }

  log_level level_;
};

// systemd.exec(5): JOURNAL_STREAM names the device and inode of the stream that goes to the
// journal.
bool stderr_is_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat file {};
  if (stream == nullptr || fstat(STDERR_FILENO, &file) != 0) return false;
  return fmt::format("{}:{}", file.st_dev, file.st_ino) == stream;
}

}  // namespace

std::unique_ptr<log> make_log(log_level level, log_format format) {
  if (format == log_format::automatic) {
    format = stderr_is_journal() ? log_format::journal : log_format::text;
  }
  if (format == log_format::journal) return std::make_unique<journal_log>(level);
  return std::make_unique<stream_log>(level, format == log_format::json);
}

}  // namespace flanks
