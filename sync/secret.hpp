// A value that must never be seen: it cannot be printed, formatted or compared by accident. It is
// not encryption.
#pragma once

#include <iosfwd>
#include <string>
#include <utility>

namespace flanks {

// Owns a secret (access token, credentials_token, password). The bytes are wiped when it dies.
class secret {
 public:
  secret() = default;
  explicit secret(std::string value) : value_(std::move(value)) {}
  secret(const secret&) = default;
  secret(secret&& other) noexcept : value_(std::move(other.value_)) { other.wipe(); }
  secret& operator=(const secret& other) {
    if (this != &other) wipe(), value_ = other.value_;
    return *this;
  }
  secret& operator=(secret&& other) noexcept {
    if (this != &other) wipe(), value_ = std::move(other.value_), other.wipe();
    return *this;
  }
  ~secret() { wipe(); }

  // The only way out. Call it where the value goes onto the wire or into a file key, nowhere else.
  [[nodiscard]] const std::string& reveal() const { return value_; }
  [[nodiscard]] bool empty() const { return value_.empty(); }

 private:
  void wipe() noexcept;

  std::string value_;
};

// For sets and maps of secrets, in memory only.
struct secret_hash {
  [[nodiscard]] std::size_t operator()(const secret& s) const;
};
struct secret_equal {
  [[nodiscard]] bool operator()(const secret& a, const secret& b) const;
};

// A secret never reaches a stream; without a fmt::formatter it does not reach a log line either.
std::ostream& operator<<(std::ostream&, const secret&) = delete;

}  // namespace flanks
