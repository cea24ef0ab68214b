// What we ask: endpoints and request bodies (API contract, sections 1 to 3). Bodies hold secrets,
// so they are secrets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/flanks/api.hpp"
#include "sync/secret.hpp"
#include "sync/types.hpp"

namespace flanks {

inline constexpr std::string_view token_endpoint = "/v0/token";
inline constexpr std::string_view status_endpoint = "/v0/bank/credentials/status";
[[nodiscard]] std::string_view transactions_endpoint(product what);

// {"client_id", "client_secret", "grant_type"} and, for the grant password, "username" and
// "password".
[[nodiscard]] secret token_body(const provider_options& options, const provider_keys& keys);
// {"credentials_token"}
[[nodiscard]] secret status_body(const secret& credentials_token);
// {"credentials_token", "query": {"operationDate": [{"gte", "lte"}]}, "ignore_data_error": false}.
// Never true: data that the provider itself does not trust must not pass for "no rows".
// `filter`: more members of the query, all of which must match as well (query_filter.hpp).
[[nodiscard]] secret transactions_body(const secret& credentials_token, window days,
                                       std::string_view filter = {});

// Aggregation v2 (API contract, section 5). A connection id is a credentials_token.
inline constexpr std::string_view list_products_endpoint = "/aggregation/v2/list-products";
inline constexpr std::string_view list_transactions_endpoint = "/aggregation/v2/list-transactions";
// {"query": {"connection_id_in": [..], "product_id_in": [..], "date_from": "..", "date_to": ".."},
// "page_token": "..."|null}; without product ids every product is meant, and without days all
// history. An open window has no date_to. Both days are taken for inclusive, like the bounds of the
// query object (section 3).
[[nodiscard]] secret listing_body(const secret& credentials_token,
                                  const std::vector<std::string>& product_ids,
                                  std::optional<window> days,
                                  const std::optional<std::string>& page_token);

// {"credentials_token", "ignore_data_error": false}: every product of a list.
[[nodiscard]] secret products_body(const secret& credentials_token);

}  // namespace flanks
