// How credentials come into the database, whoever brings them: one path for one and for many. A
// token travels as the data of a binary COPY, never as a parameter or a literal: the server logs
// those (log_statement, log_min_duration_statement, errors). It is looked up by its SHA-256.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sync/arrivals.hpp"

namespace flanks {
class pg_connection;
}

namespace flanks::registration {

struct outcome {
  standing now = standing::unknown;  // known: it is registered; erased or refused: it is not
  credential_id id{};                // when it is registered
  std::string refusal;               // begins with user_id or credentials_token; holds no value
};

// In the open transaction, in the order of `wanted`; idempotent. With `even_if_erased` an erasure
// is forgotten first. Throws sql_problem.
[[nodiscard]] std::vector<outcome> apply(pg_connection& db,
                                         std::span<const registration_request> wanted,
                                         bool even_if_erased = false);

// Why a credential did not get another token; nothing of the first four: it has it now.
struct rotation {
  bool unknown = false;                // there is no such credential, or it was removed
  std::optional<credential_id> other;  // it is that one's token
  bool erased = false;                 // the token was erased with its user
  std::string refusal;                 // begins with credentials_token; holds no value
  bool same = false;                   // it had it before
  bool sealed = false;                 // and that is sealed anew
  bool revived = false;                // because no key opened it: it is due
};
// In the open transaction (flanks.replace_credentials_token). Throws sql_problem.
[[nodiscard]] rotation replace_token(pg_connection& db, credential_id id, const secret& token);

// One for each token. Writes nothing.
[[nodiscard]] std::vector<standing> look(pg_connection& db, std::span<const secret> tokens);

}  // namespace flanks::registration
