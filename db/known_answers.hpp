// The answer of each list after which nothing of it was touched (flanks_internal.read_backs,
// answer_*): how it is kept, and which windows brought just that again. Blocks.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "db/requests.hpp"
#include "db/session.hpp"

namespace flanks::known_answers {

// Adds the values of the columns answer_hash, answer_seed, answer_bytes, answer_records,
// answer_question.
void add_to(sql_values& values, const std::optional<known_answer>& answer);
// Those columns of a row, from `first` on.
[[nodiscard]] std::optional<known_answer> from(const pg_row& row, int first);

// Those of `requests` (their answers were expected, and not read) whose answer is the known one
// still. Their leases are locked then, and their counts say so.
[[nodiscard]] std::vector<window_request*> confirm(session& db,
                                                   std::span<window_request* const> requests);

// The answers of windows that were read and brought nothing are the known ones from now on. A list
// that is locked by others just now keeps the one it has.
[[nodiscard]] call note(std::span<window_request* const> quiet);

}  // namespace flanks::known_answers
