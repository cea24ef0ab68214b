#include <cstdio>

#include "daemon/commands/commands.hpp"
#include "daemon/terminal.hpp"
#include "sync/text.hpp"

namespace flanks {

void tell_left_out(std::int64_t paused) {
  if (paused == 0) return;
  terminal::print(stderr,
                  "info: {} left out; --credential N fetches one all the same, and flanks-sync "
                  "credentials resume N ends the pause\n",
                  counted(paused, "paused credential is", "paused credentials are"));
}

}  // namespace flanks
