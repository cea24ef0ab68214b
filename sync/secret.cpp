#include "sync/secret.hpp"

#include <string.h>

namespace flanks {

void secret::wipe() noexcept {
  if (!value_.empty()) explicit_bzero(value_.data(), value_.size());
  value_.clear();
}

}  // namespace flanks
