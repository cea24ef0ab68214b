// The admin listener's HTTP: takes requests, hands on their paths, sends the answers. What the
// paths mean is somebody else's (daemon/admin.hpp).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "config/settings.hpp"
#include "daemon/log.hpp"

namespace flanks {

struct admin_answer {
  int status = 200;
  std::string body;
  std::string type = "text/plain; charset=utf-8";
  int retry_after = 0;  // seconds; 0: not said
};

struct admin_request {
  std::string path;                          // as it was sent, without the query
  std::string query;                         // what follows "?"
  std::optional<std::string> authorization;  // when there is exactly one such field
  bool wants_html = false;                   // a browser asks
  std::string from;                          // the address of who asks, for people
};

// Answers a GET. Must end by itself, soon.
using admin_pages = std::function<boost::asio::awaitable<admin_answer>(admin_request request)>;

// HTTP/1.1, GET and HEAD, no TLS, no bodies. At most 16 connections: for one more, the one that has
// waited longest without a request goes, or whoever does not take its answer. Deadlines: 5 s for
// the head of a request however it drips in (request_timeout), 2 min between requests
// (idle_timeout), 10 s for sending an answer (answer_timeout). Requests for a host that is not ours
// are refused (daemon/admin_hosts.hpp).
class admin_listener {
 public:
  virtual ~admin_listener() = default;
  // Until cancelled. Then nothing new is taken, an answer on its way has 2 s to go out, and the
  // socket's file is removed. Call once.
  virtual boost::asio::awaitable<void> serve() = 0;
  // Where it listens, with the port that was found when none was named.
  [[nodiscard]] virtual const std::string& where() const = 0;
};

// Listens at once, at `where.listen` (not "none"). A socket's file that nobody listens at is
// replaced. Throws std::system_error when the address cannot be had. Everything handed in must
// outlive it.
[[nodiscard]] std::unique_ptr<admin_listener> make_admin_listener(
    const boost::asio::any_io_executor& executor, const config::admin_settings& where,
    admin_pages pages, log& events);

}  // namespace flanks
