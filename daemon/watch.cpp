#include "daemon/watch.hpp"

#include <fmt/format.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "daemon/terminal.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

namespace chr = std::chrono;

// The other screen, no cursor, lines that are cut where the screen ends; and back (xterm's
// ctlseqs).
constexpr std::string_view enter_screen = "\033[?1049h\033[?25l\033[?7l";
constexpr std::string_view leave_screen = "\033[?7h\033[?25h\033[?1049l";

void write_now(std::string_view text) {
  const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
  (void)written;  // a terminal that is gone needs no tidying
}

// Signal handlers: only what is async-signal-safe (signal-safety(7)).
extern "C" {
static void end_watching(int signal) {
  write_now(leave_screen);
  ::_exit(static_cast<int>(signal == SIGINT ? exit_code::done : exit_code::terminated));
}
static void suspend_watching(int) {
  write_now(leave_screen);
  ::kill(::getpid(), SIGSTOP);
  write_now(enter_screen);
}
static void look_again(int) {}
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(signal, &action, nullptr);
}

// What `draw` wrote.
std::string drawn(const std::function<void(std::FILE*)>& draw) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* const out = ::open_memstream(&text, &size);
  if (out == nullptr) throw std::bad_alloc();
  std::exception_ptr error;
  try {
    draw(out);
  } catch (...) {
    error = std::current_exception();
  }
  std::fclose(out);
  std::string view(text, size);
  std::free(text);
  if (error) std::rethrow_exception(error);
  return view;
}

std::string_view first_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

void show(const std::string& title, std::string_view view) {
  const int lines = terminal::height(stdout);
  std::string screen = "\033[H" + title + "\033[K\n";
  int used = 1;
  while (!view.empty() && used < lines - 1) {
    screen += fmt::format("{}\033[K\n", first_line(view));
    ++used;
  }
  std::int64_t left = 0;
  for (; !view.empty(); ++left)
    first_line(view);
  if (left > 0)
    screen += fmt::format("... {} below: make the screen higher, or ask for less",
                          counted(left, "more line"));
  screen += "\033[K\033[J";
  write_now(screen);
}

std::string title_of(chr::seconds period) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  std::array<char, 64> text{};
  const std::size_t length =
      std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S %Z", &parts);
  return fmt::format("every {} s, read at {}; Ctrl-C ends it", period.count(),
                     std::string_view(text.data(), length));
}

// Until then, or until a signal comes.
void rest_until(chr::steady_clock::time_point then) {
  const chr::nanoseconds rest = then - chr::steady_clock::now();
  if (rest.count() <= 0) return;
  const chr::seconds whole = chr::floor<chr::seconds>(rest);
  const timespec pause{whole.count(), static_cast<long>((rest - whole).count())};
  ::nanosleep(&pause, nullptr);
}

}  // namespace

void watch(chr::seconds period, const std::function<void(std::FILE*)>& draw) {
  std::string view = drawn(draw);  // what does not work at all is an ordinary error
  std::string title = title_of(period);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    handle(signal, end_watching);
  handle(SIGTSTP, suspend_watching);
  handle(SIGWINCH, look_again);
  write_now(enter_screen);
  for (auto next = chr::steady_clock::now() + period;;) {
    show(title, view);
    rest_until(next);
    if (chr::steady_clock::now() < next) continue;  // resized, or continued
    try {
      view = drawn(draw);
      title = title_of(period);
    } catch (const std::exception& e) {
      title = fmt::format("cannot be read now, what follows is older: {}",
                          terminal::printable(e.what()));
    }
    next = chr::steady_clock::now() + period;
  }
}

}  // namespace flanks
