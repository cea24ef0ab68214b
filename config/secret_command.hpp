// A secret that a command prints, for credentials that live a few minutes: run without a shell,
// each time that the secret is needed. Blocks.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sync/failure.hpp"
#include "sync/secret.hpp"

namespace flanks::config {

inline constexpr std::chrono::seconds secret_command_timeout{10};

// Runs `argv` (argv[0] is a path) and takes the one line that it prints to standard output; what it
// says on standard error goes to ours. Throws `failure` (stage `at`, verdict later, error class
// secret_command) when it cannot be run, does not end in time (it is killed then), ends
// with another code than 0, or prints anything but one line of at most 64 KiB. No message holds
// what it printed. `key` names the setting: "database.password_command".
[[nodiscard]] secret run_secret_command(const std::string& key,
                                        const std::vector<std::string>& argv, stage at,
                                        std::chrono::milliseconds timeout = secret_command_timeout);

}  // namespace flanks::config
