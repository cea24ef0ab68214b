// The provider's endpoints, as the API contract describes them: who may call, what is asked, what
// is answered. Strict: whatever the contract does not allow is an error.
#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "tests/sandbox/counters.hpp"
#include "tests/sandbox/faults.hpp"
#include "tests/sandbox/message.hpp"
#include "tests/sandbox/query.hpp"
#include "tests/sandbox/record_stream.hpp"
#include "tests/sandbox/world.hpp"

namespace sandbox {

struct provider_options {
  std::string client_id = "sandbox-client";
  std::string client_secret = "sandbox-secret";
  std::string grant_type = "client_credentials";
  std::string username;
  std::string password;
  std::chrono::seconds token_lifetime{3600};
  std::size_t remember = 0;  // bytes of arrays of transactions
};

// A code that the end user's browser would bring back (contract, section 5).
struct link {
  std::string code;
  std::string link_token;
  std::string external_id;
  std::string bank;
  std::uint64_t transactions = 0;
};

// How this deployment speaks Aggregation v2 (contract, section 5, [seen]).
struct aggregation_style {
  enum class dates_filter { take, refuse, ignore } dates = dates_filter::take;
  bool absent_end = false;        // no next_page_token at all after the last page, else null
  std::string type_key = "type";  // of a listed product
  bool capital = false;           // Account, else account
};

// One call, past the access token.
struct call {
  const request& asked;
  const boost::json::object& body;          // empty for GET
  std::optional<std::uint32_t> credential;  // the one that credentials_token names
  std::optional<fault> broken;
};

class provider {
 public:
  provider(world& state, faults& broken, counters& counted, provider_options options);

  reply answer(const request& asked);

  void expire_tokens() { expires_.clear(); }
  // Something was done to the credential's operations: what is remembered of them is made anew now,
  // and not when it is asked for.
  void changed(std::uint32_t credential);
  void speak(aggregation_style how) { style_ = std::move(how); }
  const link& add_link(link one);  // an empty code or link_token is made up

  // An answer of the kind ValidationError, with a fresh trace_id.
  reply invalid(const std::vector<complaint>& complaints);

 private:
  using handler = reply (provider::*)(const call&);
  struct route {
    std::string_view method;
    std::string_view path;
    std::string_view endpoint;  // as faults and counters name it
    handler answer;
    bool needs_credential;
  };
  static const std::vector<route>& routes();

  reply dispatch(const route& to, const request& asked, std::optional<fault>& broken,
                 std::shared_ptr<void>& in_flight);
  [[nodiscard]] bool authorized(const request& asked);
  reply token(const call& c);
  std::string fresh(std::string_view prefix);  // a token or id that was never given out

  // provider_connect.cpp: how credentials arrive, what they are, how they leave
  reply list_credentials(const call& c);
  reply status(const call& c);
  reply force(const call& c);
  reply remove(const call& c);
  reply available(const call& c);
  reply list_links(const call& c);
  reply exchange_link(const call& c);
  reply list_sessions(const call& c);

  // provider_data.cpp: products and transactions of one credential
  template <product P>
  reply transactions(const call& c);
  template <product P>
  reply products(const call& c);
  reply portfolio(const call& c);
  reply identity(const call& c);
  reply holder(const call& c);
  // Why there is no data (contract, "When there is no data"); nothing when there is.
  std::optional<reply> unavailable(const call& c, std::string_view part, std::string_view name);

  // provider_aggregation.cpp: the newer, paged calls
  reply aggregation_transactions(const call& c);
  reply aggregation_products(const call& c);

  world& world_;
  faults& faults_;
  counters& counters_;
  provider_options options_;
  remembered_arrays arrays_;
  std::uint64_t given_out_ = 0;
  std::unordered_map<std::string, std::chrono::steady_clock::time_point> expires_;
  std::deque<link> links_;
  aggregation_style style_;
};

// Says which members of `body` the contract does not name.
std::vector<complaint> unknown_members(const boost::json::object& body,
                                       std::initializer_list<std::string_view> known);

// What product objects and transactions agree on: the JSON object of the n-th product of a ledger.
void append_product(const world& from, std::uint32_t credential, product p, unsigned n,
                    std::string& out);

}  // namespace sandbox
