// Every command, one file each. Each takes what was asked and gives the exit code; what it cannot
// do it throws as refusal or failure, and main() says so.
#pragma once

#include "daemon/app.hpp"

namespace flanks {

[[nodiscard]] exit_code command_run(const invocation& asked);
[[nodiscard]] exit_code command_backfill(const invocation& asked);
[[nodiscard]] exit_code command_sync(const invocation& asked);
[[nodiscard]] exit_code command_status(const invocation& asked);
[[nodiscard]] exit_code command_verify(const invocation& asked);
[[nodiscard]] exit_code command_credentials(const invocation& asked);
// credentials discover, credentials remove --upstream, link exchange, link sessions.
[[nodiscard]] exit_code command_arrivals(const invocation& asked);
[[nodiscard]] exit_code command_erase(const invocation& asked);
[[nodiscard]] exit_code command_prune(const invocation& asked);
[[nodiscard]] exit_code command_removals(const invocation& asked);
[[nodiscard]] exit_code command_successions(const invocation& asked);
[[nodiscard]] exit_code command_migrate(const invocation& asked);
[[nodiscard]] exit_code command_doctor(const invocation& asked);
[[nodiscard]] exit_code command_config(const invocation& asked);
[[nodiscard]] exit_code command_support(const invocation& asked);

// Says on standard error how many credentials were left out because they are paused.
void tell_left_out(std::int64_t paused);

}  // namespace flanks
