// How the database is reached, and for how long anything there may take. Plain values.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "db/pg/login.hpp"
#include "db/pg/observer.hpp"
#include "sync/limits.hpp"

namespace flanks {

class token_seal;

// What has no default here is set by who makes one: the configuration has the defaults
// (config/settings.hpp), and the compiler names the field that was forgotten.
struct db_options {
  std::shared_ptr<login_source> login;  // never null; may be replaced while connections are open
  int connections;   // at least 2: one always stays free for small work (see connection_pool.hpp)
  int open_windows;  // at once (window_permits.hpp)

  std::chrono::seconds connect_timeout;  // of one address
  std::chrono::seconds statement_timeout;
  std::chrono::seconds lock_timeout;
  std::chrono::seconds idle_in_transaction_timeout;  // a window whose provider has gone quiet
  std::chrono::seconds lease_time;  // a claim ends this long after it was made or renewed
  // How long a credential is blocked until the rows that another one shows too are that one's.
  std::chrono::seconds handover_after;
  std::string
      query;  // canonical sync.query; empty: everything is asked for (flanks.coverage.query)
  sync_limits limits;
  std::shared_ptr<token_seal> seal{};  // of tokens; null or without a key: nothing is sealed

  // How long after statement_timeout a server that has not said so itself is given up.
  std::chrono::seconds answer_grace{10};
  std::chrono::seconds network_timeout{30};  // unacknowledged bytes (tcp_user_timeout)
  std::string application_name = "flanks-sync";
  std::string holder{};             // who we are, for people; empty: host:pid
  const char* pool = "workers";     // what the connections are for: a literal
  db_observer* observer = nullptr;  // must outlive them; null: nobody is told
};

}  // namespace flanks
