// The endpoints by which credentials arrive and leave: what is asked, and answers -> values. The
// reading is tolerant of what the provider may leave out; an answer of another shape is a failure.
#pragma once

#include <memory>
#include <string_view>

#include "sync/credential_source.hpp"
#include "sync/flanks/caller.hpp"

namespace flanks {

// {"items": [...], "page", "pages"}. Throws failure: error_object, html, invalid_json ...
[[nodiscard]] listed_page read_list(const answer& a, const call_info& call);
// [{"code", "link_token", "extra": {...}}]; what has no code is left out.
[[nodiscard]] std::vector<link_code> read_links(const answer& a, const call_info& call);
// {"credentials_token", ...}. Throws failure{"unexpected_body"} when it holds none.
[[nodiscard]] secret read_exchange(const answer& a, const call_info& call);
// {"items": [{"session_id", "status", "connection_id"}], "next_page_token"}. Sessions of another
// status than Finished:OK are passed over.
[[nodiscard]] session_page read_sessions(const answer& a, const call_info& call);

// `caller` must outlive it.
[[nodiscard]] std::unique_ptr<credential_source> make_credential_source(json_caller& caller);

}  // namespace flanks
