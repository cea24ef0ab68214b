// A request of a caller, from its place in line to its answer: turn, access token, one replay with
// a newer token after a 401, and the tries that are due. It knows no endpoint but the token's.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>

#include "sync/flanks/api.hpp"
#include "sync/flanks/caller.hpp"
#include "sync/flanks/http_client.hpp"
#include "sync/flanks/origin.hpp"
#include "sync/flanks/retrying.hpp"
#include "sync/flanks/token.hpp"

namespace flanks {

// Takes a good answer from its first byte to its end; throws failure for one that is not what was
// asked for.
using response_reader = std::function<boost::asio::awaitable<void>(http_response&)>;

class requester final : public json_caller {
 public:
  // Throws failure{configuration}. `options` must outlive it.
  requester(boost::asio::any_io_executor executor, const api_options& options);

  // For messages and the functions of errors.hpp: with what is never shown, our keys and what the
  // call itself names.
  [[nodiscard]] call_info call(const json_call& asked) const;

  // Hands the response of each try to `read`. Throws failure for every answer but a 2xx, and what
  // `read` throws, after the tries and pauses that are due and that `may_repeat` allows.
  boost::asio::awaitable<void> ask(const json_call& asked, const response_reader& read,
                                   const repeat_rule& may_repeat);
  // The same for an answer that is held whole, of at most asked.limit bytes.
  boost::asio::awaitable<void> ask_json(json_call asked) override;

  boost::asio::awaitable<void> authenticate();
  [[nodiscard]] std::string authority() const override { return where_.authority(); }
  boost::asio::awaitable<void> close();

 private:
  struct token_flight;

  boost::asio::awaitable<void> ask_once(const json_call& asked, const response_reader& read,
                                        attempts& so_far);
  boost::asio::awaitable<std::unique_ptr<http_response>> authorized(const http_place& place,
                                                                    const json_call& asked,
                                                                    attempts& so_far);
  boost::asio::awaitable<std::unique_ptr<http_response>> send(const http_place& place,
                                                              http_request request,
                                                              attempts& so_far);
  // ask(), without what a failure tells of the request.
  boost::asio::awaitable<void> try_to_ask(const json_call& asked, const response_reader& read,
                                          const repeat_rule& may_repeat, attempts& so_far);
  boost::asio::awaitable<void> read_json(const json_call& asked, http_response& response) const;

  boost::asio::awaitable<access_token> turn_and_token(const http_place& place, attempts& so_far);
  // The access token, if it can be used, and no other keys have come since it was asked for.
  [[nodiscard]] std::optional<access_token> held_token() const;
  boost::asio::awaitable<access_token> fresh_token(const http_place& place, attempts& so_far);
  boost::asio::awaitable<void> fetch_token(const http_place& place, attempts& so_far);
  boost::asio::awaitable<void> fetch_token_once(const http_place& place, attempts& so_far);

  boost::asio::any_io_executor executor_;
  const api_options& options_;
  request_observer untold_;
  request_observer& told_;
  origin where_;
  http_client client_;
  retrying tries_;
  token_state token_;
  provider_keys keys_;                    // those of the last token call
  std::uint64_t refused_number_ = 0;      // of the keys that were refused
  std::uint64_t granted_number_ = 0;      // of those that the access token was asked for with
  std::shared_ptr<token_flight> flight_;  // while a token call is on its way
};

}  // namespace flanks
