// The addresses among the values: the provider's URL, where we listen. What the first one holds is
// never repeated in a complaint: people do put passwords there.
#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "config/values.hpp"

namespace flanks::config {

namespace {

constexpr std::string_view url_hint = "write it like https://api.flanks.io";
constexpr std::string_view listen_hint =
    "write it like 127.0.0.1:9464, [::1]:9464 or unix:/run/flanks-sync/admin.socket, or none";
complaint not_a_url(std::string_view what) {
  return {std::string{what}, std::string{url_hint}};
}

struct authority {
  std::string host;  // without the brackets of an IPv6 address
  std::string port;
  bool ipv6 = false;
};

std::optional<authority> split_authority(std::string_view text) {
  authority parts;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    parts.host = text.substr(1, close - 1);
    parts.ipv6 = true;
    text.remove_prefix(close + 1);
    if (!text.empty() && text.front() != ':') return std::nullopt;
  } else {
    parts.host = text.substr(0, text.find(':'));
    text.remove_prefix(parts.host.size());
  }
  if (text.empty()) return parts;
  parts.port = text.substr(1);
  return parts.port.empty() ? std::nullopt : std::optional{parts};
}

bool is_host(const authority& a) {
  if (a.ipv6) {
    in6_addr address{};
    return inet_pton(AF_INET6, a.host.c_str(), &address) == 1;
  }
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
  return !a.host.empty() && a.host.size() <= 253 &&
         a.host.find_first_not_of(allowed) == std::string::npos && a.host.front() != '.' &&
         a.host.front() != '-';
}

bool is_port(const std::string& port) {
  std::uint16_t number = 0;
  const char* last = port.data() + port.size();
  const auto [end, error] = std::from_chars(port.data(), last, number);
  return error == std::errc{} && end == last && number != 0;
}

bool is_loopback(const authority& a) {
  if (a.ipv6) return a.host == "::1";
  in_addr address{};
  if (inet_pton(AF_INET, a.host.c_str(), &address) == 1)
    return (ntohl(address.s_addr) >> 24) == 127;
  return a.host == "localhost";
}

// "Every address" of either family, also as IPv6 writes the IPv4 one.
bool is_wildcard(const authority& a) {
  in_addr four{};
  if (!a.ipv6) return inet_pton(AF_INET, a.host.c_str(), &four) == 1 && four.s_addr == 0;
  in6_addr six{};
  if (inet_pton(AF_INET6, a.host.c_str(), &six) != 1) return false;
  if (IN6_IS_ADDR_UNSPECIFIED(&six)) return true;
  return IN6_IS_ADDR_V4MAPPED(&six) && std::all_of(six.s6_addr + 12, six.s6_addr + 16,
                                                   [](std::uint8_t byte) { return byte == 0; });
}

verdict_on_value read_socket_path(std::string_view path) {
  if (!path.starts_with('/') || path.ends_with('/'))
    return complaint{"is not the absolute path of a unix socket", std::string{listen_hint}};
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return complaint{"is too long for a unix socket (107 bytes)", "choose a shorter path"};
  return std::nullopt;
}

}  // namespace

verdict_on_value read_base_url(std::string_view text, std::string& into) {
  const bool tls = text.starts_with("https://");
  if (!tls && !text.starts_with("http://")) return not_a_url("does not begin with https://");
  std::string_view rest = text.substr(tls ? 8 : 7);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find('@') != std::string_view::npos)
    return not_a_url("holds a user name or password, which do not belong into a URL");
  if (rest.find_first_of("/?#") != std::string_view::npos)
    return not_a_url("has more than a scheme, a host and a port");
  const auto parts = split_authority(rest);
  if (!parts || !is_host(*parts)) return not_a_url("has no valid host name");
  if (!parts->port.empty() && !is_port(parts->port)) return not_a_url("has no valid port");
  if (!tls && !is_loopback(*parts)) {
    return complaint{"is plain http, which would show the access token to the network",
                     "use https; http is accepted for localhost, 127.0.0.0/8 and [::1] only"};
  }
  into = std::string{tls ? "https://" : "http://"} + std::string{rest};
  return std::nullopt;
}

verdict_on_value read_listen(std::string_view text, std::string& into) {
  if (text.starts_with("unix:")) {
    auto wrong = read_socket_path(text.substr(5));
    if (!wrong) into = text;
    return wrong;
  }
  if (text == "none") {
    into = text;
    return std::nullopt;
  }
  auto parts = split_authority(text);
  // 0: whatever is free.
  if (!parts || (parts->port != "0" && !is_port(parts->port)))
    return complaint{"has no valid port", std::string{listen_hint}};
  if (parts->host == "localhost" && !parts->ipv6) parts->host = "127.0.0.1";
  if (is_wildcard(*parts)) {
    return complaint{"would listen on every network that this machine is in",
                     "name one address of this machine; whoever reaches it reads the metrics"};
  }
  in_addr four{};
  const bool valid =
      parts->ipv6 ? is_host(*parts) : inet_pton(AF_INET, parts->host.c_str(), &four) == 1;
  if (!valid) {
    return complaint{"does not begin with an IP address of this machine, nor with unix:",
                     std::string{listen_hint}};
  }
  into = (parts->ipv6 ? "[" + parts->host + "]" : parts->host) + ":" + parts->port;
  return std::nullopt;
}

verdict_on_value read_host(std::string_view text, std::string& into) {
  const auto parts = split_authority(text);
  if (!parts || !is_host(*parts) || !parts->port.empty()) {
    return complaint{"is neither a host name nor an address",
                     "write it like metrics.internal, 10.1.2.3 or [2001:db8::1], without a port"};
  }
  into = text;
  std::transform(into.begin(), into.end(), into.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return std::nullopt;
}

}  // namespace flanks::config
