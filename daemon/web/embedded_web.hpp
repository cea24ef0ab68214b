// The files of this folder that browsers get, put into the binary by CMake (embed_web.cmake).
#pragma once

#include <string_view>

namespace flanks::web {

struct embedded_file {
  std::string_view path;  // "/page.css"
  std::string_view type;
  std::string_view content;
};

// Null when there is none at `path`.
[[nodiscard]] const embedded_file* embedded_at(std::string_view path);

}  // namespace flanks::web
