// What the domain is made of: credentials, products, days, windows, runs. Plain values, no
// behaviour of the world.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/secret.hpp"

namespace flanks {

// The number that stands for a credentials_token everywhere outside flanks_internal
// (flanks.credentials.credential_id).
struct credential_id {
  std::int64_t value = 0;
  auto operator<=>(const credential_id&) const = default;
};

// The client's own name for an end user (flanks.user_credentials.user_id).
struct user_id {
  std::string value;
  auto operator<=>(const user_id&) const = default;
};

// The products that have transactions (API contract, section 3). The order is the order in which
// they are fetched.
enum class product : std::uint8_t { account, card, investment, liability };
inline constexpr std::array all_products{product::account, product::card, product::investment,
                                         product::liability};
[[nodiscard]] std::string_view to_string(product p);
[[nodiscard]] std::optional<product> product_from(std::string_view name);

// The lists of products themselves (API contract, section 3), in the order in which they are
// fetched.
enum class product_kind : std::uint8_t {
  account,
  card,
  investment,
  liability,
  portfolio,
  identity,  // who is behind the login
  holder,    // who holds which product
};
inline constexpr std::array all_product_kinds{product_kind::account,    product_kind::card,
                                              product_kind::investment, product_kind::liability,
                                              product_kind::portfolio,  product_kind::identity,
                                              product_kind::holder};
[[nodiscard]] std::string_view to_string(product_kind k);
[[nodiscard]] std::optional<product_kind> product_kind_from(std::string_view name);

// A calendar day without a time zone: Postgres `date`, the provider's "YYYY-MM-DD".
using day = std::chrono::sys_days;
// Seconds since the epoch, UTC.
using instant = std::chrono::sys_seconds;
inline constexpr std::chrono::seconds one_day = std::chrono::hours{24};

// "YYYY-MM-DD"; years 0001 to 9999.
[[nodiscard]] std::string to_string(day d);
// Reads exactly "YYYY-MM-DD" of a day that exists; nothing else.
[[nodiscard]] std::optional<day> day_from(std::string_view text);
// The UTC day of an instant.
[[nodiscard]] day day_of(instant t);
// "YYYY-MM-DDTHH:MM:SSZ".
[[nodiscard]] std::string to_string(instant t);

// The last day that there is: years have four digits.
inline constexpr day end_of_days{std::chrono::year{9999} / 12 / 31};

// Operation dates, both bounds included (API contract: bounds of gte/lte are inclusive). from <=
// to.
struct window {
  day from;
  day to;
  // It is asked for without an upper bound: what is dated after `to`, the day of asking, belongs to
  // it as well.
  bool open = false;
  auto operator<=>(const window&) const = default;
  [[nodiscard]] day last_day() const { return open ? end_of_days : to; }
  [[nodiscard]] bool contains(day d) const { return from <= d && d <= last_day(); }
  // Up to `to`.
  [[nodiscard]] int days() const { return static_cast<int>((to - from).count()) + 1; }
};

// What the provider says of one product of one credential (status: created/errored, the
// transactions part or the product part). Absent when the provider did not say.
struct product_status {
  std::optional<bool> created;
  std::optional<bool> errored;
  // Something stands in place of a flag that is no boolean: it says nothing, and what the product
  // lacks is no evidence of a removal.
  bool unreadable = false;

  // Its data is whole, as far as the provider says: what is not in it is not there.
  [[nodiscard]] bool proves_absence() const { return !unreadable && !errored.value_or(false); }
};

// The answer of POST /v0/bank/credentials/status (API contract, section 2), without its secrets.
struct credential_status {
  bool pending = false;
  bool blocked = false;
  bool reset_required = false;  // reset_token is not null: the user must enter a new password
  bool sca_required = false;    // sca_token is not null: strong customer authentication
  bool transaction_token_required = false;  // transaction_token is not null
  std::string bank;                         // name; empty when the provider did not say
  std::optional<instant> last_update;       // last_update_timestamp
  std::optional<instant> created_at;        // created_at_timestamp
  std::optional<day> last_transaction_date;
  std::array<product_status, all_products.size()> transactions;   // by product
  std::array<product_status, all_product_kinds.size()> products;  // by kind
  std::vector<std::string> oddities;  // what of the answer could not be used: clauses, for people

  [[nodiscard]] const product_status& of(product p) const {
    return transactions[static_cast<std::size_t>(p)];
  }
  [[nodiscard]] const product_status& of(product_kind k) const {
    return products[static_cast<std::size_t>(k)];
  }
};

// The state of a credential as operators read it (flanks.credentials.state).
enum class credential_state : std::uint8_t {
  fresh,    // "new": registered, never asked for
  pending,  // the provider has not finished the first extraction
  ok,
  action_required,  // the end user must act at the bank (SCA, reset, transaction token)
  blocked,          // the login no longer works at the bank
  error,            // the last attempt failed
  gone,             // the provider does not know it any more
  paused,           // an operator said so
};
[[nodiscard]] std::string_view to_string(credential_state s);
[[nodiscard]] std::optional<credential_state> credential_state_from(std::string_view name);

// What keeps the mirror as a whole from its work, and is of no credential.
enum class mirror_problem : std::uint8_t { fetching, claiming, reloading, clock, working };
[[nodiscard]] std::string_view to_string(mirror_problem p);
[[nodiscard]] std::optional<mirror_problem> mirror_problem_from(std::string_view name);
// For people, as a title.
[[nodiscard]] std::string_view title_of(mirror_problem p);

// Why a run happened (flanks.sync_runs.trigger).
enum class trigger : std::uint8_t { schedule, sweep, backfill, manual, repair };
[[nodiscard]] std::string_view to_string(trigger t);

// How a run ended (flanks.sync_runs.outcome). `unchanged_upstream` (never stored): not fetched,
// because the status call said that the provider has nothing newer. `not_available`: not fetched,
// because the provider is not ready to answer.
enum class outcome : std::uint8_t {
  ok,          // fetched whole, and everything stored
  partial,     // fetched whole, and some records went to quarantine
  failed,      // nothing was stored
  suspicious,  // fetched whole, but so much had vanished that a person must look
  unchanged_upstream,
  not_available,
};
[[nodiscard]] std::string_view to_string(outcome o);

// fetched == inserted + updated + unchanged + quarantined + duplicates, always (checked before
// commit).
struct row_counts {
  std::int64_t fetched = 0;  // array elements in the response
  std::int64_t inserted = 0;
  std::int64_t updated = 0;
  std::int64_t unchanged = 0;
  std::int64_t duplicates = 0;   // an _id that came again in the same response
  std::int64_t quarantined = 0;  // records that could not be stored
  std::int64_t warnings =
      0;  // stored, but changed on the way (U+0000): also in quarantine, as a warning
  std::int64_t removed = 0;  // rows that the provider no longer shows

  row_counts& operator+=(const row_counts& other);
  [[nodiscard]] bool adds_up() const {
    return fetched == inserted + updated + unchanged + duplicates + quarantined;
  }
};

}  // namespace flanks
