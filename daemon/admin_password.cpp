#include "daemon/admin_password.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <string_view>

namespace flanks {

namespace {

constexpr double most_tries = 10, tries_per_second = 0.5;

std::string decoded_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return "";
  std::string out(text.size() / 4 * 3, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) return "";
  // It counts the padding as bytes.
  const auto padding = text.ends_with("==") ? 2U : text.ends_with('=') ? 1U : 0U;
  out.resize(static_cast<std::size_t>(length) - padding);
  return out;
}

// What follows the user's name and its colon; empty when this is no Basic authentication.
secret password_in(std::string_view field) {
  constexpr std::string_view scheme = "basic ";
  if (field.size() < scheme.size()) return {};
  for (std::size_t i = 0; i < scheme.size(); ++i) {
    const char c = field[i] >= 'A' && field[i] <= 'Z' ? static_cast<char>(field[i] + 32) : field[i];
    if (c != scheme[i]) return {};
  }
  field.remove_prefix(scheme.size());
  std::string pair = decoded_base64(field);
  const std::size_t colon = pair.find(':');
  secret found(colon == std::string::npos ? "" : pair.substr(colon + 1));
  OPENSSL_cleanse(pair.data(), pair.size());
  return found;
}

}  // namespace

admin_password::admin_password(const secret& password)
    : asked_(!password.empty()), expected_(digest_of(password)), tries_(most_tries) {}

admin_password::digest admin_password::digest_of(const secret& password) {
  digest made{};
  const std::string& bytes = password.reveal();
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), made.data());
  return made;
}

std::optional<admin_answer> admin_password::objection(
    const std::optional<std::string>& authorization, clock::time_point now) {
  if (!asked_) return std::nullopt;
  if (!authorization)
    return admin_answer{401,
                        "this needs the password of admin.password_file, with any user name\n"};
  if (counted_ != clock::time_point{}) {
    const double seconds = std::chrono::duration<double>(now - counted_).count();
    tries_ = std::min(most_tries, tries_ + seconds * tries_per_second);
  }
  counted_ = now;
  if (tries_ < 1) {
    admin_answer later{429, "too many wrong passwords: try again in two seconds\n"};
    later.retry_after = 2;
    return later;
  }
  const digest given = digest_of(password_in(*authorization));
  if (CRYPTO_memcmp(given.data(), expected_.data(), given.size()) == 0) return std::nullopt;
  tries_ -= 1;
  return admin_answer{401,
                      "the password is wrong: admin.password_file names the file that holds it\n"};
}

}  // namespace flanks
