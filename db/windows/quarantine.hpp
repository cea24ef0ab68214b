// Records that could not be stored as they came: flanks.quarantine. Blocks; throws sql_problem.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "db/pg/connection.hpp"
#include "sync/transaction.hpp"

namespace flanks::quarantine {

// Whose records: one list of one credential, and the answer that showed them.
struct list {
  credential_id credential;
  std::string_view product;
  std::string_view part;       // "transactions" or "products": what the records of the product are
  std::string run;             // sync_run_id or product_run_id
  std::optional<window> days;  // of the answer; none for products
  int limit;                   // rows of one reason and day; what comes beyond is only counted
};

// Writes them in the open transaction, and gives the numbers of their rows. One that is open
// already is not written again (promise P2); one that was resolved is open again.
[[nodiscard]] std::vector<std::int64_t> write(pg_connection& db, const list& where,
                                              std::span<const rejected_record> rejected);

// What of a list is in quarantine since earlier runs, and what an answer says of it.
class open_records {
 public:
  void load(pg_connection& db, credential_id credential, std::string_view product,
            std::string_view part);
  [[nodiscard]] bool empty() const { return records_.empty(); }
  // The answer shows a record of this _id that can be stored; after all it could not be.
  void came(std::string_view id);
  void refused(std::string_view id);
  // What write() gave: the answer shows these again.
  void met(std::span<const std::int64_t> ids) { met_.insert(ids.begin(), ids.end()); }
  // Those whose record came as it should, and not again as it was.
  [[nodiscard]] std::vector<std::int64_t> stored() const;
  // Those that did not come again as they were.
  [[nodiscard]] std::vector<std::int64_t> not_met() const;

 private:
  struct open_record {
    std::int64_t id = 0;
    std::string record_id;  // its _id; may be empty
  };
  std::vector<open_record> records_;
  std::unordered_set<std::string> ids_, came_;
  std::unordered_set<std::int64_t> met_;
};

// Marks rows as resolved by a run.
[[nodiscard]] call resolve(std::span<const std::int64_t> ids, const std::string& run);
// Marks those of records that were not stored, and whose days are clean now (coverage.unclean).
[[nodiscard]] call resolve_clean(credential_id credential, std::string_view product,
                                 const std::string& run);

}  // namespace flanks::quarantine
