#include "sync/flanks/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "sync/flanks/record_fields.hpp"

namespace flanks {

namespace json = boost::json;

namespace {

// Walks over JSON text value by value. What it finds is exact for valid JSON; text that is not is
// found out here or when the piece is parsed.
class pieces {
 public:
  explicit pieces(std::string_view text) : text_(text) {}

  bool eat(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] bool at_end() {
    skip_blanks();
    return at_ == text_.size();
  }
  // The text of the next value; empty when there is none.
  std::string_view value() {
    skip_blanks();
    const std::size_t begin = at_;
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        if (!skip_string()) return {};
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        if (depth == 0) break;
        --depth;
      } else if ((c == ',' || c == ':') && depth == 0) {
        break;
      }
    }
    if (depth != 0) return {};
    std::size_t end = at_;
    while (end > begin && blanks.find(text_[end - 1]) != std::string_view::npos)
      --end;
    return text_.substr(begin, end - begin);
  }

 private:
  static constexpr std::string_view blanks = " \t\r\n";

  void skip_blanks() {
    while (at_ < text_.size() && blanks.find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  // From the opening quote to the closing one.
  bool skip_string() {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        return true;
      }
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

json::value parsed(std::string_view text, const answer& a, const call_info& call) {
  json::error_code bad;
  json::value v = json::parse(json::string_view{text.data(), text.size()}, bad);
  if (bad) throw not_json(call, a.body_bytes);
  return v;
}

bool read_items(std::string_view list, page& out) {
  pieces items(list);
  if (!items.eat('[')) return false;
  if (items.eat(']')) return items.at_end();
  do {
    const std::string_view item = items.value();
    if (item.empty()) return false;
    out.items.push_back(item);
  } while (items.eat(','));
  return items.eat(']') && items.at_end();
}

// What list-products may hold (API contract, section 3).
constexpr std::array<std::string_view, 7> types{"account",   "card",     "investment", "liability",
                                                "portfolio", "identity", "holder"};

std::string_view text_of(const json::object& object, std::string_view key) {
  const json::value* const value = object.if_contains({key.data(), key.size()});
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

// "account" of {"product_type": "Account"} and of {"type": "account"}. Beside a product_type, type
// is the product's own (a kind of account).
std::string type_of(const json::object& listed) {
  std::string_view said = text_of(listed, "product_type");
  if (said.empty()) said = text_of(listed, "type");
  std::string type{said};
  for (char& c : type)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return type;
}

failure misfit(const call_info& call, const std::string& what) {
  failure f{stage::answer, verdict::later, "unexpected_page",
            call.what + " answered 200 with a page " + what};
  f.http_status = 200;
  return f;
}

}  // namespace

page read_page(const answer& a, const call_info& call) {
  pieces members(a.body);
  if (!members.eat('{')) throw from_body(a, call, "a page of items");
  page out;
  bool has_items = false, has_next = false;
  if (!members.eat('}')) {
    do {
      const json::value key = parsed(members.value(), a, call);
      if (!key.is_string() || !members.eat(':')) throw not_json(call, a.body_bytes);
      const std::string_view value = members.value();
      if (key.as_string() == "items") {
        if (has_items || !value.starts_with('[')) throw from_body(a, call, "a page of items");
        has_items = true;
        if (!read_items(value, out)) throw not_json(call, a.body_bytes);
        continue;
      }
      const json::value read = parsed(value, a, call);
      if (key.as_string() != "next_page_token") continue;
      const bool token = read.is_string() && !read.as_string().empty();
      if (has_next || (!read.is_null() && !token))
        throw misfit(call, "whose next_page_token is no text");
      has_next = true;
      if (read.is_string()) out.next.emplace(read.as_string());
    } while (members.eat(','));
    if (!members.eat('}')) throw cut_short(call, a.body_bytes);
  }
  if (!members.at_end()) throw not_json(call, a.body_bytes);
  if (!has_items) throw from_body(a, call, "a page of items");
  return out;
}

std::vector<listed_product> read_products(const page& p, const answer& a, const call_info& call) {
  std::vector<listed_product> out;
  for (const std::string_view item : p.items) {
    const json::value v = parsed(item, a, call);
    const json::object* const o = v.if_object();
    const json::value* const id = o == nullptr ? nullptr : o->if_contains("product_id");
    if (id == nullptr || !id->is_string())
      throw misfit(call, "with a product that has no product_id");
    listed_product product;
    product.id = id->as_string();
    product.type = type_of(*o);
    // Its transactions would belong to no list that is read, and be lost without a word.
    if (std::find(types.begin(), types.end(), product.type) == types.end())
      throw misfit(call, "with a product of a type that is not known here");
    out.push_back(std::move(product));
  }
  return out;
}

bool shows_only(const page& p, const answer& a, const call_info& call, day on) {
  return std::all_of(p.items.begin(), p.items.end(), [&](std::string_view item) {
    const json::value v = parsed(item, a, call);
    const json::object* const o = v.if_object();
    const auto date = o == nullptr ? std::nullopt : day_from(text_of(*o, "date").substr(0, 10));
    return !date || *date == on;
  });
}

void page_walk::go_on(const page& answered) {
  token_ = answered.next;
  if (!token_) return;
  const bool is_new = seen_.insert(*token_).second;
  if (!is_new) throw misfit(call_, "whose next_page_token came before");
  if (seen_.size() < most_pages_) return;
  failure f = misfit(call_, fmt::format("after {} others, as many as limits.answer_pages allows",
                                        most_pages_ - 1));
  f.error_class = "too_many_pages";
  f.hint = "raise limits.answer_pages if the account really has so much";
  throw f;
}

transaction_batch listed_transactions::read(const page& p, const answer& a, std::size_t from,
                                            std::size_t count) {
  transaction_batch batch;
  const std::size_t end = std::min(from + count, p.items.size());
  for (std::size_t i = from; i < end; ++i) {
    const std::size_t before = batch.transactions.size();
    if (!reader_.read(p.items[i], batch)) throw not_json(call_, a.body_bytes);
    if (batch.transactions.size() == before) continue;  // in quarantine
    const std::string_view id = batch.transactions.back()[column_of_product(what_)];
    if (id.data() == nullptr) {
      batch.rejected.push_back(reject("missing_product_id", "product_id is missing or null",
                                      batch.transactions.back().id(), p.items[i]));
      batch.transactions.pop_back();
    } else if (!ids_.contains(std::string(id))) {
      throw misfit(call_, "of a product that was not asked for");
    }
  }
  batch.unknown = reader_.take_unknown();
  const bool whole_page = from == 0 && end == p.items.size();
  if (whole_page && batch.transactions.empty() && nothing_is_an_object(batch.rejected))
    throw no_records(call_, a.body_bytes);
  return batch;
}

}  // namespace flanks
