// The newer, paged calls (contract, section 5: Aggregation v2).
#include <algorithm>
#include <boost/json.hpp>

#include "tests/sandbox/provider.hpp"

namespace sandbox {
namespace {

namespace json = boost::json;
constexpr std::uint64_t page_size = 1000;

// Where a page begins: the n-th record (or product) of a ledger of a connection.
struct place {
  std::uint64_t connection = 0;
  std::uint64_t rank = 0;
  std::uint64_t offset = 0;
};

std::string page_token(const place& at) {
  return "p-" + std::to_string(at.connection) + "-" + std::to_string(at.rank) + "-" +
         std::to_string(at.offset);
}

std::optional<place> read_page_token(std::string_view text) {
  place out;
  if (!text.starts_with("p")) return std::nullopt;
  text.remove_prefix(1);
  for (auto* part : {&out.connection, &out.rank, &out.offset}) {
    if (!text.starts_with('-')) return std::nullopt;
    const auto read = std::from_chars(text.data() + 1, text.data() + text.size(), *part);
    if (read.ec != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  }
  if (!text.empty()) return std::nullopt;
  return out;
}

// What was asked for, or what is wrong with it.
struct order {
  std::vector<std::uint32_t> connections;
  // None: all. An empty list shows nothing (contract, section 3).
  std::optional<std::vector<std::string>> product_ids;
  std::optional<day> date_from, date_to;  // both included
  place from;
  std::vector<complaint> wrong;

  [[nodiscard]] bool wants(std::string_view product_id) const {
    return !product_ids ||
           std::find(product_ids->begin(), product_ids->end(), product_id) != product_ids->end();
  }
  [[nodiscard]] bool is_dated() const { return date_from || date_to; }
  [[nodiscard]] day_range days() const {
    return {date_from.value_or(first_day), date_to.value_or(last_day)};
  }
  // For the counters.
  [[nodiscard]] std::string days_text() const {
    std::string out;
    if (date_from) append_day(out, *date_from);
    if (is_dated()) out += "..";
    if (date_to) append_day(out, *date_to);
    return out;
  }
};

std::optional<day> day_member(const json::object& from, std::string_view name,
                              std::vector<complaint>& wrong) {
  const auto* value = from.if_contains({name.data(), name.size()});
  if (value == nullptr) return std::nullopt;
  const auto out =
      value->is_string() ? read_day(std::string_view(value->as_string())) : std::nullopt;
  if (!out) wrong.push_back({"value_error.date", "query." + std::string(name)});
  return out;
}

std::vector<std::string> strings(const json::object& from, std::string_view name,
                                 std::vector<complaint>& wrong) {
  std::vector<std::string> out;
  const auto* value = from.if_contains({name.data(), name.size()});
  if (value == nullptr) return out;
  const auto* list = value->if_array();
  if (list == nullptr) {
    wrong.push_back({"type_error.list", std::string(name)});
    return out;
  }
  for (const auto& one : *list) {
    if (one.is_string())
      out.emplace_back(one.as_string());
    else
      wrong.push_back({"type_error.str", std::string(name)});
  }
  return out;
}

order read_order(const world& from, const json::object& body) {
  order out;
  out.wrong = unknown_members(body, {"query", "page_token"});
  const auto* query = body.if_contains("query");
  const auto* filters = query != nullptr ? query->if_object() : nullptr;
  if (query != nullptr && filters == nullptr) out.wrong.push_back({"type_error.dict", "query"});
  if (filters != nullptr) {
    const auto extra =
        unknown_members(*filters, {"connection_id_in", "product_id_in", "date_from", "date_to"});
    out.wrong.insert(out.wrong.end(), extra.begin(), extra.end());
    for (const auto& token : strings(*filters, "connection_id_in", out.wrong))
      if (const auto n = from.find(token)) out.connections.push_back(*n);
    if (filters->contains("product_id_in"))
      out.product_ids = strings(*filters, "product_id_in", out.wrong);
    out.date_from = day_member(*filters, "date_from", out.wrong);
    out.date_to = day_member(*filters, "date_to", out.wrong);
  }
  if (filters == nullptr || !filters->contains("connection_id_in"))
    for (std::uint32_t n = 0; n < from.size(); ++n)
      if (!from.at(n).deleted) out.connections.push_back(n);
  if (const auto* page = body.if_contains("page_token"); page != nullptr && !page->is_null()) {
    const auto at = page->is_string() ? read_page_token({page->as_string()}) : std::nullopt;
    if (at)
      out.from = *at;
    else
      out.wrong.push_back({"value_error", "page_token"});
  }
  return out;
}

void append_item(const record& from, std::string& out) {
  out += "{\"transaction_id\":\"";
  out.append(from.id.data(), from.id.size());
  out += "\",\"product_id\":\"";
  out.append(from.product_id.data(), from.product_id.size());
  out += "\",\"amount\":";
  if (from.amount.quoted) out += '"';
  out += from.amount.view();
  if (from.amount.quoted) out += '"';
  out += ",\"currency\":\"";
  out += from.currency;
  out += "\",\"description\":";
  append_quoted(out, from.description_text());
  out += ",\"date\":\"";
  append_day(out, from.date);
  out += "\",\"category\":";
  if (from.category == nullptr)
    out += "null";
  else
    append_quoted(out, from.category->raw);
  out += ",\"labels\":{}}";
}

std::string page_end(const std::optional<place>& next, const aggregation_style& style) {
  if (next) return "],\"next_page_token\":\"" + page_token(*next) + "\"}";
  return style.absent_end ? "]}" : "],\"next_page_token\":null}";
}

// "type":"account"
std::string type_member(product p, const aggregation_style& style) {
  std::string name{name_of(p)};
  if (style.capital) name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return "\"" + style.type_key + "\":\"" + name + "\"";
}

// What becomes of the days in a deployment that may not know them.
void apply_dates(const aggregation_style& style, order& asked) {
  using filter = aggregation_style::dates_filter;
  if (style.dates == filter::take) return;
  if (style.dates == filter::refuse) {
    if (asked.date_from) asked.wrong.push_back({"value_error.extra", "query.date_from"});
    if (asked.date_to) asked.wrong.push_back({"value_error.extra", "query.date_to"});
  }
  asked.date_from = asked.date_to = std::nullopt;
}

// Appends items of one ledger from `at.offset` on; true when the page is full.
bool append_ledger(const world& from, const order& asked, const ledger& of, place& at,
                   std::uint64_t& items, std::string& out) {
  cursor walk{of, asked.days()};
  operation which;
  record made;
  for (std::uint64_t position = 0; walk.next(which); ++position) {
    if (position < at.offset) continue;
    if (items == page_size) {
      at.offset = position;
      return true;
    }
    from.data().make(which, made);
    if (!asked.wants({made.product_id.data(), made.product_id.size()})) continue;
    if (items++ > 0) out += ",\n";
    append_item(made, out);
  }
  at.offset = 0;
  return false;
}

}  // namespace

reply provider::aggregation_transactions(const call& c) {
  order asked = read_order(world_, c.body);
  counters_.asked_for_days(asked.days_text());
  apply_dates(style_, asked);
  if (asked.is_dated() && c.broken && c.broken->refuses(asked.days(), world_.today()))
    asked.wrong.push_back({"value_error.date.range", c.broken->refused_field()});
  if (!asked.wrong.empty()) return invalid(asked.wrong);
  std::string body = "{\"items\":[";
  std::uint64_t items = 0;
  place at = asked.from;
  const auto& products = world_.options().products;
  for (; at.connection < asked.connections.size(); ++at.connection, at.rank = 0)
    for (; at.rank < products.size(); ++at.rank) {
      const auto of = world_.ledger_of(asked.connections[at.connection], products[at.rank]);
      if (append_ledger(world_, asked, of, at, items, body))
        return text_reply(200, body + page_end(at, style_));
    }
  return text_reply(200, body + page_end(std::nullopt, style_));
}

reply provider::aggregation_products(const call& c) {
  order asked = read_order(world_, c.body);
  if (asked.is_dated()) asked.wrong.push_back({"value_error.extra", "query.date_from"});
  if (!asked.wrong.empty()) return invalid(asked.wrong);
  std::string body = "{\"items\":[";
  std::uint64_t items = 0;
  place at = asked.from;
  const auto& products = world_.options().products;
  for (; at.connection < asked.connections.size(); ++at.connection, at.rank = 0)
    for (; at.rank < products.size(); ++at.rank) {
      if (items >= page_size) return text_reply(200, body + page_end(at, style_));
      const auto n = asked.connections[at.connection];
      if (world_.script_of(n) != nullptr) continue;
      for (unsigned k = 0; k < generator::products_in_ledger; ++k) {
        char id[24];
        world_.data().write_product_id(world_.ledger_number(n, products[at.rank]), k, id);
        if (!asked.wants({id, sizeof id})) continue;
        if (items++ > 0) body += ",\n";
        body += "{\"product_id\":\"" + std::string(id, sizeof id) + "\",\"connection_id\":";
        append_quoted(body, world_.token_of(n));
        body += "," + type_member(products[at.rank], style_) + ",\"product\":";
        append_product(world_, n, products[at.rank], k, body);
        body += '}';
      }
    }
  return text_reply(200, body + page_end(std::nullopt, style_));
}

}  // namespace sandbox
