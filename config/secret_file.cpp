#include "config/secret_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include "config/key_file.hpp"
#include "sync/failure.hpp"
#include "sync/text.hpp"

namespace flanks::config {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t size_limit = 64 * 1024;

[[noreturn]] void refuse(const std::string& what, std::string hint) {
  failure f{stage::configuration, verdict::stop, "secret_file", what};
  f.hint = std::move(hint);
  throw f;
}

std::string reason(int error) {
  return std::generic_category().message(error);
}

// An open file descriptor that closes itself.
class descriptor {
 public:
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

struct open_file {
  descriptor fd;
  fs::path path;
  bool is_credential;  // it lies in the credentials directory
};

// A path in a directory that exists, other than the root.
bool names_a_place(const fs::path& path) {
  std::error_code unknown;
  return path.has_parent_path() && path.parent_path() != path.root_path() &&
         fs::is_directory(path.parent_path(), unknown);
}

// Whether it can be repeated where others read it: a secret may have been typed where the name of
// its file belongs. A directory that exists speaks for a file, and so does a plain word like
// client_secret.
bool is_file_name(const std::string& name, const fs::path& path) {
  if (name.find('/') != std::string::npos) return names_a_place(path);
  if (name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_-.") != std::string::npos) return false;
  const auto holds = [&](const char* word) { return name.find(word) != std::string::npos; };
  return holds("secret") || holds("password") || holds("key") || holds("token");
}

// Opens one candidate; nullopt when there is no such file. Does not hang on a FIFO.
std::optional<descriptor> try_open(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd >= 0) return descriptor{fd};
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  const int error = errno;
  if (error == ENAMETOOLONG) return std::nullopt;
  refuse(
      fmt::format("cannot open {}: {}", path.string(), reason(error)),
      error == EACCES
          ? fmt::format("let the user that runs flanks-sync read it: chown it, and chmod 0400 {}",
                        path.string())
          : "");
}

// True for a path under `folder`, seen by name only.
bool lies_in(const fs::path& path, const fs::path& folder) {
  if (folder.empty()) return false;
  const fs::path inner = path.lexically_normal().lexically_relative(folder.lexically_normal());
  return !inner.empty() && *inner.begin() != ".." && *inner.begin() != ".";
}

// Only the descriptor is asked, so that nothing can change between the question and the reading.
void check_status(const open_file& file) {
  struct stat status {};
  if (::fstat(file.fd.get(), &status) != 0)
    refuse(fmt::format("cannot look at {}: {}", file.path.string(), reason(errno)), "");
  if (!S_ISREG(status.st_mode)) {
    refuse(fmt::format("{} is {}", file.path.string(),
                       S_ISDIR(status.st_mode) ? "a directory" : "not a regular file"),
           "name a file that holds the secret and nothing else");
  }
  const mode_t forbidden = file.is_credential ? 0037 : 0077;
  if ((status.st_mode & forbidden) != 0) {
    refuse(fmt::format("{} has mode {:04o}: others than its owner can reach it", file.path.string(),
                       static_cast<unsigned>(status.st_mode) & 07777U),
           fmt::format("chmod 0400 {}", file.path.string()));
  }
}

// The buffer has its full size from the start, so that no copy of the secret is left behind.
std::string read_all(const open_file& file) {
  std::string content(size_limit + 1, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t got = ::read(file.fd.get(), content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(fmt::format("cannot read {}: {}", file.path.string(), reason(errno)), "");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  content.resize(size);
  return content;
}

std::optional<secret> key_in(const open_file& file, const std::string& content) {
  if (file.is_credential && (content.empty() || content == "\n")) return std::nullopt;
  std::string key = key_bytes(content);
  if (key.empty()) {
    refuse(fmt::format("{} holds no key of 32 bytes, as base64, hexadecimal or raw bytes",
                       file.path.string()),
           fmt::format("openssl rand -base64 32 makes one for {}", file.path.string()));
  }
  return secret{std::move(key)};
}

// The secret in the file at `path`; nullopt when there is none. systemd leaves an empty credential
// for a file that is not there (our units give it a line break as SetCredential=): that is none.
std::optional<secret> take(const fs::path& path, const secret_places& where, secret_kind kind) {
  auto fd = try_open(path);
  if (!fd) return std::nullopt;
  const open_file file{std::move(*fd), path, lies_in(path, where.credentials)};
  check_status(file);
  std::string content = read_all(file);
  if (content.size() > size_limit) {
    refuse(fmt::format("{} is over 64 KiB", path.string()),
           "name a file that holds the secret and nothing else");
  }
  if (kind == secret_kind::key) return key_in(file, content);
  if (const std::string odd = secret_objection(content); !odd.empty())
    refuse(fmt::format("{} {}", path.string(), odd), "write it anew, as plain text without a mark");
  if (kind == secret_kind::utf8 && first_not_utf8(content))
    refuse(fmt::format("{} holds bytes that are not UTF-8", path.string()), "save it as UTF-8");
  if (content.ends_with('\n')) content.pop_back();
  if (content.ends_with('\r')) content.pop_back();
  if (content.empty() && file.is_credential) return std::nullopt;
  if (content.empty()) refuse(fmt::format("{} is empty", path.string()), "");
  if (content.find_first_of("\n\r") != std::string::npos) {
    refuse(fmt::format("{} holds more than one line", path.string()),
           "put the secret alone into it, on one line");
  }
  return secret{std::move(content)};
}

}  // namespace

bool may_be_repeated(const std::string& word) {
  constexpr std::size_t digits = 20;  // of the largest number of 64 bits
  const bool number = !word.empty() && word.size() <= digits &&
                      word.find_first_not_of("0123456789") == std::string::npos;
  std::error_code unknown;
  return number || names_a_place(word) || fs::exists(word, unknown);
}

secret read_secret_file(const std::string& name, const secret_places& where, secret_kind kind) {
  const fs::path given{name};
  const bool both = given.is_relative() && !where.credentials.empty();
  if (both) {
    if (auto found = take(where.credentials / given, where, kind)) return std::move(*found);
  }
  const fs::path path = given.is_relative() ? where.config / given : given;
  if (auto found = take(path, where, kind)) return std::move(*found);
  const std::string tried = fmt::format("it is neither in the credentials directory {} nor in {}",
                                        where.credentials.string(), where.config.string());
  const std::string why = both ? tried : reason(ENOENT);
  if (!is_file_name(name, path)) {
    refuse(fmt::format("cannot open the file that it names: {}; the name is not repeated here, it "
                       "may be the secret itself",
                       why),
           "write the secret alone into a file, chmod 0400 it, and give its absolute path here");
  }
  refuse(fmt::format("cannot open {}: {}", both ? name : path.string(), why),
         fmt::format("put the secret alone into it and chmod 0400 {}", path.string()));
}

fs::path ca_file(const loaded& configuration) {
  const fs::path given{configuration.values.flanks.ca_file};
  if (given.empty() || given.is_absolute()) return given;
  return configuration.file.parent_path() / given;
}

opened read_secrets(const loaded& configuration, const environment& lookup, secret_scope scope) {
  opened out;
  const fs::path folder = configuration.file.parent_path();
  const secret_places where{lookup("CREDENTIALS_DIRECTORY").value_or(""),
                            folder.empty() ? fs::path{"."} : folder};
  const auto note = [&](const std::string& key, const std::string& what, const std::string& hint) {
    const auto at = configuration.places.find(key);
    out.mistakes.push_back({configuration.file.string(),
                            at == configuration.places.end() ? place{1, 1} : at->second, key, what,
                            hint});
  };
  const auto read = [&](const std::string& key, const std::string& name, secret& into) {
    if (name.empty()) return;
    try {
      // What goes to the provider goes as JSON; a database's password may be any bytes.
      into = read_secret_file(name, where,
                              key.starts_with("flanks.")       ? secret_kind::utf8
                              : key.starts_with("encryption.") ? secret_kind::key
                                                               : secret_kind::any);
    } catch (const failure& f) {
      note(key, f.what(), f.hint);
    }
  };
  const settings& s = configuration.values;
  // Run when it is needed; whether it can be is seen now.
  const auto look = [&](const std::string& key, const std::vector<std::string>& argv) {
    if (argv.empty() || ::access(argv.front().c_str(), X_OK) == 0) return;
    note(key, fmt::format("cannot run {}: {}", argv.front(), reason(errno)),
         "name a program that the user that runs flanks-sync may execute");
  };
  if (scope == secret_scope::all) {
    read("flanks.client_secret_file", s.flanks.client_secret_file, out.values.client_secret);
    read("flanks.password_file", s.flanks.password_file, out.values.password);
    look("flanks.client_secret_command", s.flanks.client_secret_command);
    read("admin.password_file", s.admin.password_file, out.values.admin_password);
    const fs::path ca = ca_file(configuration);
    if (!ca.empty() && ::access(ca.c_str(), R_OK) != 0) {
      note("flanks.ca_file", fmt::format("cannot open {}: {}", ca.string(), reason(errno)),
           "name a PEM file with the certificates to trust, or remove the key to trust the "
           "system's");
    }
  }
  if (scope != secret_scope::database) {
    read("encryption.key_file", s.encryption.key_file, out.values.encryption_key);
    read("encryption.previous_key_file", s.encryption.previous_key_file, out.values.previous_key);
  }
  read("database.password_file", s.database.password_file, out.values.database_password);
  look("database.password_command", s.database.password_command);
  return out;
}

}  // namespace flanks::config
