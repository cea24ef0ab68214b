// Makes the flanks_api that speaks HTTPS. All settings are handed in; nothing is read from anywhere
// else.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "sync/flanks/caller.hpp"
#include "sync/flanks_api.hpp"
#include "sync/limits.hpp"
#include "sync/provider_keys.hpp"
#include "sync/provider_options.hpp"
#include "sync/rate_grants.hpp"
#include "sync/rate_observer.hpp"
#include "sync/request_observer.hpp"
#include "sync/retry.hpp"

namespace flanks {

// What the configuration sets, and what only the program knows.
struct api_options : provider_options {
  std::shared_ptr<key_source> keys;      // never null
  rate_grants* rate = nullptr;           // must outlive the client; null: nobody shares it
  rate_observer* waits = nullptr;        // must outlive the client; null: nobody is told
  request_observer* requests = nullptr;  // as `waits`
  retry_policy retry;
  transaction_source source = transaction_source::v1;
  std::string
      query;  // v1 only; canonical members of the query object (query_filter.hpp); empty: no filter
  sync_limits limits;
  std::string user_agent = "flanks-sync";
};

// One client, one token, one pool of connections, one rate: for the engine and for single
// endpoints.
class provider_client : public flanks_api, public json_caller {};

// Throws failure{configuration} when the options cannot work (URL, ca_file). Opens no connection
// yet. Everything runs on `executor`, which must be one thread; the executor's context must outlive
// the object, and no call may be in flight when it is destroyed.
[[nodiscard]] std::unique_ptr<provider_client> make_flanks_api(
    boost::asio::any_io_executor executor, api_options options);

}  // namespace flanks
