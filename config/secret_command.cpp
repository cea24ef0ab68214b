#include "config/secret_command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <system_error>

#include "sync/text.hpp"

extern char** environ;

namespace flanks::config {

namespace {

namespace chr = std::chrono;
using clock = chr::steady_clock;

constexpr std::size_t output_limit = 64 * 1024;

// A process that is killed and waited for, whatever happens.
class child {
 public:
  explicit child(pid_t pid) : pid_(pid) {}
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  // The status of waitpid(2), once it has ended; nothing after `until`.
  std::optional<int> wait(clock::time_point until) {
    for (;;) {
      int status = 0;
      const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
      if (ended == pid_) {
        pid_ = 0;
        return status;
      }
      if (ended < 0 && errno != EINTR) return 0;
      if (clock::now() >= until) return std::nullopt;
      ::poll(nullptr, 0, 5);
    }
  }

 private:
  pid_t pid_;
};

class pipe_ends {
 public:
  pipe_ends() {
    if (::pipe2(ends_, O_CLOEXEC) != 0)
      throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
  }
  pipe_ends(const pipe_ends&) = delete;
  pipe_ends& operator=(const pipe_ends&) = delete;
  ~pipe_ends() {
    ::close(ends_[0]);
    close_writing();
  }
  void close_writing() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  [[nodiscard]] int reading() const { return ends_[0]; }
  [[nodiscard]] int writing() const { return ends_[1]; }

 private:
  int ends_[2] = {-1, -1};
};

class command {
 public:
  command(const std::string& key, const std::vector<std::string>& argv, stage at)
      : key_(key), argv_(argv), at_(at) {}

  secret run(chr::milliseconds timeout) {
    const auto until = clock::now() + timeout;
    pipe_ends output;
    child running(start(output));
    output.close_writing();
    std::string said = read(output, until);
    const std::optional<int> status = running.wait(until);
    if (!status) refuse(fmt::format("has not ended within {} ms", timeout.count()));
    if (WIFSIGNALED(*status)) refuse(fmt::format("was ended by signal {}", WTERMSIG(*status)));
    if (WEXITSTATUS(*status) != 0) refuse(fmt::format("ended with code {}", WEXITSTATUS(*status)));
    return line_of(std::move(said));
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw failure(at_, verdict::later, "secret_command",
                  fmt::format("{}: {} {}", key_, argv_.front(), what));
  }

  pid_t start(const pipe_ends& output) {
    std::vector<char*> words;
    for (const std::string& word : argv_)
      words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&files, output.writing(), STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    // We ignore SIGPIPE; a command expects to die of it.
    sigset_t usual;
    sigemptyset(&usual);
    posix_spawnattr_setsigmask(&attributes, &usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t pid = 0;
    const int error =
        ::posix_spawn(&pid, argv_.front().c_str(), &files, &attributes, words.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (error != 0)
      refuse(fmt::format("cannot be run: {}", std::generic_category().message(error)));
    return pid;
  }

  std::string read(const pipe_ends& output, clock::time_point until) {
    std::string said(output_limit + 1, '\0');
    std::size_t size = 0;
    while (size < said.size()) {
      const auto left = chr::ceil<chr::milliseconds>(until - clock::now()).count();
      pollfd wait{output.reading(), POLLIN, 0};
      if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) <= 0) {
        if (clock::now() >= until) break;
        continue;
      }
      const ssize_t got = ::read(output.reading(), said.data() + size, said.size() - size);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      size += static_cast<std::size_t>(got);
    }
    said.resize(size);
    return said;
  }

  secret line_of(std::string said) const {
    if (said.size() > output_limit) refuse("printed more than 64 KiB");
    if (said.ends_with('\n')) said.pop_back();
    if (said.ends_with('\r')) said.pop_back();
    if (said.empty()) refuse("printed nothing");
    if (said.find_first_of("\n\r") != std::string::npos) refuse("printed more than one line");
    if (!secret_objection(said).empty() || first_not_utf8(said))
      refuse("printed what is no plain text in UTF-8");
    return secret{std::move(said)};
  }

  const std::string& key_;
  const std::vector<std::string>& argv_;
  stage at_;
};

}  // namespace

secret run_secret_command(const std::string& key, const std::vector<std::string>& argv, stage at,
                          chr::milliseconds timeout) {
  return command(key, argv, at).run(timeout);
}

}  // namespace flanks::config
