#include "config/expand.hpp"

#include <fmt/format.h>

namespace flanks::config {

namespace {

bool is_name(std::string_view name) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  return !name.empty() && name.find_first_not_of(letters) == std::string_view::npos &&
         (name.front() < '0' || name.front() > '9');
}

// `inside` is what stands between ${ and }.
void append_variable(std::string_view inside, const environment& lookup, expanded& out) {
  const auto split = inside.find(":-");
  const bool has_default = split != std::string_view::npos;
  const std::string_view name = inside.substr(0, split);
  if (!is_name(name)) {
    out.wrong = complaint{"holds ${ without a valid variable name",
                          "write ${NAME} or ${NAME:-default}, and $${ for the characters ${"};
    return;
  }
  out.from_environment = true;
  const auto value = lookup(name);
  if (value && !(has_default && value->empty())) {
    out.text += *value;
  } else if (has_default) {
    out.text += inside.substr(split + 2);
  } else {
    out.wrong = complaint{fmt::format("the environment variable {} is not set", name),
                          fmt::format("set it, or give a default: ${{{}:-default}}", name)};
  }
}

}  // namespace

expanded expand(std::string_view text, const environment& lookup) {
  expanded out;
  while (!text.empty() && !out.wrong) {
    if (text.starts_with("$${")) {
      out.text += "${";
      text.remove_prefix(3);
    } else if (text.starts_with("${")) {
      const auto close = text.find('}');
      if (close == std::string_view::npos) {
        out.wrong = complaint{"holds ${ without its closing }", "write $${ for the characters ${"};
        break;
      }
      append_variable(text.substr(2, close - 2), lookup, out);
      text.remove_prefix(close + 1);
    } else {
      out.text += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

std::string unexpanded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("${")) out += '$';
    out += text[i];
  }
  return out;
}

}  // namespace flanks::config
