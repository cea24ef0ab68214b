// Which names that an error of PostgreSQL gives are those of our own objects, as the migrations
// make them, and which are a customer's. Pure.
#pragma once

#include <string>
#include <string_view>

namespace flanks {

// A constraint or unique index; `table` with its schema.
[[nodiscard]] bool is_foreign_constraint(std::string_view table, std::string_view constraint);

// The outermost PL/pgSQL function of PG_DIAG_CONTEXT that is not ours, as in public.audit(): a
// trigger's; "" when there is none. Lines that quote rows or statements are passed over.
[[nodiscard]] std::string foreign_function_in(std::string_view context);

}  // namespace flanks
