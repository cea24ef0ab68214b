#include "sync/error_class.hpp"

#include <algorithm>

namespace flanks {

namespace {

using enum whose_turn;

constexpr std::string_view ask_provider =
    "it is tried again by itself; if it stays so, ask the provider, with the trace id of the log";
constexpr std::string_view look_at_network =
    "it is tried again by itself; if it stays so, check flanks.base_url and this machine's network "
    "(firewall, proxy)";
constexpr std::string_view newer_or_ask =
    "look for a newer flanks-sync; else ask the provider, with the trace id of the log";

constexpr std::string_view newer_or_report =
    "look for a newer flanks-sync; else report it, with what flanks-sync support writes";
constexpr std::string_view look_at_quarantine =
    "select reason, detail from flanks.quarantine where resolved_at is null";

// Names and sentences as in migrations/0008_error_classes.sql.
constexpr error_class_info known_classes[] = {
    // The connection, before there is an answer.
    {"resolve_failed", the_operator, false, "The provider's name has no address.",
     "check flanks.base_url and the name servers of this machine"},
    {"resolve_timeout", nobody, false, "The resolver did not answer in time.",
     "check flanks.base_url and the name servers of this machine"},
    {"connect_failed", nobody, false, "No connection: the network says why.", look_at_network},
    {"connect_refused", the_operator, false, "Nobody listens at the provider's address.",
     look_at_network},
    {"connect_timeout", nobody, false, "No connection in time.", look_at_network},
    {"connection_wait_timeout", nobody, false,
     "All connections of flanks.max_connections were busy.",
     "raise flanks.max_connections or lower sync.concurrency"},
    {"tls_timeout", nobody, false, "TLS was not agreed on in time.", look_at_network},
    {"untrusted_certificate", the_operator, false, "The certificate is not trusted.",
     "check flanks.ca_file and flanks.base_url, and the clock of this machine"},
    {"certificate_expired", the_operator, false, "The provider's certificate has expired.",
     "check the clock of this machine; if it is right, the provider must renew its certificate, "
     "unless flanks.ca_file or flanks.base_url is the wrong one"},
    {"certificate_of_another_host", the_operator, false, "The certificate is that of another host.",
     "check flanks.base_url: the certificate must name its host; and flanks.ca_file"},
    {"send_timeout", the_provider, false, "The request could not be sent in time.",
     look_at_network},
    {"shutdown_timeout", nobody, false, "The connection could not be closed in time.",
     look_at_network},
    {"io_error", nobody, false, "The connection failed, but not by a reset.", look_at_network},
    {"connection_reset", the_provider, true, "The connection was reset.", ask_provider},
    {"connection_closed", the_provider, true, "The connection was closed before the answer.",
     ask_provider},
    // Waits for an answer.
    {"first_byte_timeout", the_provider, true, "The answer did not begin in time.", ask_provider},
    {"idle_timeout", the_provider, true, "The answer stopped coming.", ask_provider},
    {"total_timeout", the_provider, true, "The request was not done in time.", ask_provider},
    // Answers: the status.
    {"http_1xx", nobody, false, "The provider answers with a status of 1xx.", newer_or_ask},
    {"http_2xx", nobody, false, "The provider answers with a status of 2xx other than 200.",
     newer_or_ask},
    {"http_4xx", the_operator, false,
     "The provider answers with a status of 4xx that has no class of its own.", newer_or_ask},
    {"http_5xx", the_provider, true, "The provider answers with a server error (5xx).",
     ask_provider},
    {"no_content", the_provider, false, "The provider answers 204, without a body.", ask_provider},
    {"redirect", the_operator, false,
     "The provider answers with a redirect (3xx), which is not followed.",
     "check flanks.base_url, and put no host there that the provider has not confirmed"},
    {"not_modified", the_operator, false,
     "304, which was not asked for: a proxy or cache may have said it.",
     "a proxy or cache in between may answer in the provider's place: find out which"},
    {"bad_request", the_operator, false, "The provider answers 400: it refuses the request.",
     newer_or_ask},
    {"window_refused", the_provider, false,
     "The provider answers 400: it refuses the operation dates, down to a single day.",
     ask_provider},
    {"unauthorized", the_operator, false, "The provider answers 401, also to a fresh access token.",
     "it is tried again by itself; if it stays so, check that flanks.client_id is the client that "
     "this credential was made for"},
    {"forbidden", the_operator, false,
     "The provider answers 403: these API keys may not make this call.",
     "ask the provider to permit this call for these API keys; it is tried again by itself"},
    {"not_found", the_provider, false,
     "The provider answers 404: it does not know the credential; believed when it says so again on "
     "a later day.",
     "it is asked for again on a later day; if it was deleted there on purpose: flanks-sync "
     "credentials remove (its rows stay); else ask the provider"},
    {"too_large", the_provider, true, "The provider answers 413, also for the smallest window.",
     ask_provider},
    {"rate_limited", the_provider, true,
     "The provider answers 429, or asks for a pause that is longer than a request may wait.",
     ask_provider},
    // Answers: the body.
    {"bad_response", the_provider, true, "The answer is not HTTP as we can read it.", ask_provider},
    {"early_answer", the_provider, false, "The answer began before the request was sent.",
     ask_provider},
    {"repeated_answer", the_provider, false, "The answer is that to an earlier request.",
     ask_provider},
    {"truncated", the_provider, true, "The answer breaks off.", ask_provider},
    {"response_too_large", the_operator, false,
     "The answer is larger than the limit, also for the smallest window.",
     "raise flanks.max_response_bytes if the account really has so much"},
    {"empty_body", the_provider, true, "The answer is 200 with an empty body.", ask_provider},
    {"html", the_provider, true, "The answer is a page of HTML or XML.", ask_provider},
    {"error_object", the_provider, true, "The answer is 200 with an error object.", ask_provider},
    {"unexpected_body", the_provider, true, "The answer is 200 with JSON of another form.",
     ask_provider},
    {"invalid_json", the_provider, true, "The answer is 200 with a body that is not JSON in UTF-8.",
     ask_provider},
    {"unexpected_page", the_provider, false, "A page that does not follow from the one before.",
     ask_provider},
    {"too_many_pages", the_provider, false, "The pages do not end.", ask_provider},
    {"moved_while_paging", nobody, false, "The provider refreshed the data between two pages.",
     ask_provider},
    {"unconfirmed_answer", nobody, false,
     "Rows are missing in an answer over a reused connection; asked again over a new one.",
     ask_provider},
    {"bad_status", the_provider, true, "The status of a credential lacks what it must have.",
     ask_provider},
    {"bad_token", the_provider, true, "The access token cannot be used.", ask_provider},
    {"token_refused", the_operator, false, "The API keys were refused.",
     "check flanks.client_id, flanks.client_secret_file and flanks.grant_type"},
    {"token_failed", the_operator, false, "There is no access token at that address.",
     "check flanks.base_url"},
    // The status of a credential.
    {"provider_pending", the_provider, false, "The provider has not finished the first extraction.",
     ask_provider},
    {"provider_errored", the_provider, false, "The provider says that its last extraction failed.",
     ask_provider},
    {"provider_not_created", the_provider, false, "The provider has not extracted this product.",
     ask_provider},
    // What is wrong without a failure: the words of flanks.sync_status.
    {"blocked", the_end_user, false, "The login no longer works at the bank.",
     "the login no longer works at the bank: the end user must connect again"},
    {"action_required", the_end_user, false, "The bank asks the end user for something.",
     "the end user must act at the bank"},
    {"reset_required", the_end_user, false, "The bank wants a new password.",
     "the end user must enter a new password"},
    {"sca_required", the_end_user, false, "The bank asks for strong authentication (SCA).",
     "the end user must pass the bank's authentication"},
    {"transaction_token_required", the_end_user, false,
     "The bank asks before transactions may be read.",
     "the end user must authorise the reading of transactions"},
    {"gone", the_operator, false, "The provider does not know the credential any more.",
     "if it was deleted there on purpose: flanks-sync credentials remove (its rows stay); else ask "
     "the provider"},
    {"stale", the_provider, false,
     "The provider has not refreshed it for longer than sync.stale_after.",
     "ask the provider why; if it does not know, the end user may have to connect the bank again"},
    {"succession_open", the_operator, false,
     "It may show an account that another credential showed before.",
     "look at it with flanks-sync successions list, then confirm or reject"},
    {"work_overdue", the_operator, false, "Credentials are due, and nobody works on any.",
     "does a daemon run, or does it stand still? systemctl status flanks-sync"},
    {"clock_apart", the_operator, false,
     "This machine's clock and that of the provider or the database are apart.",
     "set this machine's clock by NTP (timedatectl status), or the other's where that one is "
     "yours"},
    // The rate limit.
    {"rate_limit_wait_timeout", nobody, false,
     "flanks.requests_per_second left no place for the request.",
     "raise flanks.requests_per_second or lower sync.concurrency"},
    {"rate_grant_timeout", nobody, false, "The database did not answer for the rate limit in time.",
     "it is tried again by itself; if it stays so, flanks-sync doctor says how the database "
     "answers"},
    // What was stored, or was not.
    {"quarantined", the_operator, false, "Some records are in quarantine; the rest is stored.",
     look_at_quarantine},
    {"refused_by_database", the_operator, false,
     "The database refused some records: they are in quarantine.", look_at_quarantine},
    {"suspicious_removal", the_operator, false,
     "So many rows vanished that none was removed (flanks-sync removals list).",
     "look at it with flanks-sync removals list, then confirm or reject"},
    {"too_much_vanished", the_operator, false,
     "A list of products lacks so much that nothing was marked as removed.",
     "nothing, if it is so: the next answer of the provider that says the same is believed; else "
     "ask the provider"},
    {"rows_not_stored", the_operator, false,
     "A trigger, rule or row security on flanks.transactions discarded rows.",
     "look for triggers, rules and row security on flanks.transactions"},
    {"counts_do_not_add_up", the_operator, false,
     "An error of flanks-sync: its counts contradict each other, and nothing was stored.",
     newer_or_report},
    {"ledger_closed", nobody, false, "The window had failed before.",
     "it is tried again by itself; if it stays so, the log has the first failure of the window"},
    {"lease_lost", nobody, false, "Another worker has taken the credential over.",
     "nothing: whoever took it over goes on"},
    {"claim_locked", the_operator, false,
     "Every credential that is due is locked by somebody else.",
     "something locks rows of flanks_internal.leases: see pg_locks and pg_stat_activity"},
    // The database.
    {"database_answer", the_operator, false,
     "A statement returned something of another type than it must.",
     "tables or functions of schema flanks are not as the migrations made them"},
    {"database_auth", the_operator, false, "The user or the password was refused.",
     "check the user in database.dsn, database.password_file and the server's pg_hba.conf"},
    {"database_constraint", the_operator, false, "A constraint or unique index refused a row.",
     "whoever made it has to drop it; where flanks-sync did, look for a newer flanks-sync"},
    {"database_damaged", the_operator, false, "A table or an index is damaged.",
     "see the server's log; reindex the index, or restore the table from a backup"},
    {"database_deadlock", the_operator, false, "A deadlock, again after a retry.",
     "it is tried again by itself; if it stays so, see pg_stat_activity for who else writes the "
     "tables of flanks"},
    {"database_disk_full", the_operator, false, "The disk of the database is full.",
     "make room on the database's disk"},
    {"database_dsn", the_operator, false, "database.dsn cannot be read.",
     "as in: host=db port=5432 dbname=mirror user=flanks_sync"},
    {"database_encoding", the_operator, false, "The encoding of the database is not UTF8.",
     "create another one (create database ... encoding 'UTF8' template template0) and name it in "
     "database.dsn"},
    {"database_error", the_operator, false, "Any other error of a statement.",
     "see the server's log"},
    {"database_foreign_function", the_operator, false,
     "A trigger of somebody else refused a row, or failed.",
     "whoever made it has to mend it or drop its trigger"},
    {"database_full", the_operator, false, "max_connections is reached.",
     "raise max_connections, or lower database.connections"},
    {"database_idle_timeout", the_operator, false,
     "idle_in_transaction_session_timeout ended a transaction.",
     "it is tried again by itself; if it stays so, look whether this machine stands still at times "
     "(sleep, swap, overload)"},
    {"database_io", the_operator, false, "The server could not read or write a file.",
     "look at the disk of the database, and at the server's log"},
    {"database_lock_timeout", the_operator, false, "Somebody else holds a lock.",
     "something else holds a lock: see pg_stat_activity"},
    {"database_lost", the_operator, false, "The connection was lost, again after a retry.",
     "it is tried again by itself; if it stays so, see the server's log, and the network on the "
     "way"},
    {"database_memory", the_operator, false, "The server is out of memory.",
     "the database's machine is out of memory, or the server's table of locks is full (raise "
     "max_locks_per_transaction): see the server's log"},
    {"database_missing", the_operator, false, "The database does not exist.",
     "check the name in database.dsn, or create the database"},
    {"database_race", the_operator, false, "Somebody else keeps writing the same rows.",
     "it is tried again by itself; if it stays so, see pg_stat_activity for who else writes the "
     "tables of flanks"},
    {"database_read_only", the_operator, false,
     "The server is a standby, or the transaction is read-only.",
     "is this a standby? database.dsn must name the primary"},
    {"database_refused", the_operator, false, "The server refused a setting of the connection.",
     "check what database.dsn, the role and the database set"},
    {"database_resources", the_operator, false, "The server lacks some other resource.",
     "see the server's log"},
    {"database_rights", the_operator, false, "The role lacks a right.",
     "run contrib/sql/roles.sql once more, as the owner of the database"},
    {"database_row_security", the_operator, false, "Row security hides rows from the role.",
     "row security is enabled on tables of flanks-sync: alter table ... disable row level "
     "security, or alter role ... bypassrls"},
    {"database_schema", the_operator, false, "The schema is not that of this program.",
     "run flanks-sync migrate up"},
    {"database_serialization", the_operator, false, "A serialization failure, again after a retry.",
     "it is tried again by itself; if it stays so, see pg_stat_activity for who else writes the "
     "tables of flanks"},
    {"database_settings", the_operator, false,
     "A setting of the session is not as flanks-sync needs it.",
     "alter role ... set it as flanks-sync doctor says: a pooler in between may drop what the "
     "connection asks for"},
    {"database_silent", the_operator, false, "The connection is open, and no answer comes.",
     "the server, or something in between, keeps the connection and says nothing: look at the "
     "server's machine and at proxies and firewalls on the way"},
    {"database_timeout", the_operator, false, "statement_timeout ended a statement.",
     "it took longer than its limit: see pg_stat_activity for what holds it up, or raise "
     "database.statement_timeout"},
    {"database_starting", the_operator, false, "The server starts, shuts down or recovers.",
     "it starts, or it shuts down: see the server's log if it stays so"},
    {"database_tls", the_operator, false, "TLS with the server failed.",
     "check sslmode and sslrootcert in database.dsn"},
    {"database_unreachable", the_operator, false, "No connection to the server.",
     "is PostgreSQL running and listening there? check the host in database.dsn"},
    {"database_value", the_operator, false, "The server refused a value.", newer_or_report},
    {"migration_locked", the_operator, false, "Another migration is running.",
     "try again when it is done"},
    {"schema_changed", the_operator, false, "A migration was changed after it was applied.",
     "install the version of flanks-sync that applied it, or a later one"},
    {"schema_newer", the_operator, false, "The schema is newer than this program.",
     "install the newer version of flanks-sync"},
    // Configuration and commands.
    {"configuration", the_operator, false, "The configuration has mistakes.",
     "flanks-sync config check says where"},
    {"bad_base_url", the_operator, false, "flanks.base_url cannot be used.",
     "check flanks.base_url; the provider's is https://api.flanks.io"},
    {"bad_ca_file", the_operator, false,
     "flanks.ca_file, or the system's certificates, cannot be used.",
     "check flanks.ca_file: it must be readable and hold certificates in PEM"},
    {"secret_command", the_operator, false, "A command that prints a secret fails.",
     "run it by hand as the user that runs flanks-sync: it must print the secret, on one line, and "
     "end with 0"},
    {"secret_file", the_operator, false, "A file with a secret cannot be read.",
     "flanks-sync config check says which, and why"},
    {"sealed_token", the_operator, false,
     "The key that sealed the credentials_token is missing, or what is sealed was altered.",
     "name the key that sealed it in encryption.key_file or encryption.previous_key_file; when it "
     "is lost, flanks-sync credentials rotate"},
    {"bad_credential", the_operator, false, "A credentials_token or user_id cannot be registered.",
     "give the token as the provider gave it, and a user_id without control characters"},
    {"erased_credential", the_operator, false, "The credential was erased with its user.",
     "it stays erased; only when the user has agreed anew: flanks-sync credentials add "
     "--even-if-erased"},
    {"unknown_credential", the_operator, false, "No such credential is registered.",
     "flanks-sync credentials list shows what is"},
    {"unknown_name", the_operator, false, "A user or credential that was named does not exist.",
     "flanks-sync credentials list shows what is"},
    {"unknown_review", the_operator, false, "No such review is open.",
     "flanks-sync removals list shows the open ones"},
    {"unknown_succession", the_operator, false, "No such succession is open.",
     "flanks-sync successions list shows the open ones"},
    {"unknown_user", the_operator, false, "Nothing is stored of that user.",
     "flanks-sync credentials list shows the users; the name is compared to the letter"},
    {"review_busy", the_operator, false, "Somebody else decides the review now.",
     "try again in a moment"},
    {"succession_busy", the_operator, false, "One of its credentials is being synchronised now.",
     "try again in a moment"},
};

// http_503 -> http_5xx
std::string family_of(std::string_view name) {
  if (name.size() != 8 || !name.starts_with("http_")) return std::string(name);
  return std::string(name.substr(0, 6)) + "xx";
}

}  // namespace

std::string_view to_string(whose_turn who) {
  switch (who) {
    case nobody:
      return "nobody";
    case the_operator:
      return "operator";
    case the_provider:
      return "provider";
    case the_end_user:
      return "end_user";
  }
  return "";
}

std::span<const error_class_info> error_classes() {
  return known_classes;
}

const error_class_info* find_error_class(std::string_view name) {
  const std::string wanted = family_of(name);
  const auto found = std::find_if(std::begin(known_classes), std::end(known_classes),
                                  [&](const error_class_info& k) { return k.name == wanted; });
  return found == std::end(known_classes) ? nullptr : found;
}

std::string_view who_must_act(std::string_view error_class) {
  const error_class_info* const known = find_error_class(error_class);
  return known == nullptr ? std::string_view{} : to_string(known->who);
}

std::string_view hint_of(std::string_view error_class) {
  const error_class_info* const known = find_error_class(error_class);
  return known == nullptr ? std::string_view{} : known->hint;
}

}  // namespace flanks
