#include "sync/query_filter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace flanks {

namespace {

constexpr std::array<filterable_field, 12> fields{{{"_id", filter_kind::text},
                                                   {"description", filter_kind::text},
                                                   {"amount", filter_kind::number},
                                                   {"valueDate", filter_kind::date},
                                                   {"category", filter_kind::text},
                                                   {"currency", filter_kind::text},
                                                   {"shop", filter_kind::text},
                                                   {"account_id", filter_kind::text},
                                                   {"card_id", filter_kind::text},
                                                   {"investment_id", filter_kind::text},
                                                   {"liability_id", filter_kind::text},
                                                   {"portfolio_id", filter_kind::text}}};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

std::string range_text(const filter_range& range, bool number) {
  std::string out;
  const auto bound = [&](std::string_view name, const std::optional<std::string>& value) {
    if (!value) return;
    out +=
        fmt::format("{}\"{}\":{}", out.empty() ? "" : ",", name, number ? *value : quoted(*value));
  };
  bound("gte", range.gte);
  bound("lte", range.lte);
  return "{" + out + "}";
}

std::string list_text(const field_filter& f, filter_kind kind) {
  std::vector<std::string> texts;
  for (const std::string& p : f.patterns)
    texts.push_back(quoted(p));
  for (const filter_range& r : f.ranges)
    texts.push_back(range_text(r, kind == filter_kind::number));
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  std::string out;
  for (const std::string& text : texts)
    out += (out.empty() ? "" : ",") + text;
  return "[" + out + "]";
}

}  // namespace

std::span<const filterable_field> filterable_fields() {
  return fields;
}

std::string canonical_members(const query_filter& filter) {
  std::string out;
  for (const filterable_field& known : fields) {
    for (const field_filter& f : filter.fields) {
      if (f.field != known.name) continue;
      out +=
          fmt::format("{}\"{}\":{}", out.empty() ? "" : ",", known.name, list_text(f, known.takes));
    }
  }
  return out;
}

}  // namespace flanks
