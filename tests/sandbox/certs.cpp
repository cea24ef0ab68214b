#include "tests/sandbox/certs.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <vector>

namespace sandbox {
namespace {

template <auto Free>
struct freed {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};
using key_ptr = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;
using cert_ptr = std::unique_ptr<X509, freed<X509_free>>;
using file_ptr = std::unique_ptr<std::FILE, freed<std::fclose>>;

struct identity {
  key_ptr key;
  cert_ptr certificate;
};

struct wish {
  std::string name;        // common name
  std::string alt_names;   // as in openssl's configuration; empty: none
  bool authority = false;  // may sign others
  long from = -86400;      // validity in seconds from now
  long to = 10L * 365 * 86400;
};

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("cannot make a certificate: ") + what);
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  check(extension != nullptr, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Signed by `issuer`, or by itself when there is none.
identity make(const wish& wanted, const identity* issuer) {
  identity out;
  out.key.reset(EVP_EC_gen("P-256"));
  out.certificate.reset(X509_new());
  check(out.key && out.certificate, "key");
  X509* certificate = out.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  unsigned char serial[8];
  check(RAND_bytes(serial, sizeof serial) == 1, "serial number");
  serial[0] &= 0x7F;
  BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
  BN_free(number);
  X509_gmtime_adj(X509_getm_notBefore(certificate), wanted.from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wanted.to);
  X509_set_pubkey(certificate, out.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(wanted.name.c_str()), -1, -1,
                             0);
  X509* parent = issuer != nullptr ? issuer->certificate.get() : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(parent));
  extend(certificate, parent, NID_subject_key_identifier, "hash");
  if (issuer != nullptr) extend(certificate, parent, NID_authority_key_identifier, "keyid");
  extend(certificate, parent, NID_basic_constraints,
         wanted.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  extend(certificate, parent, NID_key_usage,
         wanted.authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
  if (!wanted.authority) extend(certificate, parent, NID_ext_key_usage, "serverAuth");
  if (!wanted.alt_names.empty())
    extend(certificate, parent, NID_subject_alt_name, wanted.alt_names);
  EVP_PKEY* signer = issuer != nullptr ? issuer->key.get() : out.key.get();
  check(X509_sign(certificate, signer, EVP_sha256()) > 0, "signature");
  return out;
}

file_ptr open(const std::string& path) {
  file_ptr out{std::fopen(path.c_str(), "w")};
  check(out != nullptr, path.c_str());
  return out;
}

void write(const std::string& path, const identity& who, const identity* issuer) {
  {
    const auto file = open(path + ".key");
    ::chmod((path + ".key").c_str(), 0600);
    check(
        PEM_write_PrivateKey(file.get(), who.key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
        path.c_str());
  }
  const auto file = open(path + ".pem");
  check(PEM_write_X509(file.get(), who.certificate.get()) == 1, path.c_str());
  if (issuer != nullptr)
    check(PEM_write_X509(file.get(), issuer->certificate.get()) == 1, path.c_str());
}

}  // namespace

void make_certificates(const std::string& directory, const std::string& host) {
  std::filesystem::create_directories(directory);
  const auto path = [&](const char* name) { return directory + "/" + name; };
  std::string here = "DNS:localhost,IP:127.0.0.1,IP:::1";
  if (host != "localhost") here += ",DNS:" + host;
  const auto ca = make({"flanks-sandbox CA", "", true}, nullptr);
  const auto unknown = make({"some other CA", "", true}, nullptr);
  write(path("ca"), ca, nullptr);
  write(path("server"), make({host, here}, &ca), &ca);
  write(path("expired"), make({host, here, false, -3 * 86400, -86400}, &ca), &ca);
  write(path("other-host"), make({"other.example", "DNS:other.example"}, &ca), &ca);
  write(path("cn-only"), make({host, ""}, &ca), &ca);
  write(path("self-signed"), make({host, here}, nullptr), nullptr);
  write(path("unknown-ca"), make({host, here}, &unknown), &unknown);
}

}  // namespace sandbox
