#include "tests/sandbox/query.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <regex>

namespace sandbox {
namespace {

namespace json = boost::json;

enum class field : std::uint8_t {
  id,
  description,
  amount,
  operation_date,
  value_date,
  category,
  currency,
  shop,
  account_id,
  card_id,
  investment_id,
  liability_id,
  portfolio_id,
};
constexpr std::array<std::string_view, 13> field_names{
    "_id",  "description", "amount",  "operationDate", "valueDate",    "category",    "currency",
    "shop", "account_id",  "card_id", "investment_id", "liability_id", "portfolio_id"};

std::optional<field> field_from(std::string_view name) {
  const auto found = std::find(field_names.begin(), field_names.end(), name);
  if (found == field_names.end()) return std::nullopt;
  return static_cast<field>(found - field_names.begin());
}

// A regular expression; most filters are plain words, and std::regex is too slow for those.
class pattern {
 public:
  explicit pattern(std::string_view source) {
    std::string_view inner = source;
    if (inner.starts_with('^')) {
      at_start_ = true;
      inner.remove_prefix(1);
    }
    if (inner.ends_with('$')) {
      at_end_ = true;
      inner.remove_suffix(1);
    }
    if (inner.find_first_of("^$\\.*+?()[]{}|") == std::string_view::npos)
      literal_ = inner;
    else
      regex_.assign(source.begin(), source.end(), std::regex::ECMAScript | std::regex::optimize);
  }

  [[nodiscard]] bool found_in(std::string_view value) const {
    if (!literal_) return std::regex_search(value.begin(), value.end(), regex_);
    if (at_start_ && at_end_) return value == *literal_;
    if (at_start_) return value.starts_with(*literal_);
    if (at_end_) return value.ends_with(*literal_);
    return value.find(*literal_) != std::string_view::npos;
  }

 private:
  bool at_start_ = false;
  bool at_end_ = false;
  std::optional<std::string> literal_;
  std::regex regex_;
};

struct date_filter {
  day from = first_day;
  day to = last_day;
};

struct number_filter {
  std::optional<std::string> from;
  std::optional<std::string> to;
};

using filter = std::variant<pattern, date_filter, number_filter>;

// The digits of a number as the shortest text that gives the same double.
std::string digits_of(const json::value& number) {
  char text[40];
  char* end = text;
  if (const auto* whole = number.if_int64())
    end = std::to_chars(text, text + sizeof text, *whole).ptr;
  else if (const auto* large = number.if_uint64())
    end = std::to_chars(text, text + sizeof text, *large).ptr;
  else
    end = std::to_chars(text, text + sizeof text, number.as_double()).ptr;
  return {text, end};
}

std::string_view view(const json::string& text) {
  return {text.data(), text.size()};
}

class reader {
 public:
  std::vector<complaint> complaints;

  std::optional<filter> read(field f, const json::value& from, const std::string& place) {
    const bool date = f == field::operation_date || f == field::value_date;
    if (date || f == field::amount) return read_range(date, from, place);
    const auto* source = from.if_string();
    if (source == nullptr) return refuse("type_error.str", place);
    try {
      return pattern{view(*source)};
    } catch (const std::regex_error&) {
      return refuse("value_error.regex", place);
    }
  }

  std::nullopt_t refuse(std::string type, std::string place) {
    complaints.push_back({std::move(type), std::move(place)});
    return std::nullopt;
  }

 private:
  std::optional<filter> read_range(bool date, const json::value& from, const std::string& place) {
    const auto* range = from.if_object();
    if (range == nullptr) return refuse("type_error.dict", place);
    if (range->empty()) return refuse("value_error.missing", place);
    date_filter days;
    number_filter numbers;
    for (const auto& [key, bound] : *range) {
      const std::string at = place + "." + std::string(key);
      if (key != "gte" && key != "lte") return refuse("value_error.extra", at);
      if (date) {
        const auto* text = bound.if_string();
        const auto value = text != nullptr ? read_day(view(*text)) : std::nullopt;
        if (!value) return refuse("type_error.date", at);
        (key == "gte" ? days.from : days.to) = *value;
      } else {
        if (!bound.is_number()) return refuse("type_error.number", at);
        (key == "gte" ? numbers.from : numbers.to) = digits_of(bound);
      }
    }
    if (date) return days;
    return numbers;
  }
};

std::optional<std::string> product_id(const record& from, product wanted) {
  if (from.what != wanted) return std::nullopt;
  return std::string(from.product_id.data(), from.product_id.size());
}

// The text of a string field or an amount; nothing when it is null or missing.
std::optional<std::string> text_of(const record& from, field f) {
  switch (f) {
    case field::id:
      return std::string(from.id.data(), from.id.size());
    case field::description:
      return from.description_text();
    case field::amount:
      return std::string(from.amount.view());
    case field::category:
      if (from.category == nullptr) return std::nullopt;
      return from.category->raw;
    case field::currency:
      return std::string(from.currency);
    case field::shop:
      if (from.shop != nullptr) return from.shop->raw;
      if (from.shop_shape == shape::empty) return "";
      return std::nullopt;
    case field::account_id:
      return product_id(from, product::account);
    case field::card_id:
      return product_id(from, product::card);
    case field::investment_id:
      return product_id(from, product::investment);
    case field::liability_id:
      return product_id(from, product::liability);
    case field::portfolio_id:
      if (from.what != product::investment) return std::nullopt;
      return std::string(from.portfolio_id.data(), from.portfolio_id.size());
    default:
      return std::nullopt;
  }
}

// Nothing when it is null or missing, or the field is no date.
std::optional<day> day_of(const record& from, field f) {
  if (f == field::operation_date) return from.date;
  const bool shown =
      from.value_date_shape != shape::null && from.value_date_shape != shape::missing;
  if (f == field::value_date && shown) return from.value_date;
  return std::nullopt;
}

// What a filter looks at.
struct field_value {
  std::optional<std::string> text;
  std::optional<day> date;
};

bool holds(const filter& f, const field_value& value) {
  if (const auto* regex = std::get_if<pattern>(&f))
    return value.text && regex->found_in(*value.text);
  if (const auto* days = std::get_if<date_filter>(&f))
    return value.date && days->from <= *value.date && *value.date <= days->to;
  const auto& range = std::get<number_filter>(f);
  return value.text && (!range.from || compare_decimals(*value.text, *range.from) >= 0) &&
         (!range.to || compare_decimals(*value.text, *range.to) <= 0);
}

}  // namespace

struct query::filters {
  struct of_field {
    field name;
    std::vector<filter> any;
  };
  std::vector<of_field> all;

  // value_of: what the record has in a field.
  template <class ValueOf>
  [[nodiscard]] bool hold(ValueOf value_of) const {
    return std::all_of(all.begin(), all.end(), [&](const of_field& one) {
      const field_value value = value_of(one.name);
      return std::any_of(one.any.begin(), one.any.end(),
                         [&](const filter& f) { return holds(f, value); });
    });
  }
};

query::query() : filters_(std::make_unique<filters>()) {}
query::~query() = default;
query::query(query&&) noexcept = default;
query& query::operator=(query&&) noexcept = default;

std::variant<query, std::vector<complaint>> query::read(const json::value& from) {
  query out;
  reader r;
  const auto* object = from.if_object();
  if (object == nullptr) return std::vector<complaint>{{"type_error.dict", "query"}};
  for (const auto& [name, list] : *object) {
    const std::string place = "query." + std::string(name);
    const auto f = field_from({name.data(), name.size()});
    const auto* items = list.if_array();
    if (!f) {
      r.refuse("value_error.extra", place);
    } else if (items == nullptr || items->empty()) {
      r.refuse(items == nullptr ? "type_error.list" : "value_error.list.empty", place);
    } else {
      filters::of_field any{*f, {}};
      for (std::size_t i = 0; i < items->size(); ++i)
        if (auto one = r.read(*f, (*items)[i], place + "." + std::to_string(i)))
          any.any.push_back(std::move(*one));
      out.filters_->all.push_back(std::move(any));
    }
  }
  if (!r.complaints.empty()) return std::move(r.complaints);
  return out;
}

query query::of(day_range days) {
  query out;
  out.filters_->all.push_back({field::operation_date, {date_filter{days.from, days.to}}});
  return out;
}

day_range query::days() const {
  for (const auto& one : filters_->all) {
    if (one.name != field::operation_date) continue;
    day_range hull{last_day, first_day};
    for (const auto& f : one.any) {
      hull.from = std::min(hull.from, std::get<date_filter>(f).from);
      hull.to = std::max(hull.to, std::get<date_filter>(f).to);
    }
    return hull;
  }
  return {first_day, last_day};
}

bool query::only_days() const {
  const auto& all = filters_->all;
  return all.empty() ||
         (all.size() == 1 && all[0].name == field::operation_date && all[0].any.size() == 1);
}

bool query::matches(const record& candidate) const {
  return filters_->hold([&](field f) {
    return field_value{text_of(candidate, f), day_of(candidate, f)};
  });
}

bool query::matches(std::string_view candidate) const {
  return filters_->hold([&](field f) {
    field_value out{member_text(candidate, field_names[static_cast<std::size_t>(f)]), {}};
    if (out.text) out.date = read_day(std::string_view(*out.text).substr(0, 10));
    return out;
  });
}

}  // namespace sandbox
