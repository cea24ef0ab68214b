// When one credential takes over a real account from another one that shows it no longer (design,
// promise P13). A pure decision; what is read and written for it is in db/successions.
#pragma once

#include <cstdint>
#include <string>

#include "sync/types.hpp"

namespace flanks {

// One real account of one product that two credentials show.
struct succession_pair {
  std::int64_t real_account = 0;
  std::string what;  // the product
  credential_id from, to;
};

struct succession_facts {
  std::int64_t compared = 0;  // operations of the old credential on days that both have read
  std::int64_t paired = 0;    // of them, those that the new one shows alike
  bool same_iban = false;     // both show the same one
};

enum class succession_verdict : std::uint8_t {
  nothing,  // no day that both have read holds an operation
  confirm,
  review,  // a person must look
};
[[nodiscard]] succession_verdict decide_succession(const succession_facts& facts);

}  // namespace flanks
