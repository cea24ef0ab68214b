// Credentials as commands handle them: add, list, show, pause, resume, remove. Blocks; opens a
// connection of its own. Throws `failure`; failure{configuration, "unknown_credential"} for one
// that does not exist.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/pg/options.hpp"
#include "db/registration.hpp"
#include "sync/types.hpp"

namespace flanks {

// What is verified of one product (flanks.coverage).
struct coverage_row {
  std::string product;
  std::string
      days;  // ranges of operation dates, "2024-11-22 to 2026-11-22", several parted by commas
  std::string last_success_at;
  std::string last_proof, last_proof_at;  // how the last verify of it ended, and when; empty: never
};

// One line of flanks.sync_status with its users. Times are "YYYY-MM-DDTHH:MM:SSZ", empty for null.
struct credential_row {
  credential_id id;
  std::vector<user_id> users;
  std::string bank;
  std::string state;  // "paused" and "removed" included
  std::string pause_reason;
  std::string created_at, last_attempt_at, last_success_at, last_new_data_at, provider_updated_at;
  std::string last_error, last_error_hint;
  std::string what_next;
  std::int64_t transactions = 0;       // not removed; only by show()
  std::vector<coverage_row> coverage;  // only by show()
};

enum class rotated : std::uint8_t {
  replaced,   // it has another token, and is due
  revived,    // its own, sealed anew because no key opened it, and is due
  resealed,   // its own, sealed anew
  unchanged,  // its own
};

class registry {
 public:
  explicit registry(const db_options& options);
  ~registry();

  // Registers them all in one transaction, or none when one of them is refused; the outcomes are in
  // their order. One that was erased with its user is left out, unless `even_if_erased` lifts that.
  // Idempotent, gives the same id for the same token.
  std::vector<registration::outcome> add(std::span<const registration_request> wanted,
                                         bool even_if_erased = false);
  // One. Throws failure{configuration, "bad_credential"} for a token or user that is refused;
  // failure{configuration, "erased_credential"} when it was erased with its user.
  credential_id add(const user_id& user, const secret& token, bool even_if_erased = false);
  // Throws failure{configuration, "unknown_credential"} for one that was removed: its token is
  // gone; failure{"sealed_token"} when no key of ours opens it.
  [[nodiscard]] secret token_of(credential_id id);
  // All, or those of one user; removed ones only when asked for.
  [[nodiscard]] std::vector<credential_row> list(const std::optional<user_id>& user,
                                                 bool with_removed);
  [[nodiscard]] credential_row show(credential_id id);
  // Not claimed any more; a window in work is finished. The reason is for people; an empty one
  // leaves that of an earlier pause.
  void pause(credential_id id, const std::string& reason);
  // It has another token from now on (the provider rotated it): keeps its number, users and rows,
  // and is due at once. Sealed at once where there is a key. Throws failure{configuration}
  // bad_credential for a token that is refused or is another credential's, erased_credential,
  // unknown_credential.
  rotated rotate(credential_id id, const secret& token);
  // Due at once.
  void resume(credential_id id);
  // All that failed because the provider refused our keys are due at once; gives how many.
  std::int64_t retry_refused();
  // Deletes the token, the links to users and the open backfill items, and takes it off the
  // schedule; a worker that has it under its lease can no longer commit. Its transactions and their
  // history stay; another credential that shows the same rows takes them over. Adding the same
  // token again brings it back under its number.
  void remove(credential_id id);

 private:
  db_options options_;
  std::unique_ptr<pg_connection> db_;
};

}  // namespace flanks
