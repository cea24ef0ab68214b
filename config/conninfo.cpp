#include "config/conninfo.hpp"

#include <algorithm>
#include <optional>

namespace flanks::config {

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

// Reads a text from its front, piece by piece.
class reader {
 public:
  explicit reader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool done() const { return text_.empty(); }
  [[nodiscard]] char next() const { return text_.empty() ? '\0' : text_.front(); }
  char take() {
    const char c = next();
    text_.remove_prefix(done() ? 0 : 1);
    return c;
  }
  bool take(char wanted) {
    const bool found = next() == wanted && !done();
    if (found) text_.remove_prefix(1);
    return found;
  }
  // Everything before the first of these characters.
  std::string_view until(std::string_view stops) {
    const std::string_view piece = text_.substr(0, text_.find_first_of(stops));
    text_.remove_prefix(piece.size());
    return piece;
  }
  void skip_blanks() {
    while (!done() && is_space(next()))
      take();
  }
  [[nodiscard]] std::string_view rest() const { return text_; }

 private:
  std::string_view text_;
};

// A backslash takes the character after it as it is. Nothing when a quote is never closed.
std::optional<std::string> take_value(reader& in) {
  std::string value;
  const bool quoted = in.take('\'');
  while (!in.done() && (quoted || !is_space(in.next()))) {
    if (quoted && in.take('\'')) return value;
    if (in.take('\\') && in.done()) break;
    value += in.take();
  }
  return quoted ? std::nullopt : std::optional{value};
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const int lower = c | 0x20;
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

class uri_reader {
 public:
  explicit uri_reader(std::string_view text) : in_(text) {}

  conninfo read() {
    user();
    hosts();
    if (in_.take('/')) keep("dbname", in_.until("?"));
    if (in_.take('?')) parameters();
    return std::move(out_);
  }

 private:
  void refuse(const char* why) {
    if (out_.wrong.empty()) out_.wrong = why;
  }

  void keep(std::string_view key, std::string_view coded) {
    if (!coded.empty()) out_.pairs.emplace_back(key, decoded(coded));
  }

  std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '%') {
        out += text[i];
        continue;
      }
      const int high = i + 2 < text.size() ? hex(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        refuse("a % is not followed by two hexadecimal digits");
        return out;
      }
      if (high == 0 && low == 0) refuse("%00 stands for no character of a text");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
    return out;
  }

  void user() {
    const std::string_view before = in_.rest().substr(0, in_.rest().find_first_of("@/"));
    if (before.size() == in_.rest().size() || in_.rest()[before.size()] != '@') return;
    keep("user", in_.until(":@"));
    if (in_.take(':')) keep("password", in_.until("@"));
    in_.take('@');
  }

  void hosts() {
    std::string names, ports;
    for (;;) {
      names += host();
      if (in_.take(':')) ports += in_.until("/?,");
      if (!in_.take(',')) break;
      names += ',';
      ports += ',';
    }
    keep("host", names);
    keep("port", ports);
  }

  std::string_view host() {
    if (!in_.take('[')) return in_.until(":/?,");
    const std::string_view address = in_.until("]");
    if (!in_.take(']')) refuse("the bracket of an IPv6 address is never closed");
    if (address.empty()) refuse("the brackets of an IPv6 address are empty");
    if (!in_.done() && std::string_view{":/?,"}.find(in_.next()) == std::string_view::npos)
      refuse("after the bracket of an IPv6 address belongs : or /");
    return address;
  }

  void parameters() {
    while (!in_.done()) {
      reader pair(in_.until("&"));
      in_.take('&');
      const std::string_view key = pair.until("=");
      if (!pair.take('=')) refuse("a parameter has no =");
      if (pair.rest().find('=') != std::string_view::npos) refuse("a parameter has two =");
      std::string name = decoded(key), value = decoded(pair.rest());
      // What JDBC calls it.
      if (name == "ssl" && value == "true") name = "sslmode", value = "require";
      out_.pairs.emplace_back(std::move(name), std::move(value));
    }
  }

  reader in_;
  conninfo out_;
};

}  // namespace

conninfo read_keywords(std::string_view text) {
  conninfo out;
  reader in(text);
  for (in.skip_blanks(); !in.done(); in.skip_blanks()) {
    const std::string_view key = in.until("= \t\n\r\f\v");
    in.skip_blanks();
    const bool has_value = !key.empty() && in.take('=');
    in.skip_blanks();
    const std::optional<std::string> value = has_value ? take_value(in) : std::nullopt;
    if (!value) {
      out.wrong = has_value ? "a quote is never closed" : "a word is no keyword=value";
      break;
    }
    out.pairs.emplace_back(key, *value);
  }
  return out;
}

conninfo read_uri(std::string_view text) {
  return uri_reader{text}.read();
}

}  // namespace flanks::config
