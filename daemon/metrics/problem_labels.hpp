// The labels of a problem: its series says what is wrong, whose turn it is and what to do.
#pragma once

#include <string>
#include <vector>

#include "daemon/metrics/families.hpp"
#include "sync/error_class.hpp"

namespace flanks {

// meaning and hint depend on the error class alone: they add no series. A hint of one failure may
// name a host or a file; that of its class names nobody.
[[nodiscard]] inline std::vector<prometheus::ClientMetric::Label> problem_labels(const std::string& error_class,
                                           const std::string& who_must_act) {
  const error_class_info* const known = find_error_class(error_class);
  return {{"error_class", error_class},
          {"who_must_act", who_must_act},
          {"meaning", std::string(known == nullptr ? "" : known->meaning)},
          {"hint", std::string(known == nullptr ? "" : known->hint)}};
}

}  // namespace flanks
