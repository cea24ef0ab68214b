// Tokens at rest: what is sealed opens again, under its key, for its credential, unaltered; and
// what a file with a key may hold.
#include "db/token_seal.hpp"

#include <gtest/gtest.h>

#include "config/key_file.hpp"

namespace flanks {
namespace {

const secret key_a(std::string(32, 'a'));
const secret key_b(std::string(32, 'b'));
constexpr credential_id seven{7};

failure refusal_of(const token_seal& seal, const std::string& sealed, credential_id id = seven) {
  try {
    (void)seal.open(sealed, id);
  } catch (const failure& f) {
    return f;
  }
  ADD_FAILURE() << "it opened";
  return failure(stage::database, verdict::later, "", "");
}

TEST(token_seal, opens_what_it_has_sealed_and_shows_nothing_of_it) {
  const token_seal seal({key_a});
  for (const std::string token : {"t", "a-token-that-is-longer", "\xc3\xa9"}) {
    const std::string sealed = seal.seal(secret(token), seven);
    EXPECT_EQ(sealed.size(), 2 * (1 + 8 + 12 + token.size() + 16));
    EXPECT_EQ(sealed.find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_EQ(seal.open(sealed, seven).reveal(), token);
    EXPECT_TRUE(seal.is_current(sealed));
    // A nonce of its own each time.
    EXPECT_NE(seal.seal(secret(token), seven).substr(18), sealed.substr(18));
  }
}

TEST(token_seal, every_altered_bit_and_every_cut_is_refused) {
  const token_seal seal({key_a});
  const std::string sealed = seal.seal(secret("token"), seven);
  const std::string digits = "0123456789abcdef";
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    for (const unsigned bit : {1U, 8U}) {
      std::string altered = sealed;
      altered[i] = digits[digits.find(altered[i]) ^ bit];
      EXPECT_EQ(refusal_of(seal, altered).error_class, "sealed_token") << i;
    }
    EXPECT_EQ(refusal_of(seal, sealed.substr(0, i)).error_class, "sealed_token") << i;
  }
  const failure f = refusal_of(
      seal, sealed.substr(0, sealed.size() - 2) + (sealed.ends_with("00") ? "01" : "00"));
  EXPECT_EQ(f.what(), "the token of credential 7 does not open although our key " +
                          seal.fingerprint() +
                          " sealed it: its row was altered, or copied from another credential");
  EXPECT_NE(f.hint.find("flanks-sync credentials rotate 7"), std::string::npos) << f.hint;
  EXPECT_EQ(f.verdict, verdict::park);
}

TEST(token_seal, of_another_credential_does_not_open) {
  const token_seal seal({key_a});
  const std::string sealed = seal.seal(secret("token"), seven);
  EXPECT_NE(std::string(refusal_of(seal, sealed, credential_id{8}).what()).find("credential 8"),
            std::string::npos);
}

TEST(token_seal, a_wrong_key_is_told_by_fingerprints) {
  const token_seal a({key_a}), b({key_b}), none;
  const std::string sealed = a.seal(secret("token"), seven);
  EXPECT_NE(a.fingerprint(), b.fingerprint());
  const failure wrong = refusal_of(b, sealed);
  EXPECT_EQ(wrong.what(), "the token of credential 7 is sealed with key " + a.fingerprint() +
                              ", and the key that we have is " + b.fingerprint());
  EXPECT_NE(wrong.hint.find("encryption.previous_key_file"), std::string::npos) << wrong.hint;
  const failure missing = refusal_of(none, sealed);
  EXPECT_EQ(missing.what(), "the token of credential 7 is sealed with key " + a.fingerprint() +
                                ", and encryption.key_file is not set");
  EXPECT_NE(missing.hint.find("encryption.key_file"), std::string::npos) << missing.hint;
  EXPECT_FALSE(b.is_current(sealed));
  EXPECT_FALSE(none.has_key());
}

// sha256sum of 32 letters a: 3ba3f5f43b926026...
TEST(token_seal, fingerprint_is_what_sha256sum_says_of_the_key) {
  EXPECT_EQ(token_seal({key_a}).fingerprint(), "3ba3f5f43b926026");
}

TEST(token_seal, previous_key_opens_and_does_not_seal) {
  const token_seal before({key_a});
  token_seal now({key_b, key_a});
  const std::string old = before.seal(secret("token"), seven);
  EXPECT_EQ(now.open(old, seven).reveal(), "token");
  EXPECT_FALSE(now.is_current(old));
  EXPECT_TRUE(now.is_current(now.seal(secret("token"), seven)));
  EXPECT_TRUE(now.knows(before.fingerprint()));
  now.replace({key_b});
  EXPECT_FALSE(now.knows(before.fingerprint()));
  EXPECT_EQ(refusal_of(now, old).error_class, "sealed_token");
}

TEST(key_file, raw_base64_and_hexadecimal_are_32_bytes) {
  std::string raw;
  for (int i = 0; i < 32; ++i)
    raw += static_cast<char>(i * 8);
  const std::string hex = "0008101820283038404850586068707880889098a0a8b0b8c0c8d0d8e0e8f0f8";
  const std::string base64 = "AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8Pg=";
  for (const std::string& text : {raw, hex, hex + "\n", base64, base64 + "\n", base64 + "\r\n"})
    EXPECT_EQ(config::key_bytes(text), raw) << text;
}

TEST(key_file, anything_else_is_no_key) {
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string(32, 'a'), std::string(32, 'a') + "\n",
        std::string(31, '\1'), std::string(33, '\1'), std::string(64, 'g'), std::string(44, 'A'),
        std::string(43, 'A') + "=\n\n", std::string(42, 'A') + "B=", std::string(43, '!') + "="})
    EXPECT_EQ(config::key_bytes(text), "") << text;
}

}  // namespace
}  // namespace flanks
