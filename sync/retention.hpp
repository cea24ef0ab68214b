// How long is kept what the mirror itself does not need. Plain values.
#pragma once

#include <chrono>

namespace flanks {

struct retention_ages {
  static constexpr std::chrono::seconds never{0};  // it is kept for good

  std::chrono::seconds run_logs{std::chrono::days{90}};
  std::chrono::seconds resolved_quarantine{std::chrono::days{90}};
  std::chrono::seconds credential_states{std::chrono::days{730}};
  std::chrono::seconds revisions = never;
  std::chrono::seconds removed_rows = never;
};

}  // namespace flanks
