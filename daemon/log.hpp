// What the daemon tells operators: one event a line, a sentence with named fields. Handed in, never
// global.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "config/settings.hpp"

namespace flanks {

// A named value of an event. Names are those of the SQL columns where one exists.
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

// Writes to standard error (text, json) or to the journal with native fields. Line breaks and what
// else steers a terminal (sync/text.hpp) are escaped in values: what a provider sends cannot forge
// a line.
class log {
 public:
  virtual ~log() = default;
  virtual void write(config::log_level level, std::string_view message, log_fields fields) = 0;
  virtual void set_level(config::log_level level) = 0;

  void debug(std::string_view m, log_fields f = {}) { write(config::log_level::debug, m, f); }
  void info(std::string_view m, log_fields f = {}) { write(config::log_level::info, m, f); }
  void warn(std::string_view m, log_fields f = {}) { write(config::log_level::warn, m, f); }
  void error(std::string_view m, log_fields f = {}) { write(config::log_level::error, m, f); }
};

[[nodiscard]] std::unique_ptr<log> make_log(config::log_level level, config::log_format format);

}  // namespace flanks
