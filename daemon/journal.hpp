// Events as entries of systemd's journal, with native fields: `journalctl -u flanks-sync
// FLANKS_CREDENTIAL_ID=12`. It knows nothing of other formats.
#pragma once

#include <memory>
#include <string>

#include "daemon/log_queue.hpp"

namespace flanks {

// Whether standard error goes to the journal.
[[nodiscard]] bool stderr_is_journal();

// MESSAGE is what `line` makes of an entry, for those who read the journal as text.
[[nodiscard]] std::unique_ptr<log_sink> make_journal_sink(std::string (*line)(const log_entry&));

}  // namespace flanks
