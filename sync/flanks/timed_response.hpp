// A response that tells a request_observer how its request ended (at its last byte, at what broke
// it, or when it is given up), and what the provider's clock says.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "sync/flanks/http_client.hpp"
#include "sync/request_observer.hpp"

namespace flanks {

// `told` must outlive it. `sent`: when the request began.
[[nodiscard]] std::unique_ptr<http_response> timed(std::unique_ptr<http_response> response,
                                                   request_observer& told,
                                                   std::string_view endpoint,
                                                   std::chrono::steady_clock::time_point sent);

}  // namespace flanks
