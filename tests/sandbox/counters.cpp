#include "tests/sandbox/counters.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>

namespace sandbox {
namespace {

namespace json = boost::json;
using tally = std::map<std::string, std::uint64_t, std::less<>>;

void count(tally& in, std::string_view name) {
  const auto found = in.find(name);
  if (found != in.end())
    ++found->second;
  else
    in.emplace(name, 1);
}

json::object listed(const tally& from) {
  json::object out;
  for (const auto& [name, value] : from)
    out[name] = value;
  return out;
}

}  // namespace

void counters::connected() {
  ++connections_accepted_;
  most_connections_ = std::max(most_connections_, ++connections_open_);
}

void counters::disconnected() {
  --connections_open_;
}

void counters::called(std::string_view endpoint) {
  ++requests_;
  count(endpoints_, endpoint);
}

std::shared_ptr<void> counters::begin(const std::string& credentials_token,
                                      std::string_view endpoint) {
  of_credential& one = credentials_[credentials_token];
  count(one.calls, endpoint);
  constexpr std::size_t most = 1'000'000;
  if (endpoint == "status" && status_calls_.size() < most) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    status_calls_.emplace_back(credentials_token,
                               std::chrono::duration_cast<std::chrono::microseconds>(now).count());
  }
  one.most_running = std::max(one.most_running, ++one.running);
  most_running_ = std::max(most_running_, ++running_);
  return {static_cast<void*>(this), [this, credentials_token](void*) {
            --running_;
            --credentials_[credentials_token].running;
          }};
}

void counters::asked_for_days(std::string days) {
  constexpr std::size_t most = 10000;
  if (days_.size() < most) days_.push_back(std::move(days));
}

void counters::reset() {
  connections_accepted_ = handshakes_resumed_ = requests_ = unauthorized_ = tokens_issued_ =
      faults_served_ = 0;
  most_connections_ = connections_open_;
  most_running_ = running_;
  endpoints_.clear();
  days_.clear();
  status_calls_.clear();
  std::erase_if(credentials_, [](const auto& entry) { return entry.second.running == 0; });
  for (auto& [token, one] : credentials_) {
    one.calls.clear();
    one.most_running = one.running;
  }
}

json::object counters::report() const {
  json::object credentials;
  for (const auto& [token, one] : credentials_) {
    json::object entry = listed(one.calls);
    entry["max_concurrent"] = one.most_running;
    credentials[token] = std::move(entry);
  }
  json::array status_calls;
  for (const auto& [token, at] : status_calls_)
    status_calls.push_back(json::array{token, at});
  return {{"requests", requests_},
          {"token_calls", endpoints_.contains("token") ? endpoints_.find("token")->second : 0},
          {"tokens_issued", tokens_issued_},
          {"unauthorized", unauthorized_},
          {"faults_served", faults_served_},
          {"connections_accepted", connections_accepted_},
          {"handshakes_resumed", handshakes_resumed_},
          {"connections_open", connections_open_},
          {"max_connections", most_connections_},
          {"max_concurrent", most_running_},
          {"endpoints", listed(endpoints_)},
          {"days", json::array(days_.begin(), days_.end())},
          {"status_calls", std::move(status_calls)},
          {"credentials", std::move(credentials)}};
}

}  // namespace sandbox
