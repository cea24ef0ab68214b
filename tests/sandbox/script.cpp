#include "tests/sandbox/script.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <stdexcept>
#include <utility>

#include "tests/sandbox/data.hpp"

namespace sandbox {
namespace {

namespace json = boost::json;
using std::invalid_argument;

std::string_view without_spaces(std::string_view text) {
  constexpr std::string_view spaces = " \t\r\n";
  const auto first = std::min(text.find_first_not_of(spaces), text.size());
  return text.substr(first, text.find_last_not_of(spaces) + 1 - first);
}

// The texts between the brackets, commas and colons of the outermost level of valid JSON: the
// elements of an array; the names and values of an object by turns.
std::vector<std::string_view> texts_within(std::string_view outer) {
  std::vector<std::string_view> out;
  std::size_t begin = 1;
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 1; i < outer.size(); ++i) {
    const char c = outer[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
      continue;
    }
    quoted = c == '"';
    const bool closes = c == '}' || c == ']';
    if (depth == 0 && (closes || c == ',' || c == ':')) {
      const auto text = without_spaces(outer.substr(begin, i - begin));
      if (!text.empty()) out.push_back(text);
      begin = i + 1;
    }
    if (c == '{' || c == '[') ++depth;
    if (closes) --depth;
  }
  return out;
}

std::vector<std::string_view> elements(std::string_view name, std::string_view array) {
  if (!array.starts_with('[')) throw invalid_argument(std::string(name) + " is not a list");
  return texts_within(array);
}

// Names without their quotes; one with an escape is no name of ours.
std::vector<std::pair<std::string_view, std::string_view>> members(std::string_view object) {
  if (!object.starts_with('{')) throw invalid_argument("not an object: " + std::string(object));
  const auto texts = texts_within(object);
  std::vector<std::pair<std::string_view, std::string_view>> out;
  for (std::size_t i = 0; i + 1 < texts.size(); i += 2)
    out.emplace_back(texts[i].substr(1, texts[i].size() - 2), texts[i + 1]);
  return out;
}

std::string string_in(std::string_view name, std::string_view text) {
  const json::value value = json::parse({text.data(), text.size()});
  const auto* found = value.if_string();
  if (found == nullptr || found->empty())
    throw invalid_argument(std::string(name) + " is not a string that says something");
  return {found->data(), found->size()};
}

std::int64_t integer_in(std::string_view name, std::string_view text) {
  const json::value value = json::parse({text.data(), text.size()});
  if (const auto* found = value.if_int64()) return *found;
  throw invalid_argument(std::string(name) + " is not an integer");
}

// {"account": [{...}, ...], ...}: says which product, and its records.
template <class Take>
void read_records(std::string_view object, Take take) {
  for (const auto& [name, list] : members(object)) {
    const auto p = product_from(name);
    if (!p) throw invalid_argument("unknown product: " + std::string(name));
    json_texts records;
    for (const auto text : elements(name, list)) {
      if (!text.starts_with('{')) throw invalid_argument("not an object: " + std::string(text));
      records.emplace_back(text);
    }
    take(static_cast<std::size_t>(*p), std::move(records));
  }
}

script read_one(std::string_view order) {
  script out;
  out.transactions.fill(std::make_shared<const json_texts>());
  for (const auto& [name, value] : members(order)) {
    if (name == "credentials_token") {
      out.token = string_in(name, value);
    } else if (name == "external_id") {
      if (value != "null") out.external_id = string_in(name, value);
    } else if (name == "bank") {
      out.bank = string_in(name, value);
    } else if (name == "products") {
      read_records(value, [&](auto p, auto records) { out.products[p] = std::move(records); });
    } else if (name == "transactions") {
      read_records(value, [&](auto p, auto records) {
        out.transactions[p] = std::make_shared<const json_texts>(std::move(records));
      });
    } else if (name == "last_update_timestamp") {
      if (value != "null") out.last_update = integer_in(name, value);
    } else if (name == "unknown" && (value == "true" || value == "false")) {
      out.unknown = value == "true";
    } else {
      throw invalid_argument("unknown key, or not a boolean: " + std::string(name));
    }
  }
  if (out.token.empty()) throw invalid_argument("credentials_token is missing");
  if (!is_plain_identifier(out.bank)) throw invalid_argument("bank is not a plain identifier");
  return out;
}

}  // namespace

std::vector<script> read_scripts(std::string_view order) {
  order = without_spaces(order);
  const auto all = members(order);
  std::vector<script> out;
  if (all.size() == 1 && all[0].first == "scripts")
    for (const auto text : elements("scripts", all[0].second))
      out.push_back(read_one(text));
  else
    out.push_back(read_one(order));
  return out;
}

std::optional<std::string> member_text(std::string_view record, std::string_view name) {
  std::optional<std::string> out;
  for (const auto& [key, value] : members(record)) {
    if (key != name) continue;
    out.reset();
    if (value.starts_with('"'))
      out = std::string(json::parse({value.data(), value.size()}).as_string());
    else if (value != "null")
      out = value;
  }
  return out;
}

std::string corrected_text(std::string_view record) {
  std::string out{record.substr(0, record.size() - 1)};
  out += members(record).empty() ? "\"corrected\":true}" : ",\"corrected\":true}";
  return out;
}

bool is_plain_identifier(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; });
}

}  // namespace sandbox
