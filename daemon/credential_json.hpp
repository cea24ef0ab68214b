// A line of flanks.sync_status as JSON: `status --json` and /api/v1/status spell it alike.
#pragma once

#include <boost/json/object.hpp>

#include "db/commands/status_view.hpp"

namespace flanks {

[[nodiscard]] boost::json::object json_of(const status_row& row);

}  // namespace flanks
