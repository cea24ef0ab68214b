#include "sync/flanks/timed_response.hpp"

#include <string>
#include <utility>

#include "sync/failure.hpp"
#include "sync/flanks/errors.hpp"

namespace flanks {

namespace {

class timed_response final : public http_response {
 public:
  using clock = std::chrono::steady_clock;

  timed_response(std::unique_ptr<http_response> inner, request_observer& told,
                 std::string_view endpoint, clock::time_point sent)
      : inner_(std::move(inner)), told_(told), endpoint_(endpoint), began_(sent) {}
  timed_response(const timed_response&) = delete;
  timed_response& operator=(const timed_response&) = delete;
  // Of an error only the beginning of the body is read.
  ~timed_response() override {
    const int status = head().status;
    end(status >= 200 && status < 300 ? 0 : status);
  }

  [[nodiscard]] const http_head& head() const override { return inner_->head(); }
  [[nodiscard]] bool rested() const override { return inner_->rested(); }
  [[nodiscard]] bool repeats() const override { return inner_->repeats(); }
  boost::asio::awaitable<std::string_view> read() override {
    try {
      const std::string_view piece = co_await inner_->read();
      if (piece.empty()) end(head().status);
      co_return piece;
    } catch (const failure&) {
      end(0);
      throw;
    } catch (...) {
      ended_ = true;  // cancelled: that says nothing of the provider
      throw;
    }
  }
  void accept() override { inner_->accept(); }
  void pause() override {
    paused_at_ = clock::now();
    inner_->pause();
  }
  void resume() override {
    began_ += clock::now() - paused_at_;
    inner_->resume();
  }

 private:
  void end(int status) {
    if (std::exchange(ended_, true)) return;
    told_.ended(endpoint_, status, clock::now() - began_);
  }

  std::unique_ptr<http_response> inner_;
  request_observer& told_;
  std::string endpoint_;
  clock::time_point began_, paused_at_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<http_response> timed(std::unique_ptr<http_response> response,
                                     request_observer& told, std::string_view endpoint,
                                     std::chrono::steady_clock::time_point sent) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  if (const auto theirs = http_date(response->head().date)) told.compared_clocks(*theirs - now);
  return std::make_unique<timed_response>(std::move(response), told, endpoint, sent);
}

}  // namespace flanks
