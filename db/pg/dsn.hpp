// What the libpq of this machine makes of a connection string. config/ checks it against every
// libpq that we run with; this one may be older. Opens no connection.
#pragma once

#include <string>

namespace flanks {

// What is wrong, the end of a sentence that begins with the key, without any part of `dsn`; empty
// when it can be read. Values are not looked at.
[[nodiscard]] std::string dsn_objection(const std::string& dsn);

}  // namespace flanks
