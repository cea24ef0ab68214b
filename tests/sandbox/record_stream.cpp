#include "tests/sandbox/record_stream.hpp"

namespace sandbox {
namespace {

// Far beyond any ledger's own operations, so that extra records have ids of their own.
constexpr std::uint64_t first_generated_ordinal = std::uint64_t{1} << 31;

operation model_of(const ledger& of) {
  return {of.what, of.number, first_generated_ordinal, 0, 0, of.to, of.entity};
}

}  // namespace

transactions_body::transactions_body(const generator& data, ledger of, query filter,
                                     array_additions more)
    : data_(data),
      query_(std::move(filter)),
      more_(std::move(more)),
      only_days_(query_.only_days()),
      seed_operation_(model_of(of)),
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
  return append_addition(out);
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
