// The whole body of a list of products, or of banks -> records (API contract, section 3; design,
// section 5). Products are few: unlike transactions they are read when all of them have come.
//
// How fields become columns:
// - The identification is the list's own (account_id, card_id, ...), else _id. Where both came and
//   differ, _id stays in `extra`. Holders have none: one is made (flanks.holders.holder_id).
// - A text column takes a string or the digits of a number; a decimal one a number, or a string
//   that is one; the others what their type says. null is null. An empty string is no decimal.
// - What does not fit its column, and every field without one, stays whole in `extra`. Not so an
//   identification or a decimal that is none: that record is rejected.
// - U+0000, which Postgres cannot hold, becomes U+FFFD; the record is kept and a warning says so.
#pragma once

#include "sync/flanks/errors.hpp"
#include "sync/flanks/product_fields.hpp"
#include "sync/product.hpp"

namespace flanks {

// The longest body of one list of products: it is held whole.
inline constexpr std::size_t product_body_limit = 8 * 1024 * 1024;

// Of one id that comes twice with different content the later record counts, and the earlier one is
// rejected as "duplicate_id". The identity may be one object in place of a list.
// Throws failure when the body cannot be what was asked for: an error object is never "none".
[[nodiscard]] product_batch read_products(const answer& a, const call_info& call,
                                          const product_list& list);

}  // namespace flanks
