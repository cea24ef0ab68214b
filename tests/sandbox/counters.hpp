// What the clients did, for tests that ask "how often did it call?".
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sandbox {

class counters {
 public:
  void connected();
  void disconnected();
  void resumed() { ++handshakes_resumed_; }
  void called(std::string_view endpoint);
  void refused_token() { ++unauthorized_; }
  void issued_token() { ++tokens_issued_; }
  void faulty() { ++faults_served_; }
  // A call asked for these days of Aggregation v2: "2026-01-01..2026-01-31", "2026-01-01..", or "".
  void asked_for_days(std::string days);
  // Counts a call for this credential; it runs until the result is released.
  [[nodiscard]] std::shared_ptr<void> begin(const std::string& credentials_token,
                                            std::string_view endpoint);
  // What runs or is open goes on being counted.
  void reset();
  [[nodiscard]] boost::json::object report() const;

 private:
  struct of_credential {
    std::map<std::string, std::uint64_t, std::less<>> calls;
    std::uint64_t running = 0;
    std::uint64_t most_running = 0;
  };

  std::uint64_t connections_accepted_ = 0;
  std::uint64_t handshakes_resumed_ = 0;
  std::uint64_t connections_open_ = 0;
  std::uint64_t most_connections_ = 0;
  std::uint64_t requests_ = 0;
  std::uint64_t unauthorized_ = 0;
  std::uint64_t tokens_issued_ = 0;
  std::uint64_t faults_served_ = 0;
  std::uint64_t running_ = 0;
  std::uint64_t most_running_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> endpoints_;
  std::unordered_map<std::string, of_credential> credentials_;
  std::vector<std::string> days_;
  std::vector<std::pair<std::string, std::int64_t>> status_calls_;  // microseconds since 1970
};

}  // namespace sandbox
