#include "sync/secret.hpp"

#include <functional>

#include <string.h>

namespace flanks {

void secret::wipe() noexcept {
  if (!value_.empty()) explicit_bzero(value_.data(), value_.size());
  value_.clear();
}

std::size_t secret_hash::operator()(const secret& s) const {
  return std::hash<std::string>{}(s.reveal());
}

bool secret_equal::operator()(const secret& a, const secret& b) const {
  return a.reveal() == b.reveal();
}

}  // namespace flanks
