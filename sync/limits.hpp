// How much of what others send is taken (P11): the section `limits` of the configuration. Whoever
// reaches one says so, with the name of its key. Plain values.
#pragma once

namespace flanks {

struct sync_limits {
  int discovery_pages = 10'000;           // of the provider's list of credentials, in one reading
  int discovery_credentials = 1'000'000;  // different ones in one discovery, or one reading of
                                          // sessions
  int session_pages = 10'000;             // of finished Connect sessions, in one reading
  int answer_pages = 2'000;               // of one answer of Aggregation v2
  int bank_name_bytes = 256;              // of the provider's name of a bank, which is a key here
  int quarantine_per_day =
      100;  // rows of one credential, product and reason; more are only counted
  int unknown_fields_per_day = 100;  // new ones
};

}  // namespace flanks
