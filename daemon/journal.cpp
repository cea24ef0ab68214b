#include "daemon/journal.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace flanks {

namespace {

int priority_of(config::log_level level) {
  switch (level) {
    case config::log_level::error:
      return LOG_ERR;
    case config::log_level::warn:
      return LOG_WARNING;
    case config::log_level::info:
      return LOG_INFO;
    default:
      return LOG_DEBUG;
  }
}

std::string field_of(const log_field& f) {
  std::string name = fmt::format("FLANKS_{}", f.name);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name + "=" + f.value;
}

class journal_sink final : public log_sink {
 public:
  explicit journal_sink(std::string (*line)(const log_entry&)) : line_(line) {}

  // Waits while journald does not take it; without a journald it is lost at once.
  bool write(const log_entry& entry, const std::atomic<bool>&) override {
    std::vector<std::string> fields{"MESSAGE=" + line_(entry),
                                    fmt::format("PRIORITY={}", priority_of(entry.level)),
                                    "SYSLOG_IDENTIFIER=flanks-sync"};
    if (!entry.id.empty()) fields.push_back(fmt::format("MESSAGE_ID={}", entry.id));
    for (const log_field& f : entry.fields) {
      if (!f.value.empty()) fields.push_back(field_of(f));
    }
    std::vector<iovec> parts;
    for (std::string& f : fields)
      parts.push_back({f.data(), f.size()});
    return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) >= 0;
  }

 private:
  std::string (*line_)(const log_entry&);
};

}  // namespace

// systemd.exec(5): JOURNAL_STREAM names the device and inode of the stream that goes to the
// journal.
bool stderr_is_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat file {};
  if (stream == nullptr || fstat(STDERR_FILENO, &file) != 0) return false;
  return fmt::format("{}:{}", file.st_dev, file.st_ino) == stream;
}

std::unique_ptr<log_sink> make_journal_sink(std::string (*line)(const log_entry&)) {
  return std::make_unique<journal_sink>(line);
}

}  // namespace flanks
