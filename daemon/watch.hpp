// A view that is drawn again and again on the terminal's other screen, until somebody ends it.
#pragma once

#include <chrono>
#include <cstdio>
#include <functional>

#include "daemon/exit_code.hpp"

namespace flanks {

// Calls `draw` now and every `period`, and shows what it wrote, as much as the screen has room for.
// The first time it may throw; later, what it throws is shown above the last view that there was.
// Shows it anew when the terminal is resized. Ctrl-C and SIGTERM end the process from anywhere, and
// leave the screen as it was before: with exit_code::done after Ctrl-C, which is how one leaves it.
// Standard output must be a terminal.
[[noreturn]] void watch(std::chrono::seconds period, const std::function<void(std::FILE*)>& draw);

}  // namespace flanks
