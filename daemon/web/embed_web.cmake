# Writes OUTPUT, a .cpp that holds the .css, .js and .svg of SOURCE. Runs at build time: cmake -DOUTPUT=... -DSOURCE=... -P this.
set(type_of_css "text/css; charset=utf-8")
set(type_of_js "text/javascript; charset=utf-8")
set(type_of_svg "image/svg+xml")
file(GLOB files "${SOURCE}/*.css" "${SOURCE}/*.js" "${SOURCE}/*.svg")
list(SORT files)
set(arrays "")
set(entries "")
set(count 0)
foreach(file ${files})
  get_filename_component(name "${file}" NAME)
  get_filename_component(ending "${file}" LAST_EXT)
  string(SUBSTRING "${ending}" 1 -1 ending)
  # Bytes, not a string literal: nothing in a file can end it.
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(APPEND arrays "constexpr unsigned char file_${count}[] = {${bytes}};\n")
  string(APPEND entries "      {\"/${name}\", \"${type_of_${ending}}\", view(file_${count})},\n")
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE "${OUTPUT}.new" "// Made from daemon/web/ by daemon/web/embed_web.cmake.
#include \"daemon/web/embedded_web.hpp\"

#include <cstddef>

namespace flanks::web {
namespace {
${arrays}
template <std::size_t N>
std::string_view view(const unsigned char (&bytes)[N]) {
  return {reinterpret_cast<const char*>(bytes), N};
}
}  // namespace

const embedded_file* embedded_at(std::string_view path) {
  static const embedded_file all[] = {
${entries}  };
  for (const embedded_file& f : all)
    if (f.path == path) return &f;
  return nullptr;
}

}  // namespace flanks::web
")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
