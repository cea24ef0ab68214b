// Which keywords libpq knows in a connection string, and what each of them takes.
#pragma once

#include <cstdint>
#include <string_view>

#include "config/values.hpp"

namespace flanks::config {

enum class takes : std::uint8_t { text, secret, number, choice, tls_version, ports, addresses };

struct keyword {
  std::string_view name;
  takes what = takes::text;
  name_list choices = {};
};

// Null for a name that libpq does not know; it knows them in lower case only.
[[nodiscard]] const keyword* find_keyword(std::string_view name);

// The one that was probably meant: a slip of the pen, capitals, the name that another driver has
// for it. Null when none is near.
[[nodiscard]] const keyword* meant_keyword(std::string_view name);

// Whether somebody who wrote this keyword has put a secret behind it, right or wrong as it is.
[[nodiscard]] bool is_secret_keyword(std::string_view name);

}  // namespace flanks::config
