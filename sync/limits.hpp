// How much of what others send is taken (P11): the section `limits` of the configuration. Whoever
// reaches one says so, with the name of its key. Plain values.
#pragma once

namespace flanks {

struct sync_limits {
  int discovery_pages = 10'000;           // of the provider's list of credentials, in one reading
  int discovery_credentials = 1'000'000;  // different ones in one discovery, or one reading of
                                          // sessions
  int session_pages = 10'000;             // of finished Connect sessions, in one reading
};

}  // namespace flanks
