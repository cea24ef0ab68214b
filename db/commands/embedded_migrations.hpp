// The files of migrations/, put into the binary by CMake (db/embed_migrations.cmake).
#pragma once

#include <span>
#include <string_view>

namespace flanks {

struct embedded_migration {
  int version;            // the number that the file's name begins with
  std::string_view name;  // "0001_credentials.sql"
  std::string_view sql;
};

// In the order of their versions, from 1, without gaps.
[[nodiscard]] std::span<const embedded_migration> embedded_migrations();

}  // namespace flanks
