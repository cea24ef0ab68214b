#include "sync/flanks/tls.hpp"

#include <fmt/format.h>
#include <openssl/x509v3.h>

#include "sync/failure.hpp"

namespace flanks {

namespace ssl = boost::asio::ssl;

namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& why) {
  throw failure{stage::configuration, verdict::stop, "bad_ca_file",
                fmt::format("cannot use {}: {}", what, why)};
}

// Asio keeps its own things in the context's app data: ours needs a place of its own.
int own_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

tls_client::tls_client(origin where, const std::string& ca_file)
    : where_(std::move(where)), context_(ssl::context::tls_client) {
  SSL_CTX* const raw = context_.native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  // A server that closes without close_notify is judged by the message it sent: our own framing
  // tells a whole one from a cut one.
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  context_.set_verify_mode(ssl::verify_peer);
  boost::system::error_code error;
  if (ca_file.empty()) {
    context_.set_default_verify_paths(error);
    if (error) refuse("the system's certificates", error.message());
  } else {
    context_.load_verify_file(ca_file, error);
    if (error) refuse(fmt::format("the CA file {}", ca_file), error.message());
  }
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_set_ex_data(raw, own_index(), this);
  SSL_CTX_sess_set_new_cb(raw, &tls_client::keep_session);
}

void tls_client::prepare(SSL* connection) {
  // OpenSSL itself compares the name (or the address) with the certificate as part of verifying the
  // chain, so a mismatch has a reason of its own. A partial wildcard is no name, and neither is the
  // common name: only subjectAltName says who a server is (RFC 9525, section 2), while OpenSSL
  // takes the common name of a certificate without one.
  X509_VERIFY_PARAM* const rules = SSL_get0_param(connection);
  X509_VERIFY_PARAM_set_hostflags(
      rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const int set = where_.is_address
                      ? X509_VERIFY_PARAM_set1_ip_asc(rules, where_.host.c_str())
                      : X509_VERIFY_PARAM_set1_host(rules, where_.host.c_str(), where_.host.size());
  const bool named =
      where_.is_address || SSL_set_tlsext_host_name(connection, where_.host.c_str()) == 1;
  if (set != 1 || !named) {
    throw failure{stage::tls, verdict::stop, "bad_base_url",
                  fmt::format("cannot ask for a certificate of {}", where_.host)};
  }
  if (session_) SSL_set_session(connection, session_.get());
}

int tls_client::keep_session(SSL* connection, SSL_SESSION* session) {
  SSL_CTX* const context = SSL_get_SSL_CTX(connection);
  auto* const self = static_cast<tls_client*>(SSL_CTX_get_ex_data(context, own_index()));
  self->session_.reset(session);
  return 1;  // the session is ours now
}

std::optional<certificate_facts> certificate_of(SSL* connection) {
  const X509* const certificate = SSL_get0_peer_certificate(connection);
  std::tm until{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &until) != 1)
    return std::nullopt;
  return certificate_facts{SSL_get_version(connection),
                           std::chrono::system_clock::from_time_t(::timegm(&until))};
}

const char* certificate_class(SSL* connection) {
  switch (SSL_get_verify_result(connection)) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "certificate_expired";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "certificate_of_another_host";
    default:
      return "untrusted_certificate";
  }
}

std::string certificate_objection(SSL* connection) {
  const long result = SSL_get_verify_result(connection);
  return result == X509_V_OK ? std::string{} : X509_verify_cert_error_string(result);
}

}  // namespace flanks
