// What a proof needs of the database and says about it: the provider's rows beside the stored ones,
// value by value. Nothing here changes the mirror.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sync/store.hpp"
#include "sync/transaction.hpp"
#include "sync/types.hpp"

namespace flanks {

enum class difference_kind : std::uint8_t {
  missing,  // the provider shows it, the database does not have it
  extra,    // the database has it as current, the provider does not show it
  altered,  // both have it, with other values; or the database has it as removed
};
[[nodiscard]] std::string_view to_string(difference_kind k);

// One column of one row that differs. As PostgreSQL writes the values; nothing is null. Each at
// most 2000 characters long.
struct value_difference {
  std::string column;
  std::optional<std::string> provider, database;
};

struct row_difference {
  difference_kind what = difference_kind::missing;
  std::string id;                        // the operation's _id
  std::vector<value_difference> values;  // of an altered row, in table order
};

// What a comparison found. The first differences by _id are listed, all are counted.
struct comparison {
  std::int64_t compared = 0;     // operations that either side has
  std::int64_t quarantined = 0;  // shown by the provider, in quarantine: not compared
  std::int64_t missing = 0, extra = 0, altered = 0;
  std::vector<row_difference> listed;

  [[nodiscard]] std::int64_t differences() const { return missing + extra + altered; }
};

// repaired: it was different, the window was written anew, and is equal now.
enum class proof_outcome : std::uint8_t { equal, different, repaired, not_verifiable, failed };
[[nodiscard]] std::string_view to_string(proof_outcome o);

// One line of flanks.verifications.
struct proof_record {
  std::string run_id;  // uuid: one verify command
  credential_id credential;
  product what = product::account;
  std::optional<window> days;  // absent when nothing was compared
  proof_outcome outcome = proof_outcome::equal;
  comparison found;
  std::string detail;                      // one sentence; may be empty
  std::optional<instant> provider_update;  // the provider's last refresh
  instant started_at;
};

// One window of one product: takes the provider's rows, then compares all of them at once.
// Destroying it leaves nothing behind.
class comparison_ledger {
 public:
  virtual ~comparison_ledger() = default;
  // In the order of arrival: of an _id that comes twice, the later one counts.
  virtual boost::asio::awaitable<void> apply(transaction_batch batch) = 0;
  // Lists at most `limit` differences. Throws failure{lease} when the lease was lost meanwhile:
  // then rows may have moved under the comparison.
  virtual boost::asio::awaitable<comparison> compare(int limit) = 0;
};

// Throws `failure` like store.
class proof_store {
 public:
  virtual ~proof_store() = default;
  // What flanks.coverage says is verified of one product, oldest first, without gaps inside.
  virtual boost::asio::awaitable<std::vector<window>> covered(credential_id id, product what) = 0;
  virtual boost::asio::awaitable<std::unique_ptr<comparison_ledger>> open(credential_id id,
                                                                          lease_id lease,
                                                                          product what,
                                                                          window days) = 0;
  virtual boost::asio::awaitable<void> record(proof_record record) = 0;
};

}  // namespace flanks
