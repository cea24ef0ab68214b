#include "db/token_seal.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace flanks {

namespace {

using octets = std::basic_string<unsigned char>;
using gcm_context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

constexpr unsigned char seal_version = 1;
constexpr std::size_t key_size = 32, fingerprint_size = 8, nonce_size = 12, tag_size = 16;
constexpr std::size_t nonce_at = 1 + fingerprint_size, text_at = nonce_at + nonce_size;

int int_of(std::size_t size) {
  return static_cast<int>(size);
}

const unsigned char* octets_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string hex_of(const octets& from) {
  std::string out;
  out.reserve(2 * from.size());
  for (const unsigned char c : from)
    out += fmt::format("{:02x}", c);
  return out;
}

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// As PostgreSQL's encode() writes it; empty when it is none.
octets from_hex(std::string_view text) {
  octets out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = nibble(text[i]), low = nibble(text[i + 1]);
    if (high < 0 || low < 0) return {};
    out.push_back(static_cast<unsigned char>(high * 16 + low));
  }
  return out;
}

// What else the tag covers: a token that is copied to another row does not open there.
std::string bound_to(credential_id id) {
  return fmt::format("flanks-sync credentials_token {}", id.value);
}

void must_be_one(int result) {
  if (result != 1) throw std::runtime_error("OpenSSL cannot do AES-256-GCM");
}

[[noreturn]] void refuse_sealed(credential_id id, const std::string& why, std::string hint) {
  failure f(stage::database, verdict::park, "sealed_token",
            fmt::format("the token of credential {} {}", id.value, why));
  f.hint = std::move(hint);
  throw f;
}

std::string register_anew(credential_id id) {
  return fmt::format(
      "restore its row of flanks_internal.credentials_tokens from a backup, or give it its token "
      "again: flanks-sync credentials rotate {}",
      id.value);
}

}  // namespace

struct token_seal::key {
  octets value;
  std::string fingerprint;

  explicit key(const secret& bytes) : value(octets_of(bytes.reveal()), bytes.reveal().size()) {
    if (value.size() != key_size) throw std::invalid_argument("a key has 32 bytes");
    octets digest(EVP_MAX_MD_SIZE, 0);
    must_be_one(
        EVP_Digest(value.data(), value.size(), digest.data(), nullptr, EVP_sha256(), nullptr));
    digest.resize(fingerprint_size);
    fingerprint = hex_of(digest);
  }
  key(key&&) = default;
  key(const key&) = delete;
  key& operator=(const key&) = delete;
  key& operator=(key&&) = delete;
  ~key() { OPENSSL_cleanse(value.data(), value.size()); }
};

token_seal::token_seal(const std::vector<secret>& keys) {
  replace(keys);
}

void token_seal::replace(const std::vector<secret>& keys) {
  auto made = std::make_shared<ring>();
  made->reserve(keys.size());
  for (const secret& k : keys)
    made->emplace_back(k);
  const std::lock_guard hold(mutex_);
  keys_ = std::move(made);
}

std::shared_ptr<const token_seal::ring> token_seal::keys() const {
  const std::lock_guard hold(mutex_);
  return keys_;
}

bool token_seal::has_key() const {
  return !keys()->empty();
}

std::string token_seal::fingerprint() const {
  const auto all = keys();
  return all->empty() ? std::string() : all->front().fingerprint;
}

bool token_seal::knows(std::string_view fingerprint) const {
  const auto all = keys();
  return std::any_of(all->begin(), all->end(),
                     [&](const key& k) { return k.fingerprint == fingerprint; });
}

std::string token_seal::seal(const secret& token, credential_id id) const {
  const auto all = keys();
  if (all->empty())  // a reload may have taken it away
    throw failure(stage::database, verdict::later, "sealed_token", "there is no key to seal with");
  const key& by = all->front();
  const std::string& plain = token.reveal();
  const std::string about = bound_to(id);
  octets out(text_at + plain.size() + tag_size, 0);
  out[0] = seal_version;
  out.replace(1, fingerprint_size, from_hex(by.fingerprint));
  unsigned char* const nonce = out.data() + nonce_at;
  unsigned char* const text = out.data() + text_at;
  must_be_one(RAND_bytes(nonce, int_of(nonce_size)));
  const gcm_context c(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int done = 0;
  must_be_one(EVP_EncryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, by.value.data(), nonce));
  must_be_one(EVP_EncryptUpdate(c.get(), nullptr, &done, octets_of(about), int_of(about.size())));
  must_be_one(EVP_EncryptUpdate(c.get(), text, &done, octets_of(plain), int_of(plain.size())));
  must_be_one(EVP_EncryptFinal_ex(c.get(), text + plain.size(), &done));
  must_be_one(
      EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_GET_TAG, int_of(tag_size), text + plain.size()));
  return hex_of(out);
}

secret token_seal::open(std::string_view sealed, credential_id id) const {
  octets from = from_hex(sealed);
  if (from.size() < text_at + tag_size || from[0] != seal_version)
    refuse_sealed(id, "is sealed in a format that this version of flanks-sync does not know",
                  "run the version that sealed it; if there is none, the row was altered: " +
                      register_anew(id));
  const std::string sealed_by(sealed.substr(2, 2 * fingerprint_size));
  const auto all = keys();
  const auto by = std::find_if(all->begin(), all->end(),
                               [&](const key& k) { return k.fingerprint == sealed_by; });
  if (by == all->end()) {
    const std::string why = all->empty() ? "encryption.key_file is not set"
                                         : "the key that we have is " + all->front().fingerprint;
    refuse_sealed(id, fmt::format("is sealed with key {}, and {}", sealed_by, why),
                  missing_key_hint(sealed_by, !all->empty()));
  }
  const std::string about = bound_to(id);
  const std::size_t size = from.size() - text_at - tag_size;
  unsigned char* const text = from.data() + text_at;
  std::string plain(size, '\0');
  auto* const to = reinterpret_cast<unsigned char*>(plain.data());
  const gcm_context c(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int done = 0;
  must_be_one(EVP_DecryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, by->value.data(),
                                 from.data() + nonce_at));
  must_be_one(EVP_DecryptUpdate(c.get(), nullptr, &done, octets_of(about), int_of(about.size())));
  must_be_one(EVP_DecryptUpdate(c.get(), to, &done, text, int_of(size)));
  must_be_one(EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_SET_TAG, int_of(tag_size), text + size));
  if (EVP_DecryptFinal_ex(c.get(), to + size, &done) != 1) {
    OPENSSL_cleanse(plain.data(), plain.size());
    refuse_sealed(
        id,
        fmt::format("does not open although our key {} sealed it: its row was altered, or "
                    "copied from another credential",
                    sealed_by),
        register_anew(id));
  }
  return secret{std::move(plain)};
}

bool token_seal::is_current(std::string_view sealed) const {
  const auto all = keys();
  return !all->empty() && sealed.size() > 2 * nonce_at &&
         sealed.substr(2, 2 * fingerprint_size) == all->front().fingerprint;
}

std::string missing_key_hint(std::string_view fingerprint, bool has_key) {
  return fmt::format(
      "name the file that holds key {} in encryption.{}; when that key is lost, the tokens must be "
      "given again: flanks-sync credentials rotate",
      fingerprint, has_key ? "previous_key_file" : "key_file");
}

}  // namespace flanks
