#include "sync/store.hpp"

#include <fmt/format.h>

namespace flanks {

failure unconfirmed_answer(credential_id id, std::string_view list) {
  return {stage::commit, verdict::retry, "unconfirmed_answer",
          fmt::format("credential {}: its {} lack rows that are stored, or show rows of another "
                      "list, in an answer over a connection that had rested; nothing was stored",
                      id.value, list)};
}

bool is_unconfirmed(const failure& f) {
  return f.error_class == "unconfirmed_answer";
}

}  // namespace flanks
