// How credentials arrive: what the provider lists becomes what is registered here. Everything may
// be done again and changes nothing then.
//
// A credential without a user is not registered but counted: nobody could ask for its rows by user,
// and nobody could have them erased. A token that is known here is left as it is, whatever user the
// provider names: the operator's own links are the truth. One that an operator removed, or that was
// erased with its user, does not come back by being listed.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "sync/clock.hpp"
#include "sync/credential_source.hpp"
#include "sync/failure.hpp"
#include "sync/limits.hpp"
#include "sync/secret.hpp"
#include "sync/types.hpp"

namespace flanks {

// What a token is to us.
enum class standing : std::uint8_t {
  unknown,
  known,
  removed,  // by an operator; its rows are here
  erased,   // with its user
  refused,  // the user's name or the token cannot be registered
};

// A credential that is to be registered for a user.
struct registration_request {
  user_id user;
  secret token;
};

// The register of credentials, as arriving needs it. Throws `failure`.
class credential_book {
 public:
  virtual ~credential_book() = default;
  // One for each token, in their order. Writes nothing.
  virtual boost::asio::awaitable<std::vector<standing>> look(std::vector<secret> tokens) = 0;
  // One for each, in their order: `known` when it is registered now; erased or refused when it is
  // not. All in one transaction; idempotent.
  virtual boost::asio::awaitable<std::vector<standing>> add(
      std::vector<registration_request> wanted) = 0;
  // Does everything that add() would do for a new token, and undoes it: `refused` when the user's
  // name cannot be registered; throws when the database could not do it.
  virtual boost::asio::awaitable<standing> rehearse(user_id user) = 0;
};

struct arrival_options {
  bool dry_run = false;      // register nothing: `added` counts what would be
  std::string default_user;  // for those that come without one; empty: there is none
  sync_limits limits;
};

struct arrival_counts {
  std::int64_t pages = 0;
  std::int64_t seen =
      0;  // different tokens = added + known + removed + erased + without_user + refused
  std::int64_t added = 0;
  std::int64_t known = 0;
  std::int64_t removed = 0;
  std::int64_t erased = 0;
  std::int64_t without_user = 0;
  std::int64_t refused = 0;
  std::int64_t unusable = 0;  // items without a token
  // Why reading ended before the pages did; what they had until then was taken. Keys of the limits
  // that were reached ("limits.discovery_pages"), or "repeated_pages".
  std::vector<std::string_view> cut_short_by;
};

// All pages of the provider's list.
[[nodiscard]] boost::asio::awaitable<arrival_counts> discover(credential_source& from,
                                                              credential_book& into,
                                                              arrival_options options);
// All finished Connect sessions. A session names no user: the list does, when it knows the token.
[[nodiscard]] boost::asio::awaitable<arrival_counts> take_sessions(credential_source& from,
                                                                   credential_book& into,
                                                                   arrival_options options);

struct exchange_options {
  std::string user_from = "external_id";  // which parameter of the link names the user
  std::string default_user;
};
struct exchange_counts {
  std::int64_t codes = 0;
  std::int64_t exchanged = 0;  // and registered
  std::int64_t used_up = 0;    // by somebody else, between the list and us
  std::int64_t without_user = 0;
  std::int64_t refused = 0;  // the user's name cannot be registered: not exchanged
  std::int64_t erased = 0;   // exchanged, but the token was erased with its user before
};
// Exchanges every unused link code whose user is known, and registers the credential in the same
// breath. A code can be exchanged only once: so the database rehearses the registration first, and
// afterwards it is tried again and again for about half a minute. When it fails all the same, or
// the provider's answer gets lost, the failure says so, and that `credentials discover` finds it.
[[nodiscard]] boost::asio::awaitable<exchange_counts> exchange_links(credential_source& from,
                                                                     credential_book& into,
                                                                     engine_clock& clock,
                                                                     exchange_options options);

}  // namespace flanks
