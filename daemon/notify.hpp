// What the service manager is told (sd_notify(3)). Does nothing when the process was not started by
// systemd.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace flanks::notify {

void ready();
// One line for `systemctl status`.
void status(std::string_view line);
// systemd 252 has no Type=notify-reload: RELOADING=1 with the monotonic time, then ready().
void reloading();
void stopping();
void watchdog();
// How often the watchdog wants to be fed; nothing when it is off. Half of WatchdogSec.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace flanks::notify
