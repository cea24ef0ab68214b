#include "daemon/reload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/load.hpp"

namespace flanks {

namespace {

// Sections and keys that are built into what lives as long as the daemon, and what of them is not.
constexpr std::array<std::string_view, 13> fixed{"flanks.",
                                                 "database.",
                                                 "admin.",
                                                 "log.format",
                                                 "sync.source",
                                                 "sync.query",
                                                 "sync.lease",
                                                 "sync.tries",
                                                 "sync.handover_after",
                                                 "limits.answer_pages",
                                                 "limits.bank_name_bytes",
                                                 "limits.quarantine_per_day",
                                                 "limits.unknown_fields_per_day"};
constexpr std::array<std::string_view, 6> moving{
    "flanks.client_secret_file", "flanks.client_secret_command",
    "flanks.password_file",      "database.dsn",
    "database.password_file",    "database.password_command"};

std::string list(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys)
    text += (text.empty() ? "" : ", ") + key;
  return text;
}

}  // namespace

bool needs_restart(std::string_view key) {
  if (std::find(moving.begin(), moving.end(), key) != moving.end()) return false;
  return std::any_of(fixed.begin(), fixed.end(), [&](std::string_view f) {
    return f.ends_with('.') ? key.starts_with(f) : key == f;
  });
}

std::vector<std::string> changed_secrets(const config::secrets& before,
                                         const config::secrets& after) {
  using config::secrets;
  struct named {
    const char* key;
    secret secrets::*value;
  };
  constexpr std::array<named, 6> all{{{"flanks.client_secret_file", &secrets::client_secret},
                                      {"flanks.password_file", &secrets::password},
                                      {"database.password_file", &secrets::database_password},
                                      {"admin.password_file", &secrets::admin_password},
                                      {"encryption.key_file", &secrets::encryption_key},
                                      {"encryption.previous_key_file", &secrets::previous_key}}};
  std::vector<std::string> keys;
  for (const named& n : all)
    if (!secret_equal{}(before.*n.value, after.*n.value)) keys.emplace_back(n.key);
  return keys;
}

std::string reload_summary(const config::settings& started, const config::settings& before,
                           const config::settings& after, const std::vector<std::string>& secrets) {
  std::vector<std::string> applied = config::changed_keys(before, after);
  std::erase_if(applied, needs_restart);
  std::vector<std::string> waiting = config::changed_keys(started, after);
  std::erase_if(waiting, [](const std::string& key) { return !needs_restart(key); });
  for (const std::string& key : secrets)
    (needs_restart(key) ? waiting : applied).push_back("what " + key + " holds");
  std::string text =
      applied.empty()
          ? "no key that applies at once has changed"
          : list(applied) + (applied.size() == 1 ? " applies" : " apply") + " from now on";
  if (!waiting.empty()) text += "; restart the daemon for " + list(waiting);
  return text;
}

}  // namespace flanks
