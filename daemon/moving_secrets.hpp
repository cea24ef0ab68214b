// The secrets that may change while the daemon runs: read from files again at a reload, or printed
// by a command each time that they are needed.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "daemon/app.hpp"
#include "db/pg/login.hpp"
#include "sync/provider_keys.hpp"

namespace flanks {

// Who we are at the database, as the configuration says; database.password_command is run at each
// connect.
[[nodiscard]] login login_of(const configuration& c);

// Our keys at the provider; flanks.client_secret_command is run for each access token, on a thread
// of its own. Use it on the executor's thread only.
class moving_keys : public key_source {
 public:
  // Takes another number only when the keys are others.
  virtual void replace(const configuration& c) = 0;
};
// Destroy it before the executor's context.
[[nodiscard]] std::shared_ptr<moving_keys> make_moving_keys(boost::asio::any_io_executor executor,
                                                            const configuration& c);

}  // namespace flanks
