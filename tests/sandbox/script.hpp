// What a test says that one credential shows: records as JSON text, sent as it came. Whoever reads
// a number and writes it again may change its digits, so nothing here does.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sandbox {

using json_texts = std::vector<std::string>;

struct script {
  std::string token;
  std::optional<std::string> external_id;
  std::string bank = "testbank";
  // By product.
  std::array<json_texts, 4> products;
  std::array<std::shared_ptr<const json_texts>, 4> transactions;  // never null
  std::optional<std::int64_t> last_update;
  bool unknown = false;
};

// One script, or {"scripts": [...]}. `order` is an object of valid JSON. Throws
// std::invalid_argument with what is wrong.
[[nodiscard]] std::vector<script> read_scripts(std::string_view order);

// A member of a record: what a string says, the text of anything else; nothing for null or when it
// is missing.
[[nodiscard]] std::optional<std::string> member_text(std::string_view record,
                                                     std::string_view name);

// The record with one more member: what the provider shows when it has corrected it.
[[nodiscard]] std::string corrected_text(std::string_view record);

// A bank's id stands in JSON and paths without escapes.
[[nodiscard]] bool is_plain_identifier(std::string_view text);

}  // namespace sandbox
