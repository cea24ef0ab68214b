// The state of the stand-in provider: which credentials exist, what their status says, and what the
// daily refreshes did to their ledgers. Small for untouched credentials, so that a million fit.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tests/sandbox/data.hpp"
#include "tests/sandbox/ledger.hpp"
#include "tests/sandbox/script.hpp"

namespace sandbox {

struct world_options {
  std::uint64_t seed = 1;
  std::uint32_t credentials = 20;
  std::uint64_t transactions = 1000;  // a credential, spread over its products
  std::vector<product> products{all_products.begin(), all_products.end()};
  unsigned months = 24;
  day today;
  bool oddities = true;
  bool joint = false;  // every fourth credential shares the account of the one before it
};

// What a test says about one credential, over what follows from the seed.
struct custom_credential {
  std::string token;        // empty: the one that follows from the seed
  std::string external_id;  // likewise
  std::string bank;
  boost::json::object status;           // merged over the generated status
  std::unique_ptr<const script> shows;  // instead of all that is generated, and of the names above
};

struct credential {
  bool deleted = false;
  std::uint32_t refreshes = 0;
  std::uint64_t transactions = 0;
  std::int64_t last_update = 0;  // Unix seconds
  std::unique_ptr<custom_credential> custom;
};

// One daily refresh: how many operations of a credential change, and how.
struct refresh_orders {
  std::uint64_t add = 0;        // new ones, of today
  std::uint64_t correct = 0;    // same _id, other amount and description
  std::uint64_t back_date = 0;  // new ones, with a date of long ago
  std::uint64_t remove = 0;
  std::uint64_t move_date = 0;  // same _id, other operationDate
  std::uint64_t renumber = 0;   // same content, new _id; the old one is gone
  std::uint64_t reappear = 0;   // removed ones come back
  double lose_fraction = 0;     // this part of every product vanishes
  std::optional<product> only;  // of this product alone
  std::int64_t advance = 3600;  // seconds that last_update_timestamp goes on
};

struct refresh_event {
  std::string_view kind;  // added, corrected, ...
  std::uint32_t credential = 0;
  product what = product::account;
  std::string id;
  std::string previous_id;  // of a renumbered one
};

class world {
 public:
  explicit world(world_options options);

  [[nodiscard]] const world_options& options() const { return options_; }
  [[nodiscard]] const generator& data() const { return data_; }
  [[nodiscard]] day today() const { return today_; }
  void set_today(day d) { today_ = d; }

  // Credentials are numbered from 0; deleted ones keep their number.
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(all_.size()); }
  [[nodiscard]] std::uint32_t deleted() const { return deleted_; }
  [[nodiscard]] const credential& at(std::uint32_t n) const { return all_[n]; }
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view token) const;
  [[nodiscard]] std::string token_of(std::uint32_t n) const;
  [[nodiscard]] std::optional<std::string> external_id_of(std::uint32_t n) const;
  [[nodiscard]] std::string_view bank_of(std::uint32_t n) const;  // lives as long as the world
  [[nodiscard]] bool has(product p) const;

  // An empty token is made up. Nothing when the token is taken.
  std::optional<std::uint32_t> add(custom_credential who, std::uint64_t transactions);
  void erase(std::uint32_t n);
  // From now on the credential shows this and nothing else, with a healthy status. It is made when
  // there is none, and is as if deleted when the script says that it is unknown.
  void apply(script what);
  [[nodiscard]] const script* script_of(std::uint32_t n) const;  // null: it is generated
  // Merges over the status, one level deep under "errored" and "created". `last_update_timestamp`
  // is an override like any other.
  void override_status(std::uint32_t n, const boost::json::object& fields);

  // The status body of section 2 of the contract.
  [[nodiscard]] boost::json::object status_of(std::uint32_t n) const;

  // A snapshot; empty when this credential has no such product.
  [[nodiscard]] ledger ledger_of(std::uint32_t n, product p) const;
  [[nodiscard]] std::uint32_t ledger_number(std::uint32_t n, product p) const;

  // From now on this credential does not show these operations of the product, and shows all others
  // again; who shares the account with it goes on showing them. False, and nothing changes, when
  // one of them is not there.
  bool withhold(std::uint32_t n, product p, const std::unordered_set<std::string>& ids);

  void refresh(std::uint32_t n, const refresh_orders& orders, std::vector<refresh_event>& done);

 private:
  [[nodiscard]] std::uint32_t owner_of(std::uint32_t n, product p) const;
  custom_credential& customize(std::uint32_t n);

  world_options options_;
  generator data_;
  day today_;
  std::vector<credential> all_;
  std::uint32_t deleted_ = 0;
  std::unordered_map<std::string, std::uint32_t> by_token_;  // tokens of their own, or scripted
  std::set<std::string> scripted_banks_;
  std::unordered_map<std::uint32_t, std::shared_ptr<const changes>> changed_;  // by ledger number
  // By credential and product.
  std::map<std::pair<std::uint32_t, product>, std::shared_ptr<const std::set<std::uint64_t>>>
      withheld_;
  std::shared_ptr<const changes> untouched_ = std::make_shared<const changes>();
};

struct bank {
  std::string_view id;
  std::string_view name;
};
[[nodiscard]] const std::array<bank, 6>& banks();

// `d` minus calendar months, clamped to the month's end.
[[nodiscard]] day months_before(day d, unsigned months);

}  // namespace sandbox
