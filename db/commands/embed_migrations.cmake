# Writes OUTPUT, a .cpp that holds migrations/*.sql. Runs at build time: cmake -DOUTPUT=... -DSOURCE=... -P this.
file(GLOB files "${SOURCE}/*.sql")
list(SORT files)
set(entries "")
set(expected 1)
foreach(file ${files})
  get_filename_component(name "${file}" NAME)
  if(NOT name MATCHES "^([0-9][0-9][0-9][0-9])_[a-z0-9_]+\\.sql$")
    message(FATAL_ERROR "migrations/${name}: the name must be NNNN_what_it_does.sql")
  endif()
  math(EXPR version "10000 + ${CMAKE_MATCH_1} - 10000" OUTPUT_FORMAT DECIMAL)
  if(NOT version EQUAL expected)
    message(FATAL_ERROR "migrations/${name}: number ${expected} comes next")
  endif()
  math(EXPR expected "${expected} + 1")
  # Bytes, not a string literal: nothing in a file can end it, and no compiler's limit on literals applies.
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  set(arrays "${arrays}constexpr unsigned char file_${version}[] = {${bytes}};\n")
  set(entries "${entries}      {${version}, \"${name}\", view(file_${version})},\n")
endforeach()
file(WRITE "${OUTPUT}.new" "// Made from migrations/*.sql by db/embed_migrations.cmake.
#include \"db/commands/embedded_migrations.hpp\"

namespace flanks {
namespace {
${arrays}
template <std::size_t N>
std::string_view view(const unsigned char (&bytes)[N]) {
  return {reinterpret_cast<const char*>(bytes), N};
}
}  // namespace

std::span<const embedded_migration> embedded_migrations() {
  static const embedded_migration all[] = {
${entries}  };
  return all;
}

}  // namespace flanks
")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
