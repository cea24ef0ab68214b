// The network side: accepts connections (TLS or plain), reads requests, sends answers with whatever
// misbehaviour they ask for. The only room of the sandbox that knows Beast.
#pragma once

#include <cstdint>
#include <string>

#include "tests/sandbox/message.hpp"

namespace sandbox {

struct listen_options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;        // 0: any free one
  std::string port_file;         // written atomically once connections are accepted; may be empty
  std::string certificate_file;  // PEM chain; empty: plain HTTP
  std::string key_file;
};

// Serves until SIGTERM or SIGINT. One thread. Throws std::exception when it cannot listen.
void serve(const listen_options& options, service& answers);

}  // namespace sandbox
