// The way to the provider, step by step, for `flanks-sync doctor`: name, connection, TLS, clock,
// access token. Asks for nothing but a token.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <vector>

#include "sync/finding.hpp"
#include "sync/flanks/api.hpp"

namespace flanks {

// dns, tcp, tls, provider_clock, token; ends with the first that fails. Never throws `failure`.
// `options` must outlive the call; its rate is not asked: this is one request.
boost::asio::awaitable<std::vector<finding>> probe_provider(boost::asio::any_io_executor executor,
                                                            const api_options& options);

}  // namespace flanks
