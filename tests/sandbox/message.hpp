// What goes in and out of the sandbox: a request, an answer, and how the answer misbehaves on the
// wire. Knows neither sockets nor the provider's rules.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sandbox {

struct request {
  std::string method;
  std::string path;        // without what follows '?'
  std::string parameters;  // what follows '?', as sent
  std::string authorization;
  std::string content_type;
  std::string traceparent;  // as sent
  std::string body;
  std::chrono::system_clock::time_point arrived{};  // when its last byte was read
};

// A body that is made while it is sent, so that a large answer never sits in memory whole.
class body_source {
 public:
  virtual ~body_source() = default;
  // Appends the next piece (about piece_size bytes). False when that was the last.
  virtual bool fill(std::string& out) = 0;
  static constexpr std::size_t piece_size = 128 * 1024;
};

class text_body final : public body_source {
 public:
  explicit text_body(std::string text) : text_(std::move(text)) {}
  bool fill(std::string& out) override {
    out += text_;
    return false;
  }

 private:
  std::string text_;
};

// How the bytes go out. The default is a faultless server.
struct conduct {
  enum class ending { none, close, reset, stall };  // what happens at `stop_after`
  std::chrono::milliseconds delay{0};               // before the first byte
  std::optional<std::uint64_t> stop_after;          // bytes of the body
  ending at_stop = ending::none;
  bool stall_first_byte = false;
  bool chunked = false;              // also when the body is small
  bool with_length = false;          // Content-Length even when the body is large
  std::int64_t length_delta = 0;     // added to the true Content-Length
  std::uint64_t bytes_a_second = 0;  // 0: as fast as it goes
  unsigned trailers = 0;             // trailing header lines after a chunked body

  // What goes out after the answer, though nobody has asked for it: the same answer again, its
  // first half, a proxy's 408, or what another connection was answered last.
  enum class unasked { nothing, repeat, half, timeout, foreign };
  unasked afterwards = unasked::nothing;
  std::chrono::milliseconds rest{0};  // between the two
  bool crossing = false;              // also when the next request has come meanwhile
};

struct reply {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::unique_ptr<body_source> body;
  conduct wire;
  std::shared_ptr<void> in_flight;  // released when the answer was sent: counts concurrent requests
};

inline reply text_reply(unsigned status, std::string text) {
  reply out;
  out.status = status;
  out.body = std::make_unique<text_body>(std::move(text));
  return out;
}

// Answers one request at a time, without waiting for anything.
class service {
 public:
  virtual ~service() = default;
  virtual reply answer(const request& asked) = 0;
  virtual void connected() = 0;
  virtual void disconnected() = 0;
  // A connection went on with the TLS session of an earlier one.
  virtual void resumed() = 0;
  // `bytes` of the body that went out; whole: nothing was cut, stalled or lost.
  virtual void answered(const request& asked, const reply& sent, std::uint64_t bytes,
                        bool whole) = 0;
};

}  // namespace sandbox
