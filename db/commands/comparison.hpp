// One window of the provider beside the stored one, in one database transaction that is never
// committed. Blocks; lives on one connection. Throws sql_problem, and `failure` for a lost lease.
// Destroying it touches nothing: whoever owns the connection rolls back.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "db/pg/connection.hpp"
#include "db/windows/window.hpp"
#include "sync/proof.hpp"

namespace flanks {

class window_comparison {
 public:
  // Begins the transaction and makes its temporary tables. `scope.item` does not matter.
  window_comparison(pg_connection& db, window_scope scope);

  // In the order of arrival.
  void take(std::vector<transaction_batch>& batches);
  // Lists at most `limit` differences, by _id.
  [[nodiscard]] comparison compare(int limit);

 private:
  using rows = std::span<const transaction* const>;

  void copy_shown(rows shown);
  void refuse(std::string_view id);
  void check_lease();
  [[nodiscard]] comparison count();

  pg_connection& db_;
  window_scope scope_;
};

}  // namespace flanks
