#include "tests/sandbox/record_stream.hpp"

#include <algorithm>
#include <utility>

namespace sandbox {
namespace {

// Far beyond any ledger's own operations, so that extra records have ids of their own.
constexpr std::uint64_t first_generated_ordinal = std::uint64_t{1} << 31;

operation model_of(const ledger& of) {
  return {of.what, of.number, first_generated_ordinal, 0, 0, of.to, of.entity};
}

class remembered_body final : public body_source {
 public:
  explicit remembered_body(std::shared_ptr<const std::string> text) : text_(std::move(text)) {}
  bool fill(std::string& out) override {
    const std::size_t size = std::min(piece_size, text_->size() - at_);
    out.append(*text_, at_, size);
    at_ += size;
    return at_ < text_->size();
  }

 private:
  std::shared_ptr<const std::string> text_;
  std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<body_source> remembered_arrays::body(const generator& data, const ledger& of,
                                                     query filter) {
  const day_range days = filter.days();
  const bool whole = filter.only_days();
  auto made = std::make_unique<transactions_body>(data, of, std::move(filter), array_additions{});
  if (!whole || limit_ == 0 || of.scripted != nullptr) return made;
  array& one = arrays_[{of.number, of.entity, days.from, days.to}];
  if (one.text == nullptr || one.changed != of.changed || one.withheld != of.withheld) {
    if (one.text != nullptr) bytes_ -= one.text->size();
    one = array{};
    if (bytes_ >= limit_) return made;
    std::string text;
    while (made->fill(text)) {
    }
    bytes_ += text.size();
    one = {std::make_shared<const std::string>(std::move(text)), of.changed, of.withheld};
  }
  return std::make_unique<remembered_body>(one.text);
}

void remembered_arrays::make_anew(const generator& data, const ledger& of) {
  std::vector<day_range> remembered;
  for (const auto& [name, one] : arrays_) {
    const auto& [number, entity, from, to] = name;
    if (number == of.number && entity == of.entity) remembered.push_back({from, to});
  }
  for (const day_range days : remembered)
    body(data, of, query::of(days));
}

transactions_body::transactions_body(const generator& data, ledger of, query filter,
                                     array_additions more)
    : data_(data),
      query_(std::move(filter)),
      more_(std::move(more)),
      only_days_(query_.only_days()),
      seed_operation_(model_of(of)),
      scripted_(of.scripted),
      cursor_(std::move(of), query_.days()) {}

bool transactions_body::fill(std::string& out) {
  const auto enough = out.size() + piece_size;
  out.reserve(enough + 4096);
  if (!opened_) out += '[';
  opened_ = true;
  while (out.size() < enough)
    if (!append_next(out)) {
      out += ']';
      return false;
    }
  return true;
}

bool transactions_body::append_next(std::string& out) {
  if (records_ >= more_.raw_after && raw_ < more_.raw.size()) return append_addition(out);
  while (cursor_.next(operation_)) {
    data_.make(operation_, record_);
    if (!only_days_ && !query_.matches(record_)) continue;
    append_current(out);
    return true;
  }
  return append_scripted(out) || append_addition(out);
}

bool transactions_body::append_scripted(std::string& out) {
  while (scripted_ != nullptr && next_scripted_ < scripted_->size()) {
    const std::string& text = (*scripted_)[next_scripted_++];
    if (!query_.matches(text)) continue;
    ++records_;
    separate(out);
    out += text;
    const auto again = std::exchange(more_.duplicate, array_additions::repeat::none);
    if (again == array_additions::repeat::none) return true;
    separate(out);
    out += again == array_additions::repeat::changed ? corrected_text(text) : text;
    return true;
  }
  return false;
}

void transactions_body::append_current(std::string& out) {
  ++records_;
  separate(out);
  generator::render(record_, out);
  const auto again = more_.duplicate;
  if (again == array_additions::repeat::none) return;
  more_.duplicate = array_additions::repeat::none;
  if (again == array_additions::repeat::changed) {
    operation_.version = static_cast<std::uint8_t>(operation_.version + 1);
    data_.make(operation_, record_);
  }
  separate(out);
  generator::render(record_, out);
}

bool transactions_body::append_addition(std::string& out) {
  if (raw_ < more_.raw.size()) {
    separate(out);
    out += more_.raw[raw_++];
    return true;
  }
  if (generated_ == more_.generated) return false;
  operation extra = seed_operation_;
  extra.ordinal += generated_;
  extra.date -= std::chrono::days(generated_ % 28);
  ++generated_;
  data_.make(extra, record_);
  separate(out);
  generator::render(record_, out);
  return true;
}

void transactions_body::separate(std::string& out) {
  if (any_) out += ",\n";
  any_ = true;
}

}  // namespace sandbox
