#include "config/load.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "config/yaml_walker.hpp"
#include "sync/text.hpp"

namespace flanks::config {

namespace {

constexpr std::size_t file_limit = 1 << 20;

// The whole file; throws std::system_error.
std::string read_file(const std::filesystem::path& file) {
  const auto fail = [](int error) { throw std::system_error(error, std::generic_category()); };
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(errno);
  std::string text;
  char chunk[16 * 1024];
  ssize_t got = 0;
  while (text.size() <= file_limit && (got = ::read(fd, chunk, sizeof chunk)) > 0) {
    text.append(chunk, static_cast<std::size_t>(got));
  }
  const int error = got < 0 ? errno : text.size() > file_limit ? EFBIG : 0;
  ::close(fd);
  if (error != 0) fail(error);
  return text;
}

}  // namespace

environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string{name}.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>{value};
  };
}

std::string to_string(const mistake& m) {
  std::string text = m.file;
  if (m.at.line != 0) text += fmt::format(":{}:{}", m.at.line, m.at.column);
  if (!m.key.empty()) text += ": " + m.key;
  text += ": " + m.what;
  if (!m.hint.empty()) text += "\n  hint: " + m.hint;
  return text;
}

loaded load(const std::filesystem::path& file, const environment& lookup) {
  try {
    return load_text(read_file(file), file, lookup);
  } catch (const std::system_error& e) {
    loaded out;
    out.file = file;
    out.mistakes.push_back({file.string(),
                            {},
                            "",
                            "cannot be read: " + e.code().message(),
                            "name another file with --config; `flanks-sync config example` prints "
                            "one to start from"});
    return out;
  }
}

loaded load_text(std::string_view text, const std::filesystem::path& file,
                 const environment& lookup) {
  loaded out;
  out.file = file;
  for (const text_flaw& f : text_flaws(text))
    out.mistakes.push_back(
        {file.string(), {f.at.line, f.at.column}, "", f.what, "save it as UTF-8"});
  if (!out.mistakes.empty()) return out;
  auto read = read_yaml(text);
  if (const auto* root = std::get_if<yaml_node>(&read)) {
    walk(*root, lookup, out);
    return out;
  }
  for (const yaml_problem& p : std::get<std::vector<yaml_problem>>(read)) {
    out.mistakes.push_back({file.string(), p.at, "", p.what, p.hint});
  }
  return out;
}

}  // namespace flanks::config
