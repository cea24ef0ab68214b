#include "config/query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "config/expand.hpp"
#include "config/keys.hpp"
#include "config/nearest.hpp"
#include "sync/types.hpp"

namespace flanks::config {

namespace {

const filterable_field* field_from(std::string_view name) {
  const auto known = filterable_fields();
  const auto at = std::find_if(known.begin(), known.end(),
                               [name](const filterable_field& f) { return f.name == name; });
  return at == known.end() ? nullptr : &*at;
}

std::string near_field(const std::string& name) {
  std::vector<key> keys;
  for (const filterable_field& f : filterable_fields()) {
    key one;
    one.path = f.name;
    keys.push_back(std::move(one));
  }
  return nearest_key(name, keys);
}

bool is_decimal(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const auto point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view rest =
      point == std::string_view::npos ? std::string_view("0") : text.substr(point + 1);
  const auto digits = [](std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  // JSON knows no leading zero.
  const bool plain = whole == "0" || !whole.starts_with('0');
  return digits(whole) && digits(rest) && plain && whole.size() + rest.size() <= 38;
}

// What no dialect of regular expressions takes; the provider says the rest. Empty: nothing is.
std::string wrong_with_pattern(std::string_view p) {
  int open = 0;
  bool in_class = false, repeatable = false;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const char c = p[i];
    if (static_cast<unsigned char>(c) < 0x20) return "holds a control character";
    if (c == '\\') {
      if (++i == p.size()) return "ends in a backslash";
    } else if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
      // A bracket that comes first stands for itself.
      if (p.substr(i + 1).starts_with('^')) ++i;
      if (p.substr(i + 1).starts_with(']')) ++i;
    } else if (c == '(') {
      ++open;
      // (?: (?= (?i) and their kin
      if (p.substr(i + 1).starts_with('?')) ++i;
      repeatable = false;
      continue;
    } else if (c == ')') {
      if (--open < 0) return "closes a parenthesis that was never opened";
    } else if ((c == '*' || c == '+' || c == '?') && !repeatable) {
      return fmt::format("has a {} with nothing to repeat", c);
    } else if (c == '|') {
      repeatable = false;
      continue;
    }
    // After one repetition a ? or + may follow: lazy and possessive ones.
    repeatable = c != '^';
  }
  if (in_class) return "never closes a [";
  return open > 0 ? "never closes a (" : "";
}

class query_reader {
 public:
  query_reader(const environment& lookup, const mistake_taker& note, query_filter& into)
      : lookup_(lookup), note_(note), into_(into) {}

  void read(const yaml_node& value, const std::string& path) {
    if (value.is == yaml_node::kind::nothing) return;
    if (value.is != yaml_node::kind::map) {
      note_(value.at, path, fmt::format("must be a mapping, but is {}", to_string(value.is)),
            "write it like {category: [\"^Salary$\"]}");
      return;
    }
    for (std::size_t i = 0; i < value.keys.size(); ++i)
      read_field(value.keys[i], value.items[i], path);
  }

 private:
  void read_field(const yaml_node& name, const yaml_node& filters, const std::string& path) {
    if (name.is != yaml_node::kind::scalar) {
      note_(name.at, path, "a key must be a single word", "");
      return;
    }
    const std::string at = path + "." + name.text.substr(0, 40);
    if (name.text == "operationDate") {
      note_(name.at, at, "belongs to the window of each run and cannot be filtered here",
            "sync.history_months says how far back to read; backfill takes --from and --to");
      return;
    }
    const filterable_field* const known = field_from(name.text);
    if (known == nullptr) {
      const std::string near = near_field(name.text);
      note_(name.at, at, "is no field that the provider filters by",
            near.empty() ? "the comment of sync.query in `flanks-sync config example` lists them"
                         : fmt::format("did you mean {}?", near));
      return;
    }
    const bool twice = std::any_of(into_.fields.begin(), into_.fields.end(),
                                   [&](const field_filter& f) { return f.field == known->name; });
    if (twice) {
      note_(name.at, at, "is given twice", "put all of its filters into one list");
      return;
    }
    field_filter& f = into_.fields.emplace_back();
    f.field = known->name;
    read_list(*known, name, filters, at, f);
  }

  void read_list(const filterable_field& known, const yaml_node& name, const yaml_node& filters,
                 const std::string& path, field_filter& into) {
    const char* const example = known.takes == filter_kind::text     ? "[\"^A\", \"B$\"]"
                                : known.takes == filter_kind::number ? "[{gte: 0, lte: 99.5}]"
                                                                     : "[{gte: 2026-01-01}]";
    const place at = filters.is == yaml_node::kind::nothing ? name.at : filters.at;
    if (filters.is != yaml_node::kind::list) {
      note_(at, path, fmt::format("must be a list of filters, but is {}", to_string(filters.is)),
            fmt::format("write it like {}", example));
      return;
    }
    if (filters.items.empty())
      note_(at, path, "is an empty list: nothing would pass", "name a filter, or remove the field");
    for (const yaml_node& item : filters.items) {
      if (known.takes == filter_kind::text) {
        read_pattern(item, path, into);
      } else {
        read_range(item, path, known.takes, into);
      }
    }
  }

  std::optional<std::string> text_of(const yaml_node& item, const std::string& path) {
    expanded text = expand(item.text, lookup_);
    if (!text.wrong) return std::move(text.text);
    note_(item.at, path, text.wrong->what, text.wrong->hint);
    return std::nullopt;
  }

  void read_pattern(const yaml_node& item, const std::string& path, field_filter& into) {
    if (item.is != yaml_node::kind::scalar) {
      note_(item.at, path,
            fmt::format("takes regular expressions, but one is {}", to_string(item.is)), "");
      return;
    }
    const std::optional<std::string> text = text_of(item, path);
    if (!text) return;
    const std::string wrong = text->empty()         ? "is empty: everything would pass"
                              : text->size() > 1000 ? "is longer than 1000 bytes"
                                                    : wrong_with_pattern(*text);
    if (!wrong.empty()) {
      note_(item.at, path, "a regular expression " + wrong, "");
      return;
    }
    into.patterns.push_back(*text);
  }

  void read_range(const yaml_node& item, const std::string& path, filter_kind kind,
                  field_filter& into) {
    if (item.is != yaml_node::kind::map || item.keys.empty()) {
      note_(item.at, path, "takes ranges: gte, lte or both",
            kind == filter_kind::number ? "write it like {gte: -100, lte: -50}"
                                        : "write it like {gte: 2026-01-01}");
      return;
    }
    filter_range range;
    for (std::size_t i = 0; i < item.keys.size(); ++i) {
      const yaml_node& name = item.keys[i];
      const yaml_node& value = item.items[i];
      std::optional<std::string>* const bound = name.text == "gte"   ? &range.gte
                                                : name.text == "lte" ? &range.lte
                                                                     : nullptr;
      if (bound == nullptr) {
        note_(name.at, path, "a range has the bounds gte and lte, and no others",
              "both bounds belong to the range");
      } else if (*bound) {
        note_(name.at, path, name.text + " is given twice", "keep one of them");
      } else {
        *bound = read_bound(value, name, path, kind);
      }
    }
    check_order(item, path, kind, range);
    into.ranges.push_back(range);
  }

  std::optional<std::string> read_bound(const yaml_node& value, const yaml_node& name,
                                        const std::string& path, filter_kind kind) {
    const place at = value.is == yaml_node::kind::nothing ? name.at : value.at;
    std::optional<std::string> text;
    if (value.is == yaml_node::kind::scalar) text = text_of(value, path);
    if (value.is == yaml_node::kind::scalar && !text) return std::nullopt;
    const bool good =
        text && (kind == filter_kind::number ? is_decimal(*text) : day_from(*text).has_value());
    if (good) return text;
    note_(at, path,
          kind == filter_kind::number ? "a bound must be a decimal number of at most 38 digits"
                                      : "a bound must be a day that exists",
          kind == filter_kind::number ? "write it like -12.50" : "write it like 2026-05-31");
    return std::nullopt;
  }

  // Days sort as text, numbers do not.
  void check_order(const yaml_node& item, const std::string& path, filter_kind kind,
                   const filter_range& range) {
    if (!range.gte || !range.lte) return;
    const bool upside_down =
        kind == filter_kind::date ? *range.lte < *range.gte : less(*range.lte, *range.gte);
    if (upside_down)
      note_(item.at, path, "lte lies below gte: nothing would pass", "exchange the two");
  }

  // Decimal texts without leading zeros, by value.
  static bool less(std::string_view a, std::string_view b) {
    const bool minus_a = a.starts_with('-'), minus_b = b.starts_with('-');
    if (minus_a != minus_b) return minus_a && (!is_zero(a) || !is_zero(b));
    return minus_a ? less_unsigned(b.substr(1), a.substr(1)) : less_unsigned(a, b);
  }
  static bool is_zero(std::string_view text) {
    return text.find_first_of("123456789") == std::string_view::npos;
  }
  static bool less_unsigned(std::string_view a, std::string_view b) {
    const auto whole_a = a.substr(0, a.find('.')), whole_b = b.substr(0, b.find('.'));
    if (whole_a.size() != whole_b.size()) return whole_a.size() < whole_b.size();
    if (whole_a != whole_b) return whole_a < whole_b;
    std::string rest_a(a.substr(whole_a.size())), rest_b(b.substr(whole_b.size()));
    const std::size_t size = std::max(rest_a.size(), rest_b.size());
    if (rest_a.empty()) rest_a = ".";
    if (rest_b.empty()) rest_b = ".";
    rest_a.resize(std::max<std::size_t>(size, 1), '0');
    rest_b.resize(std::max<std::size_t>(size, 1), '0');
    return rest_a < rest_b;
  }

  const environment& lookup_;
  const mistake_taker& note_;
  query_filter& into_;
};

std::string shown_range(const filter_range& r) {
  std::string out;
  if (r.gte) out += "gte: " + *r.gte;
  if (r.lte) out += (out.empty() ? "lte: " : ", lte: ") + *r.lte;
  return "{" + out + "}";
}

}  // namespace

void read_query(const yaml_node& value, const std::string& path, const environment& lookup,
                const mistake_taker& note, query_filter& into) {
  query_reader(lookup, note, into).read(value, path);
}

std::string show_query(const query_filter& filter) {
  std::string out;
  for (const field_filter& f : filter.fields) {
    std::string list;
    for (const std::string& p : f.patterns)
      list += (list.empty() ? "" : ", ") + yaml_quoted(p);
    for (const filter_range& r : f.ranges)
      list += (list.empty() ? "" : ", ") + shown_range(r);
    out += fmt::format("{}{}: [{}]", out.empty() ? "" : ", ", f.field, list);
  }
  return "{" + out + "}";
}

}  // namespace flanks::config
