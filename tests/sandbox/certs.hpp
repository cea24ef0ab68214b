// Certificates for tests: a CA, a server that it vouches for, and servers that nobody should trust.
#pragma once

#include <string>

namespace sandbox {

// Writes into `directory` (made when missing): ca, server (for `host`, localhost and 127.0.0.1),
// expired, other-host, cn-only (`host` as its common name and nowhere else), self-signed,
// unknown-ca; each NAME.pem (leaf first, then its CA) and NAME.key. Throws std::runtime_error.
void make_certificates(const std::string& directory, const std::string& host);

}  // namespace sandbox
