// The words of Spanish bank statements, plain and odd.
#pragma once

#include <span>

#include "tests/sandbox/data.hpp"

namespace sandbox {

[[nodiscard]] std::span<const text> plain_descriptions();
[[nodiscard]] std::span<const text> odd_descriptions();  // quotes, tabs, emoji, "\N", empty, ...
[[nodiscard]] std::span<const text> categories();
[[nodiscard]] std::span<const text> shops();
[[nodiscard]] std::span<const text> product_descriptions();
[[nodiscard]] std::span<const text> people();

}  // namespace sandbox
