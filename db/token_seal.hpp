// Tokens at rest: sealed with AES-256-GCM (NIST SP 800-38D) under a key that the database never
// sees, and bound to their credential. What is sealed names its key by a fingerprint, so that a
// wrong key is told from bytes that were altered.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "sync/failure.hpp"
#include "sync/secret.hpp"
#include "sync/types.hpp"

namespace flanks {

// Any thread may use it.
class token_seal {
 public:
  // Keys of 32 bytes each; the first seals, all of them open. None: nothing is sealed or opened.
  explicit token_seal(const std::vector<secret>& keys = {});
  // What has begun goes on with the old ones.
  void replace(const std::vector<secret>& keys);

  [[nodiscard]] bool has_key() const;
  // Of the key that seals: the first 8 bytes of its SHA-256 in hexadecimal. Empty: there is none.
  [[nodiscard]] std::string fingerprint() const;
  // One of the keys has this fingerprint.
  [[nodiscard]] bool knows(std::string_view fingerprint) const;

  // In hexadecimal: version (1 byte), fingerprint (8), nonce (12), ciphertext, tag (16). Throws
  // std::logic_error without a key, std::runtime_error when OpenSSL fails.
  [[nodiscard]] std::string seal(const secret& token, credential_id id) const;
  // Throws failure {database, park, "sealed_token"}: there is no key, or another one sealed it; it
  // was altered; it belongs to another credential.
  [[nodiscard]] secret open(std::string_view sealed, credential_id id) const;
  // What is stored is as seal() would leave it: by the key that seals.
  [[nodiscard]] bool is_current(std::string_view sealed) const;

 private:
  struct key;
  using ring = std::vector<key>;
  [[nodiscard]] std::shared_ptr<const ring> keys() const;

  mutable std::mutex mutex_;
  std::shared_ptr<const ring> keys_;  // never null
};

// What an operator does about a key that is not there. `has_key`: some other one is.
[[nodiscard]] std::string missing_key_hint(std::string_view fingerprint, bool has_key);

}  // namespace flanks
