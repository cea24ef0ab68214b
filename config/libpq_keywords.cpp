#include "config/libpq_keywords.hpp"

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "config/nearest.hpp"

namespace flanks::config {

namespace {

constexpr std::string_view ssl_modes[] = {"disable", "allow",     "prefer",
                                          "require", "verify-ca", "verify-full"};
constexpr std::string_view preferences[] = {"disable", "prefer", "require"};
constexpr std::string_view certificates[] = {"disable", "allow", "require"};
constexpr std::string_view servers[] = {"any",     "read-write", "read-only",
                                        "primary", "standby",    "prefer-standby"};
constexpr std::string_view balances[] = {"disable", "random"};
constexpr std::string_view negotiations[] = {"postgres", "direct"};

// Every keyword of libpq 15 to 18 ("Parameter Key Words").
constexpr keyword keywords[] = {
    {"application_name"},
    {"channel_binding", takes::choice, preferences},
    {"client_encoding"},
    {"connect_timeout", takes::number},
    {"dbname"},
    {"fallback_application_name"},
    {"gssdelegation"},
    {"gssencmode", takes::choice, preferences},
    {"gsslib"},
    {"host"},
    {"hostaddr", takes::addresses},
    {"keepalives", takes::number},
    {"keepalives_count", takes::number},
    {"keepalives_idle", takes::number},
    {"keepalives_interval", takes::number},
    {"krbsrvname"},
    {"load_balance_hosts", takes::choice, balances},
    {"max_protocol_version"},
    {"min_protocol_version"},
    {"oauth_client_id"},
    {"oauth_client_secret", takes::secret},
    {"oauth_issuer"},
    {"oauth_scope"},
    {"options"},
    {"passfile"},
    {"password", takes::secret},
    {"port", takes::ports},
    {"replication"},
    {"require_auth"},
    {"requirepeer"},
    {"scram_client_key", takes::secret},
    {"scram_server_key", takes::secret},
    {"service"},
    {"servicefile"},
    {"ssl_max_protocol_version", takes::tls_version},
    {"ssl_min_protocol_version", takes::tls_version},
    {"sslcert"},
    {"sslcertmode", takes::choice, certificates},
    {"sslcompression"},
    {"sslcrl"},
    {"sslcrldir"},
    {"sslkey"},
    {"sslkeylogfile"},
    {"sslmode", takes::choice, ssl_modes},
    {"sslnegotiation", takes::choice, negotiations},
    {"sslpassword", takes::secret},
    {"sslrootcert"},
    {"sslsni"},
    {"target_session_attrs", takes::choice, servers},
    {"tcp_user_timeout", takes::number},
    {"user"},
};

// What other drivers call them.
struct foreign {
  std::string_view name, ours;
};
constexpr foreign foreign_names[] = {{"database", "dbname"}, {"hostname", "host"},
                                     {"pass", "password"},   {"passwd", "password"},
                                     {"pwd", "password"},    {"username", "user"}};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace

const keyword* find_keyword(std::string_view name) {
  const auto found = std::find_if(std::begin(keywords), std::end(keywords),
                                  [&](const keyword& k) { return k.name == name; });
  return found == std::end(keywords) ? nullptr : found;
}

const keyword* meant_keyword(std::string_view name) {
  const std::string small = lower(name);
  for (const foreign& f : foreign_names) {
    if (f.name == small) return find_keyword(f.ours);
  }
  std::vector<std::string_view> names;
  for (const keyword& k : keywords)
    names.push_back(k.name);
  return find_keyword(nearest_word(small, names));
}

bool is_secret_keyword(std::string_view name) {
  const std::string small = lower(name);
  for (const foreign& f : foreign_names) {
    if (f.name == small) return find_keyword(f.ours)->what == takes::secret;
  }
  const keyword* const known = find_keyword(small);
  return known != nullptr && known->what == takes::secret;
}

}  // namespace flanks::config
