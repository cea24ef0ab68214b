// The second chapter of a credential's story: its products. And the list of banks, which belongs to
// no credential.
#pragma once

#include "sync/mirror.hpp"

namespace flanks {

// Fetches each list of products that the provider has newer than the last success; all of them for
// a sync, a sweep or a backfill. One that fails stops no other. Adds to `report`; throws as
// mirror() does.
[[nodiscard]] boost::asio::awaitable<void> mirror_products(mirror_tools tools, assignment job,
                                                           credential_status status,
                                                           credential_report& report);

// Reads the list of banks when that is due (once a day, by one of all daemons). A failure is
// written down, and given back.
[[nodiscard]] boost::asio::awaitable<std::optional<failure>> mirror_entities(flanks_api& api,
                                                                             store& db);

}  // namespace flanks
