// One response as it comes in: HTTP by Beast's parser, from bytes that we read and count ourselves.
// Private to http_client.cpp.
#pragma once

#include <xxhash.h>

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

  // `rested`: the connection has served another request before. `records`: as http_request says.
  response_in_progress(connection_pool& pool, std::unique_ptr<connection> wire, const origin& where,
                       std::int64_t max_bytes, bool rested, bool records);
  // A connection rests only when the end of its answer is certain (a length or a last chunk said
  // it, and nothing follows) and the answer was accepted.
  ~response_in_progress() override;

  boost::asio::awaitable<void> begin(const secret& text);

  const http_head& head() const override { return head_; }
  bool rested() const override { return rested_; }
  bool repeats() const override { return repeats_; }
  boost::asio::awaitable<std::string_view> read() override;
  void accept() override { accepted_ = true; }
  void pause() override { paused_at_ = clock::now(); }
  void resume() override { wire_->extend_total(clock::now() - paused_at_); }

 private:
  struct hash_deleter {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };

  void new_parser();
  void look_before_asking();
  boost::asio::awaitable<void> read_head();
  boost::asio::awaitable<bool> fill();  // false: the other side closed
  boost::system::error_code
  parse_some();  // what lies in the buffer; need_more and need_buffer are no errors
  void judge_head();
  void judge_origin();
  void end_of_input();
  void end_of_answer();
  [[noreturn]] void refuse(verdict then, const char* name, const std::string& what) const;

  connection_pool& pool_;
  std::unique_ptr<connection> wire_;
  std::string who_;
  std::int64_t max_bytes_;
  bool rested_, records_;
  std::optional<boost::beast::http::response_parser<boost::beast::http::buffer_body>> parser_;
  http_head head_;
  std::vector<char> in_, out_;
  std::size_t begin_ = 0, end_ = 0;  // of what is unread in in_
  std::int64_t received_ = 0;        // every byte, headers and chunk marks included
  std::int64_t body_bytes_ = 0;
  std::unique_ptr<XXH3_state_t, hash_deleter> hash_;  // of the bytes that were parsed
  bool early_ = false;  // it began before the other side had the request
  bool over_ = false;
  bool accepted_ = false;
  bool repeats_ = false;
  clock::time_point paused_at_;
};

}  // namespace flanks
