#include "sync/health.hpp"

#include "sync/error_class.hpp"

namespace flanks {

bool is_providers_fault(std::string_view error_class) {
  const error_class_info* const known = find_error_class(error_class);
  return known != nullptr && known->providers_fault;
}

verdict_on_provider judge(const credential_report& report) {
  if (report.stopped_by || report.lease_lost) return verdict_on_provider::nothing;
  if (report.unauthorized) return verdict_on_provider::refused;
  if (report.windows_stored > 0 || report.ok()) return verdict_on_provider::well;
  return is_providers_fault(report.error_class) ? verdict_on_provider::failed
                                                : verdict_on_provider::nothing;
}

std::chrono::seconds provider_health::begin(const std::string& bank, clock::time_point now) {
  const auto own = banks_.find(bank);
  if (own != banks_.end()) {
    const std::chrono::seconds wait = own->second.wait(now);
    if (wait.count() > 0) return wait;
    own->second.take(now);
  }
  api_.take(now);
  return std::chrono::seconds{0};
}

std::vector<provider_health::change> provider_health::note(const std::string& bank,
                                                           verdict_on_provider how,
                                                           clock::time_point now) {
  std::vector<change> changes;
  if (how == verdict_on_provider::nothing) return changes;
  if (how == verdict_on_provider::well) {
    if (!api_.closed()) changes.push_back({false, "", {}});
    api_.succeeded();
    const auto own = banks_.find(bank);
    if (own != banks_.end() && !own->second.closed()) changes.push_back({false, bank, {}});
    if (own != banks_.end()) banks_.erase(own);
    banks_in_a_row_.clear();
    nameless_in_a_row_ = refused_in_a_row_ = 0;
    return changes;
  }
  if (how == verdict_on_provider::refused) ++refused_in_a_row_;
  if (bank.empty()) {
    ++nameless_in_a_row_;
  } else {
    banks_in_a_row_.insert(bank);
  }
  const auto fail = [&](breaker& which, const std::string& name, bool opens) {
    const bool was_open = which.wait(now).count() > 0;
    which.failed(now, opens);
    const bool opened = !was_open && !which.closed() && which.places(now) == 0;
    if (opened) changes.push_back({true, name, which.pause()});
  };
  fail(api_, "", concerns_several_banks());
  if (!bank.empty()) fail(banks_.try_emplace(bank, policy_).first->second, bank, true);
  return changes;
}

}  // namespace flanks
