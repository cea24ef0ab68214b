// Bytes of a credentials status answer -> credential_status (API contract, section 2).
#pragma once

#include "sync/flanks/errors.hpp"
#include "sync/types.hpp"

namespace flanks {

// Tolerant of fields it does not know and of fields that are missing, null or of another type:
// those count as "the provider did not say". Not of these: the answer must be an object, and
// `pending` a bool, because everything that follows depends on it. Throws failure otherwise:
// invalid_json, truncated, error_object, html, empty_body, unexpected_body, bad_status. Of a longer
// name of the bank only `bank_name_bytes` are taken (limits.bank_name_bytes).
[[nodiscard]] credential_status read_status(const answer& a, const call_info& call,
                                            int bank_name_bytes = 256);

}  // namespace flanks
