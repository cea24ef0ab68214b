// database.dsn: what libpq would refuse only when it connects is told here. People put passwords
// into it: a complaint repeats nothing of it but a keyword that is nearly one of libpq's.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cstdint>

#include "config/conninfo.hpp"
#include "config/libpq_keywords.hpp"
#include "config/values.hpp"

namespace flanks::config {

namespace {

constexpr std::string_view dsn_hint =
    "write it like host=db.internal dbname=mirror user=flanks_daemon, or "
    "postgresql://flanks_daemon@db.internal/mirror";
constexpr std::string_view password_hint =
    "take it out and name a file that holds it in database.password_file";
constexpr std::string_view keywords_hint =
    "libpq's keywords: https://www.postgresql.org/docs/current/libpq-connect.html";

constexpr std::string_view tls_versions[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};

complaint unknown_keyword(const std::string& name) {
  const keyword* const meant = meant_keyword(name);
  if (meant == nullptr) {
    return {"has a keyword that libpq does not know", std::string{keywords_hint}};
  }
  return {fmt::format("has the unknown keyword {}", name),
          meant->what == takes::secret ? std::string{password_hint}
                                       : fmt::format("did you mean {}?", meant->name)};
}

// As libpq's parse_int_param() reads it: strtol with blanks around it, in 32 bits.
std::optional<int> number_in(std::string_view text) {
  constexpr std::string_view blanks = " \t\n\r\f\v";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return std::nullopt;
  text = text.substr(first, text.find_last_not_of(blanks) - first + 1);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  int number = 0;
  if (read_integer(text, INT32_MIN, INT32_MAX, number)) return std::nullopt;
  return number;
}

std::vector<std::string> elements(std::string_view list) {
  std::vector<std::string> all;
  for (;;) {
    const auto comma = list.find(',');
    all.emplace_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return all;
    list.remove_prefix(comma + 1);
  }
}

// Each of a list; an empty one stands for the default.
template <class Rule>
bool all_of(std::string_view list, Rule rule) {
  const std::vector<std::string> all = elements(list);
  return std::all_of(all.begin(), all.end(),
                     [&](const std::string& each) { return each.empty() || rule(each); });
}

bool is_port_number(const std::string& text) {
  const std::optional<int> number = number_in(text);
  return number && *number >= 1 && *number <= 65535;
}

bool is_address(const std::string& text) {
  in_addr four{};
  in6_addr six{};
  const std::string without_zone = text.substr(0, text.find('%'));
  return inet_pton(AF_INET, text.c_str(), &four) == 1 ||
         inet_pton(AF_INET6, without_zone.c_str(), &six) == 1;
}

// In any case, as libpq takes it; -1: no version of TLS.
std::ptrdiff_t tls_rank(const std::string& text) {
  for (std::size_t i = 0; i < std::size(tls_versions); ++i) {
    if (::strcasecmp(text.c_str(), std::string(tls_versions[i]).c_str()) == 0)
      return static_cast<std::ptrdiff_t>(i);
  }
  return -1;
}

verdict_on_value check_value(const keyword& key, const std::string& value) {
  const auto must = [&](bool good, const std::string& what) -> verdict_on_value {
    if (good) return std::nullopt;
    return complaint{fmt::format("{} must be {}", key.name, what), ""};
  };
  switch (key.what) {
    case takes::number:
      return must(number_in(value).has_value(), "a whole number");
    case takes::choice:
      return must(std::find(key.choices.begin(), key.choices.end(), value) != key.choices.end(),
                  one_of(key.choices));
    case takes::tls_version:
      return must(value.empty() || tls_rank(value) >= 0, one_of(tls_versions));
    case takes::ports:
      return must(all_of(value, is_port_number), "between 1 and 65535");
    case takes::addresses:
      return must(all_of(value, is_address), "an IP address; a name belongs into host");
    case takes::text:
    case takes::secret:
      break;
  }
  return std::nullopt;
}

// What libpq takes when a keyword comes twice.
std::string last_of(const conninfo& dsn, std::string_view key) {
  std::string last;
  for (const auto& [name, value] : dsn.pairs) {
    if (name == key) last = value;
  }
  return last;
}

// Lists that belong together: a port for each host, or one for all.
verdict_on_value check_lists(const conninfo& dsn) {
  if (!last_of(dsn, "service").empty()) return std::nullopt;  // which may name the others
  const auto count = [&](std::string_view key) {
    const std::string list = last_of(dsn, key);
    return list.empty() ? 0 : elements(list).size();
  };
  const std::size_t hosts = count("host"), addresses = count("hostaddr"), ports = count("port");
  if (hosts > 0 && addresses > 0 && hosts != addresses) {
    return complaint{fmt::format("names {} in host and {} in hostaddr", hosts, addresses),
                     "name as many addresses as hosts, or leave one of the two out"};
  }
  const std::size_t servers_named = std::max<std::size_t>(std::max(hosts, addresses), 1);
  if (ports > 1 && ports != servers_named) {
    return complaint{fmt::format("names {} ports for {} host{}", ports, servers_named,
                                 servers_named == 1 ? "" : "s"),
                     "name one port for all hosts, or one for each"};
  }
  return std::nullopt;
}

verdict_on_value check_tls_range(const conninfo& dsn) {
  const std::string least = last_of(dsn, "ssl_min_protocol_version");
  const std::string most = last_of(dsn, "ssl_max_protocol_version");
  if (most.empty() || tls_rank(most) >= tls_rank(least.empty() ? "TLSv1.2" : least))
    return std::nullopt;
  return complaint{
      "ssl_max_protocol_version is lower than ssl_min_protocol_version (TLSv1.2 when "
      "it is left out)",
      ""};
}

verdict_on_value check(const conninfo& dsn) {
  for (const auto& [name, value] : dsn.pairs) {
    const keyword* const known = find_keyword(name);
    if (known == nullptr) return unknown_keyword(name);
    if (auto wrong = check_value(*known, value)) return wrong;
  }
  if (auto wrong = check_lists(dsn)) return wrong;
  return check_tls_range(dsn);
}

complaint password_inside() {
  return {"holds a password", std::string{password_hint}};
}

bool holds_secret(const conninfo& dsn) {
  return std::any_of(dsn.pairs.begin(), dsn.pairs.end(),
                     [](const auto& pair) { return is_secret_keyword(pair.first); });
}

// libpq ends the user at the first "@" before the first "/"; a password that was not encoded may
// hold a slash, so any "@" of the address counts.
bool has_password_before_host(std::string_view uri) {
  auto at = uri.substr(0, uri.find('/')).find('@');
  if (at == std::string_view::npos) at = uri.substr(0, uri.find('?')).find('@');
  return at != std::string_view::npos && uri.substr(0, at).find(':') != std::string_view::npos;
}

verdict_on_value check_uri(std::string_view uri) {
  const conninfo dsn = read_uri(uri);
  if (has_password_before_host(uri) || holds_secret(dsn)) return password_inside();
  if (!dsn.wrong.empty())
    return complaint{"is not a postgresql:// URI: " + dsn.wrong, std::string{dsn_hint}};
  return check(dsn);
}

verdict_on_value check_keywords(std::string_view text) {
  if (text.starts_with("jdbc:"))
    return complaint{"is a URL of JDBC, which libpq does not know", std::string{dsn_hint}};
  if (text.substr(0, text.find('=')).find("://") != std::string_view::npos)
    return complaint{"is a URL that does not begin with postgresql://", std::string{dsn_hint}};
  const conninfo dsn = read_keywords(text);
  if (holds_secret(dsn)) return password_inside();
  if (!dsn.wrong.empty()) {
    return complaint{"is neither a libpq connection string nor a postgresql:// URI: " + dsn.wrong,
                     std::string{dsn_hint}};
  }
  return check(dsn);
}

}  // namespace

verdict_on_value read_dsn(std::string_view text, std::string& into) {
  verdict_on_value wrong;
  if (text.starts_with("postgresql://")) {
    wrong = check_uri(text.substr(13));
  } else if (text.starts_with("postgres://")) {
    wrong = check_uri(text.substr(11));
  } else {
    wrong = check_keywords(text);
  }
  if (!wrong) into = text;
  return wrong;
}

}  // namespace flanks::config
