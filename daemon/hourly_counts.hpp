// How often something happened in this process, hour by hour, for a day. Fixed size; an hour is
// one of the clock (UTC).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace flanks {

class hourly_counts {
 public:
  using hour = std::chrono::time_point<std::chrono::system_clock, std::chrono::hours>;
  static constexpr std::size_t size = 24;

  explicit hourly_counts(hour since) : since_(since) {}

  void add(hour now) {
    slot& s = slots_[index(now)];
    if (s.at != now) s = {now, 0};
    ++s.count;
  }
  // Nothing for an hour before the first one: nobody counted then.
  [[nodiscard]] std::optional<std::int64_t> in(hour h) const {
    if (h < since_) return std::nullopt;
    const slot& s = slots_[index(h)];
    return s.at == h ? s.count : 0;
  }

 private:
  struct slot {
    hour at{};
    std::int64_t count = 0;
  };
  static std::size_t index(hour h) {
    return static_cast<std::size_t>(h.time_since_epoch().count()) % size;
  }

  hour since_;
  std::array<slot, size> slots_;
};

}  // namespace flanks
