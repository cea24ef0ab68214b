// One response as it comes in: HTTP by Beast's parser, from bytes that we read and count ourselves.
// Private to http_client.cpp.
#pragma once

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sync/flanks/http_client.hpp"
#include "sync/flanks/pool.hpp"

namespace flanks {

class response_in_progress final : public http_response {
 public:
  using clock = std::chrono::steady_clock;
  static constexpr std::size_t buffer_size = 64 * 1024;

  response_in_progress(connection_pool& pool, std::unique_ptr<connection> wire, const origin& where,
                       std::int64_t max_bytes)
      : pool_(pool),
        wire_(std::move(wire)),
        who_(where.authority()),
        max_bytes_(max_bytes),
        in_(buffer_size),
        out_(buffer_size) {
    new_parser();
  }
  ~response_in_progress() override {
    if (!over_ || !parser_->keep_alive() || begin_ != end_) return;
    wire_->end_request();
    pool_.rest(std::move(wire_));
  }

  boost::asio::awaitable<void> begin(const secret& text);

  const http_head& head() const override { return head_; }
  boost::asio::awaitable<std::string_view> read() override;
  void pause() override { paused_at_ = clock::now(); }
  void resume() override { wire_->extend_total(clock::now() - paused_at_); }
  std::chrono::milliseconds time_to_first_byte() const override { return first_byte_after_; }

  [[nodiscard]] bool answered() const { return received_ > 0; }

 private:
  void new_parser();
  boost::asio::awaitable<void> read_head();
  boost::asio::awaitable<bool> fill();  // false: the other side closed
  boost::system::error_code
  parse_some();  // what lies in the buffer; need_more and need_buffer are no errors
  void judge_head();
  void end_of_input();
  [[noreturn]] void refuse(verdict then, const char* name, const std::string& what) const;

  connection_pool& pool_;
  std::unique_ptr<connection> wire_;
  std::string who_;
  std::int64_t max_bytes_;
  std::optional<boost::beast::http::response_parser<boost::beast::http::buffer_body>> parser_;
  http_head head_;
  std::vector<char> in_, out_;
  std::size_t begin_ = 0, end_ = 0;  // of what is unread in in_
  std::int64_t received_ = 0;        // every byte, headers and chunk marks included
  bool over_ = false;
  clock::time_point sent_at_, paused_at_;
  std::chrono::milliseconds first_byte_after_{0};
};

}  // namespace flanks
