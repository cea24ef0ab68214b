// The pages of the status page, each from what is known. Pure: HTML, whole documents.
#pragma once

#include <string>

#include "daemon/web/page_facts.hpp"

namespace flanks::web {

// "/": in the order in which people ask. `list`: the first credentials; null when they could not be
// read.
[[nodiscard]] std::string overview_page(const daemon_facts& daemon, const mirror_view& mirror,
                                        const credential_list* list);

// "/credentials"; `list` null: why not is in `mirror`.
[[nodiscard]] std::string credentials_page(const daemon_facts& daemon, const mirror_view& mirror,
                                           const credential_query& asked,
                                           const credential_list* list);

// "/credentials/N"; `story` null: why not is in `mirror`.
[[nodiscard]] std::string credential_page(const daemon_facts& daemon, const mirror_view& mirror,
                                          credential_id id, const credential_story* story);

// For what does not exist.
[[nodiscard]] std::string missing_page(const daemon_facts& daemon, std::string_view what);

// The JSON twin of "/" (docs/status.schema.json).
[[nodiscard]] std::string status_json(const daemon_facts& daemon, const mirror_view& mirror,
                                      const credential_query& asked, const credential_list* list);

// Why the database cannot be asked, as a notice; empty when it can.
struct markup;
[[nodiscard]] markup trouble_notice(const mirror_view& mirror);

}  // namespace flanks::web
