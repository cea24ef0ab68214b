// What we ask: endpoints and request bodies (API contract, sections 1 to 3). Bodies hold secrets,
// so they are secrets.
#pragma once

#include <string>
#include <string_view>

#include "sync/flanks/api.hpp"
#include "sync/secret.hpp"
#include "sync/types.hpp"

namespace flanks {

inline constexpr std::string_view token_endpoint = "/v0/token";
inline constexpr std::string_view status_endpoint = "/v0/bank/credentials/status";
[[nodiscard]] std::string_view transactions_endpoint(product what);

// {"client_id", "client_secret", "grant_type"} and, for the grant password, "username" and
// "password".
[[nodiscard]] secret token_body(const api_options& options);
// {"credentials_token"}
[[nodiscard]] secret status_body(const secret& credentials_token);
// {"credentials_token", "query": {"operationDate": [{"gte", "lte"}]}, "ignore_data_error": false}.
// Never true: data that the provider itself does not trust must not pass for "no rows".
[[nodiscard]] secret transactions_body(const secret& credentials_token, window days);

// {"credentials_token", "ignore_data_error": false}: every product of a list.
[[nodiscard]] secret products_body(const secret& credentials_token);

}  // namespace flanks
