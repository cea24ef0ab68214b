// For which hosts the admin listener answers. A web page can have its own name resolve to our
// address and then ask us from a browser on this machine (DNS rebinding); such a request names the
// page's host.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "daemon/admin_listener.hpp"

namespace flanks {

// What a request said, fit to be repeated in an answer: 100 characters of ASCII, '?' for others.
[[nodiscard]] std::string repeatable(std::string_view from_request);

class admin_hosts {
 public:
  // Answers for localhost, 127.0.0.1, [::1], the address of admin.listen and admin.hosts, with any
  // port; for every host when it listens at a unix socket, which no browser reaches.
  explicit admin_hosts(const config::admin_settings& settings);

  // What is answered in place of the page; nothing when it may be served. `fields` holds the value
  // of every Host field of the request. 400 for HTTP/1.1 without one and for more than one
  // (RFC 9112, 3.2), 421 for another host.
  [[nodiscard]] std::optional<admin_answer> objection(bool is_http_1_0,
                                                      const std::vector<std::string>& fields) const;

 private:
  void add(std::string_view host);
  [[nodiscard]] bool is_ours(std::string_view field) const;

  bool all_ = false;
  std::set<std::string> names_;  // lower case
  std::set<boost::asio::ip::address> addresses_;
};

}  // namespace flanks
