// What the daemon tells operators: one event a line, a sentence with named fields. Handed in, never
// global.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/settings.hpp"
#include "daemon/event.hpp"

namespace flanks {

// A named value of an event; one without text is left out. Names are those of the SQL columns where
// one exists, and literals: they outlive the event.
struct log_field {
  log_field(std::string_view field_name, std::string_view text) : name(field_name), value(text) {}
  log_field(std::string_view field_name, const char* text) : name(field_name), value(text) {}
  log_field(std::string_view field_name, std::int64_t number)
      : name(field_name), value(std::to_string(number)), is_number(true) {}
  log_field(std::string_view field_name, int number)
      : log_field(field_name, std::int64_t{number}) {}

  std::string_view name;
  std::string value;
  bool is_number = false;
};
using log_fields = std::initializer_list<log_field>;

// The status of an answer; no text when there was none.
[[nodiscard]] log_field http_status_field(int status);

// Line breaks and what else steers a terminal (sync/text.hpp) are escaped in values: what a
// provider sends cannot forge a line.
class log {
 public:
  virtual ~log() = default;
  virtual void write(config::log_level level, const log_message& what, log_fields fields) = 0;
  virtual void set_level(config::log_level level) = 0;
  // Events that nobody will read, because those before them were not taken in time.
  [[nodiscard]] virtual std::int64_t dropped() const { return 0; }

  void debug(const log_message& m, log_fields f = {}) { write(config::log_level::debug, m, f); }
  void info(const log_message& m, log_fields f = {}) { write(config::log_level::info, m, f); }
  void warn(const log_message& m, log_fields f = {}) { write(config::log_level::warn, m, f); }
  void error(const log_message& m, log_fields f = {}) { write(config::log_level::error, m, f); }
};

// Writes to standard error (text, json) or to the journal with native fields, on a thread of its
// own: write() never waits. Events that are not taken fast enough are dropped, counted, and told as
// event::lines_dropped where they are missing. The destructor waits two seconds at most for what is
// left.
[[nodiscard]] std::unique_ptr<log> make_log(config::log_level level, config::log_format format);

}  // namespace flanks
