#include "daemon/csv.hpp"

#include <algorithm>

#include "sync/text.hpp"

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
      r.places.push_back({line_, column()});
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
      if (text_[at_] == '\n') begin_line(at_ + 1);
      field += text_[at_];
    }
    return false;
  }

  bool end_line() {
    if (text_[at_] == '\r') ++at_;
    if (!at_end() && text_[at_] == '\n') ++at_;
    begin_line(at_);
    return true;
  }

  void begin_line(std::size_t at) {
    ++line_;
    line_at_ = at;
  }
  // In characters: bytes that continue one are not counted.
  [[nodiscard]] int column() const {
    const std::string_view before = text_.substr(line_at_, at_ - line_at_);
    return 1 + static_cast<int>(std::count_if(before.begin(), before.end(), [](char c) {
             return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
           }));
  }

  std::string_view text_;
  std::size_t at_ = 0, line_at_ = 0;
  int line_ = 1;
};

}  // namespace

document parse(std::string_view text) {
  text = without_byte_order_mark(text);
  return reader(text).read();
}

}  // namespace flanks::csv
