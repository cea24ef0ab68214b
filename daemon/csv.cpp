#include "daemon/csv.hpp"

namespace flanks::csv {

namespace {

class reader {
 public:
  explicit reader(std::string_view text) : text_(text) {}

  document read() {
    document whole;
    while (at_ < text_.size()) {
      record next;
      next.line = line_;
      if (!read_record(next)) {
        whole.broken_line = next.line;
        break;
      }
      const bool blank = next.fields.size() == 1 && next.fields[0].empty();
      if (!blank) whole.records.push_back(std::move(next));
    }
    return whole;
  }

 private:
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }

  // False when its quotes are broken.
  bool read_record(record& r) {
    for (;;) {
      std::string field;
      const bool quoted = !at_end() && text_[at_] == '"';
      if (quoted ? !read_quoted(field) : !read_plain(field)) return false;
      r.fields.push_back(std::move(field));
      if (at_end()) return true;
      if (text_[at_] == ',') {
        ++at_;
        continue;
      }
      return end_line();
    }
  }

  bool read_plain(std::string& field) {
    while (!at_end() && text_[at_] != ',' && text_[at_] != '\n' && text_[at_] != '\r')
      field += text_[at_++];
    return true;
  }

  bool read_quoted(std::string& field) {
    for (++at_; !at_end(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        if (at_end() || text_[at_] != '"')
          return at_end() || text_[at_] == ',' || text_[at_] == '\n' || text_[at_] == '\r';
      }
      if (text_[at_] == '\n') ++line_;
      field += text_[at_];
    }
    return false;
  }

  bool end_line() {
    if (text_[at_] == '\r') ++at_;
    if (!at_end() && text_[at_] == '\n') ++at_;
    ++line_;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

document parse(std::string_view text) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  return reader(text).read();
}

}  // namespace flanks::csv
