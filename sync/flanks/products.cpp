#include "sync/flanks/products.hpp"

#include <unordered_map>

#include "sync/flanks/element_scanner.hpp"
#include "sync/flanks/product_handler.hpp"
#include "sync/flanks/record_reading.hpp"

namespace flanks {

namespace {

constexpr std::string_view json_blanks = " \t\r\n";
constexpr std::size_t record_limit = 1024 * 1024;

std::string_view without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(json_blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(json_blanks) - first + 1);
}

class list_reader {
 public:
  list_reader(const answer& a, const call_info& call, const product_list& list)
      : answer_(a), call_(call), list_(list), mask_(call.secrets) {
    batch_.bytes = a.body_bytes;
    parser_.handler().set_mask(&mask_);
  }

  product_batch read() {
    const std::string_view body = without_blanks(answer_.body);
    const bool one = list_.kind == product_kind::identity && body.starts_with('{');
    if (one) {
      read_object(body);
    } else if (body.starts_with('[')) {
      read_array(body.substr(1));
    } else {
      throw from_body(answer_, call_, "a list");
    }
    return std::move(batch_);
  }

 private:
  // An object without an identification is no identity: an error, or something unheard of.
  void read_object(std::string_view body) {
    read_element(body);
    if (!batch_.rejected.empty() && batch_.rejected.front().reason == "missing_id")
      throw from_body(answer_, call_, "an identity");
  }

  void read_array(std::string_view rest) {
    element_scanner scanner;
    for (bool closed = false; !closed;) {
      const std::size_t end = scanner.find_end(rest);
      if (end == element_scanner::npos) throw cut_short(call_, answer_.body_bytes);
      if (rest[end] == '}') throw not_json(call_, answer_.body_bytes);
      closed = rest[end] == ']';
      const std::string_view element = without_blanks(rest.substr(0, end));
      const bool nothing = element.empty() && closed && batch_.elements() == 0;
      if (!nothing) read_element(element);
      rest.remove_prefix(end + 1);
    }
    if (!rest.empty()) throw not_json(call_, answer_.body_bytes);
    if (batch_.records.empty() && nothing_is_an_object(batch_.rejected))
      throw no_records(call_, answer_.body_bytes);
  }

  void read_element(std::string_view element) {
    if (element.size() > record_limit) {
      batch_.rejected.push_back(
          reject("too_long", "the record is too long", {}, mask_.applied_to_all(element)));
      return;
    }
    text_arena arena;
    product_record row;
    product_handler& handler = parser_.handler();
    const bool is_json = walk_record(parser_, element, [&](std::string_view bytes) {
      const std::string_view copy = arena.copy(bytes);
      handler.begin(copy, arena, list_, row);
      return copy;
    });
    if (!is_json) throw not_json(call_, answer_.body_bytes);
    if (auto said = objection(handler, mask_, element)) batch_.rejected.push_back(std::move(*said));
    if (handler.bad()) return;
    row.raw = mask_.applied_to_all(element);
    keep(std::move(row));
  }

  void keep(product_record row) {
    const auto [at, is_first] = by_id_.try_emplace(row.id(), batch_.records.size());
    if (is_first) {
      batch_.records.push_back(std::move(row));
      return;
    }
    product_record& earlier = batch_.records[at->second];
    if (earlier.values == row.values) {
      ++batch_.duplicates;
      return;
    }
    batch_.rejected.push_back(reject("duplicate_id",
                                     "the same identification came again with other content",
                                     row.id(), earlier.raw));
    earlier = std::move(row);
  }

  const answer& answer_;
  const call_info& call_;
  const product_list& list_;
  secret_mask mask_;
  boost::json::basic_parser<product_handler> parser_{record_options()};
  product_batch batch_;
  std::unordered_map<std::string, std::size_t> by_id_;  // its place in batch_.records
};

}  // namespace

product_batch read_products(const answer& a, const call_info& call, const product_list& list) {
  return list_reader(a, call, list).read();
}

}  // namespace flanks
