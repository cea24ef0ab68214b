// One page of Aggregation v2, {"items": [...], "next_page_token": "..."|null|absent}, taken apart
// without losing a digit: each item stays the text that was sent (API contract, section 5). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sync/flanks/errors.hpp"
#include "sync/flanks/record.hpp"
#include "sync/types.hpp"

namespace flanks {

// The items point into the page's text.
struct page {
  std::vector<std::string_view> items;
  std::optional<std::string> next;  // the token of the next page; none on the last one
};

// Takes a whole 2xx body. Throws failure for what is no such page: then nothing of it counts. The
// items are found, not yet read: each must still be parsed strictly.
[[nodiscard]] page read_page(const answer& a, const call_info& call);

// A product of a connection as list-products says it.
struct listed_product {
  std::string id;
  std::string type;  // account, card, ...
};
[[nodiscard]] std::vector<listed_product> read_products(const page& p, const answer& a,
                                                        const call_info& call);

// Whether no transaction of the page has another date. One whose date cannot be read says nothing.
[[nodiscard]] bool shows_only(const page& p, const answer& a, const call_info& call, day on);

// From page to page. Throws failure when the provider leads in a circle, or has more than
// `most_pages` (limits.answer_pages).
class page_walk {
 public:
  page_walk(call_info call, int most_pages)
      : call_(std::move(call)), most_pages_(static_cast<std::size_t>(most_pages)) {}
  // Of the page to ask for; none for the first.
  [[nodiscard]] const std::optional<std::string>& token() const { return token_; }
  void go_on(const page& answered);
  [[nodiscard]] bool more() const { return token_.has_value(); }

 private:
  call_info call_;
  std::size_t most_pages_;
  std::optional<std::string> token_;
  std::unordered_set<std::string> seen_;
};

// Items of list-transactions -> transactions of one product whose ids are `ids`. One of another
// product fails the answer: the provider has not answered what was asked, and nobody knows what
// else it left out. One of none goes to quarantine.
class listed_transactions {
 public:
  listed_transactions(call_info call, product what, const std::vector<std::string>& ids)
      : call_(std::move(call)),
        what_(what),
        ids_(ids.begin(), ids.end()),
        reader_(call_.secrets, what) {}
  // At most `count` items of the page from `from` on.
  [[nodiscard]] transaction_batch read(const page& p, const answer& a, std::size_t from,
                                       std::size_t count);

 private:
  call_info call_;
  product what_;
  std::unordered_set<std::string> ids_;
  record_reader reader_;
};

}  // namespace flanks
