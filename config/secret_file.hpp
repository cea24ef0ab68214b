// Secrets come from files, and from nowhere else: never from YAML, argv or the environment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "sync/secret.hpp"

namespace flanks::config {

// Where a relative name is looked up, in this order.
struct secret_places {
  std::filesystem::path credentials;  // $CREDENTIALS_DIRECTORY (systemd.exec(5)); empty: not set
  std::filesystem::path config;       // the folder of the configuration file
};

// any: bytes; utf8: text for the provider; key: 32 bytes, which it gives, in one of the forms of
// config/key_file.hpp.
enum class secret_kind : std::uint8_t { any, utf8, key };

// Takes a file name; gives its content without the line break at its end. Refuses a file that is
// missing, not a regular file, empty, over 64 KiB, of more than one line, or open to others: 0400
// or 0600 is asked for, and inside the credentials directory 0440 will do (systemd shows its ACL as
// that); and what is not of its kind. Throws `failure` (stage configuration, verdict stop) with a
// hint; neither holds content.
[[nodiscard]] secret read_secret_file(const std::string& name, const secret_places& where,
                                      secret_kind kind = secret_kind::any);

// Whether an error may repeat a word that was typed where no secret belongs, and may be one: a
// number, what exists as a file, and a path in a directory that exists.
[[nodiscard]] bool may_be_repeated(const std::string& word);

// Every secret that the settings name; empty where they name none.
struct secrets {
  secret client_secret;      // flanks.client_secret_file
  secret password;           // flanks.password_file
  secret database_password;  // database.password_file
  secret admin_password;     // admin.password_file
  secret encryption_key;     // encryption.key_file, 32 bytes
  secret previous_key;       // encryption.previous_key_file, 32 bytes
};

// Which files to open: `status` and `migrate` need no key of the provider, and no token. tokens:
// those of the database, and the keys of encryption.
enum class secret_scope : std::uint8_t { database, tokens, all };

struct opened {
  secrets values;
  std::vector<mistake> mistakes;

  [[nodiscard]] bool ok() const { return mistakes.empty(); }
};

// Reads the secret files, reporting all that is wrong with them at the places of their keys.
// `lookup` is asked for CREDENTIALS_DIRECTORY. With scope all it also sees whether flanks.ca_file
// can be read.
[[nodiscard]] opened read_secrets(const loaded& configuration, const environment& lookup,
                                  secret_scope scope);

// The file of flanks.ca_file: as it is when absolute, else from the configuration's folder; empty
// when it is not set.
[[nodiscard]] std::filesystem::path ca_file(const loaded& configuration);

}  // namespace flanks::config
