// Who we trust: TLS 1.2 or newer, chain and host name verified, one session remembered for
// resumption.
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "sync/flanks/origin.hpp"

namespace flanks {

class tls_client {
 public:
  // Throws failure{configuration} when `ca_file` (PEM; empty: the system's store) cannot be used.
  tls_client(origin where, const std::string& ca_file);
  tls_client(const tls_client&) = delete;
  tls_client& operator=(const tls_client&) = delete;

  [[nodiscard]] boost::asio::ssl::context& context() { return context_; }
  // Before the handshake: what name we ask for and insist on, and the last session.
  void prepare(SSL* connection);

 private:
  static int keep_session(SSL* connection, SSL_SESSION* session);

  struct free_session {
    void operator()(SSL_SESSION* s) const { SSL_SESSION_free(s); }
  };

  origin where_;
  boost::asio::ssl::context context_;
  std::unique_ptr<SSL_SESSION, free_session> session_;
};

// What a handshake that went well has shown of the server.
struct certificate_facts {
  std::string protocol;  // "TLSv1.3"
  std::chrono::system_clock::time_point until;
};
// Nothing when it is not to be had.
[[nodiscard]] std::optional<certificate_facts> certificate_of(SSL* connection);

// The error class of that objection, as in sync/error_class.cpp.
[[nodiscard]] const char* certificate_class(SSL* connection);
// Why the certificate was not accepted, in OpenSSL's words; empty when it was.
[[nodiscard]] std::string certificate_objection(SSL* connection);

}  // namespace flanks
