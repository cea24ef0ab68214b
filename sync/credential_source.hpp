// Where credentials come from at the provider: its list, its link codes, its finished Connect
// sessions; and how one is deleted there (API contract, sections 2 and 5). Apart from flanks_api:
// who mirrors a credential needs none of this. Throws `failure`; what it returns is a whole,
// well-formed, 2xx answer.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sync/secret.hpp"

namespace flanks {

struct listed_credential {
  secret token;
  std::string external_id;  // the client's own user; empty when the provider did not say
};
struct listed_page {
  std::vector<listed_credential> items;
  std::int64_t unusable = 0;          // items without a credentials_token
  std::optional<std::int64_t> pages;  // how many there are; nothing when the provider did not say
};

// One that nobody has exchanged yet. Whoever has the code can exchange it: a secret.
struct link_code {
  secret code;
  std::vector<std::pair<std::string, std::string>> extra;  // parameters of the link's URL
  // The value of one parameter; empty when there is none.
  [[nodiscard]] std::string parameter(const std::string& name) const {
    for (const auto& [key, value] : extra) {
      if (key == name) return value;
    }
    return {};
  }
};

struct session_page {
  std::vector<secret> connections;  // credentials_tokens of sessions that finished well
  std::int64_t unusable = 0;        // items without a connection_id
  std::string next_page_token;      // empty: this was the last page
};

class credential_source {
 public:
  virtual ~credential_source() = default;

  // POST /v0/bank/credentials/list; pages are counted from 1.
  virtual boost::asio::awaitable<listed_page> list(std::int64_t page) = 0;
  // DELETE /v0/bank/credentials. False when the provider did not know it any more (404).
  virtual boost::asio::awaitable<bool> forget(const secret& token) = 0;
  // GET /v0/platform/link.
  virtual boost::asio::awaitable<std::vector<link_code>> links() = 0;
  // POST /v0/platform/link: the credentials_token of a code, once. Nothing when the code is used up
  // (404). It is not asked again when the answer got lost: then it is used up as well.
  virtual boost::asio::awaitable<std::optional<secret>> exchange(const secret& code) = 0;
  // POST /connect/v2/sessions/list-sessions, those that finished well; an empty token asks for the
  // first page.
  virtual boost::asio::awaitable<session_page> sessions(const std::string& page_token) = 0;
};

}  // namespace flanks
