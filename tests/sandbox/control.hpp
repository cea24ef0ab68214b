// The interface for tests, under /_sandbox/: look at the provider's state, change it, break it.
#pragma once

#include "tests/sandbox/counters.hpp"
#include "tests/sandbox/faults.hpp"
#include "tests/sandbox/provider.hpp"
#include "tests/sandbox/world.hpp"

namespace sandbox {

class control {
 public:
  static constexpr std::string_view prefix = "/_sandbox/";

  control(world& state, faults& broken, counters& counted, provider& answers)
      : world_(state), faults_(broken), counters_(counted), provider_(answers) {}

  // Never throws: what is wrong with an order is a 400 that says so.
  reply answer(const request& asked);

 private:
  using object = boost::json::object;
  reply route(const request& asked);
  reply credentials() const;
  reply ledger_lines(const std::string& parameters) const;
  reply list_faults() const;
  reply refresh(const object& order);
  reply status(const object& order);
  reply apply_scripts(std::string_view order);
  reply aggregation(const object& order);
  reply withhold(const object& order);
  reply time(const object& order);
  reply add_credential(const object& order);
  reply add_link(const object& order);
  // The credentials that "credentials_token" means: one, or "*".
  [[nodiscard]] std::vector<std::uint32_t> chosen(const object& order) const;

  world& world_;
  faults& faults_;
  counters& counters_;
  provider& provider_;
};

}  // namespace sandbox
