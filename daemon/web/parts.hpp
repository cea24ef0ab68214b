// The pieces that pages are built of: times, states, charts, tables, the frame around a page. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/web/html.hpp"
#include "daemon/web/page_facts.hpp"

namespace flanks::web {

// The instant of "YYYY-MM-DDTHH:MM:SSZ"; nothing when the text is none.
[[nodiscard]] std::optional<instant> instant_from(std::string_view text);

// "2026-11-28 10:14 UTC"
[[nodiscard]] std::string clock_text(instant t);
// "3 h ago", "in 2 h", with the instant for machines and in a title.
[[nodiscard]] markup time_text(instant t, instant now);
// The same, and `missing` where there is none.
[[nodiscard]] markup time_or(const std::optional<std::string>& at, instant now,
                             std::string_view missing);
// "3 h ago (2026-11-28 10:14 UTC)", and `missing` where there is none.
[[nodiscard]] markup time_in_full(const std::optional<std::string>& at, instant now,
                                  std::string_view missing = "not known");

// A word with a sign and a colour.
[[nodiscard]] markup state_badge(std::string_view state);
// The same of a credential that somebody must look at, also where its state is ok.
[[nodiscard]] markup problem_badge(std::string_view state);
[[nodiscard]] markup outcome_badge(std::string_view outcome);
[[nodiscard]] markup credential_link(credential_id id);
// "user-1, user-2 and 3 more"
[[nodiscard]] markup users_text(const std::vector<user_id>& users, std::size_t most);
// Masked and escaped: words of the provider, the bank, the database.
[[nodiscard]] markup words(std::string_view text);

// Bars, oldest first; nothing where nobody counted. `label` is what it says to who cannot see it.
[[nodiscard]] markup sparkline(std::span<const std::optional<std::int64_t>> values,
                               std::span<const std::string> titles, std::string_view label);
// One cell a month: full, partly or not covered.
[[nodiscard]] markup month_bar(const credential_story::covered& c);

// What is wrong with a credential, and what a person can do about it; empty when nothing is.
[[nodiscard]] markup what_is_wrong(const status_row& row);

// The table of credentials, sorted by `asked`; `sortable`: its headings are links.
[[nodiscard]] markup credential_table(const credential_list& list, const credential_query& asked,
                                      instant now, bool sortable);
// The form above it.
[[nodiscard]] markup search_form(const credential_query& asked);
// "/credentials?..." with what differs from the defaults.
[[nodiscard]] std::string link_of(const credential_query& asked);

// A whole document. `live`: it may be fetched again while somebody looks at it.
[[nodiscard]] std::string document(std::string_view title, std::string_view active,
                                   const markup& body, const daemon_facts& daemon);

}  // namespace flanks::web
