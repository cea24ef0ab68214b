#include "daemon/event.hpp"

#include <algorithm>
#include <array>

namespace flanks {

namespace {

// A new one takes an id from `journalctl --new-id128`. A row that is no longer used is deleted, and
// its id with it.
constexpr std::array known_events{
    event_info{event::started, "86becca4f09e4fd88bfae986991d82c8", "flanks-sync <version> runs",
               "The daemon has started. Nothing to do."},
    event_info{event::ended, "dfb1d321541b4e46acae56b97d8bff5b", "flanks-sync ends",
               "The daemon has ended in order. The entry says what it did since it was started."},
    event_info{event::stopping, "fd131406941d45f58c0fdffe0dd7e72c",
               "stopping; a second signal ends at once",
               "A signal asks us to end. The window in hand is finished, or given up after 20 "
               "seconds and fetched again by whoever runs next; leases are given back."},
    event_info{event::reloaded, "ba862f67a2a9498d8baa382d2b664baf",
               "configuration and secrets reloaded: <what has changed>",
               "The message names what applies from now on, and what needs systemctl restart "
               "flanks-sync"},
    event_info{event::reload_refused, "b1703fa098104fa7b79f29f60f6da70c",
               "configuration not reloaded; the old one stays",
               "FLANKS_ERROR names each mistake with its place in the file, or what the database "
               "refused. Correct it, look at it with flanks-sync config check, then systemctl "
               "reload flanks-sync"},
    event_info{event::migrated, "aebe1e167d4b43968509b5b75bc6f306", "migrated",
               "A migration of the schema was applied. Nothing to do."},
    event_info{event::lines_dropped, "60f0b62d42a648c69955503a034f1db3",
               "lines of the log were dropped: they were not taken as fast as they came",
               "The reader of our log stood still (a pipe that nobody reads, a journald that is "
               "stopped or overloaded), and the mirror does not wait for it. FLANKS_LINES were "
               "lost before this entry. What happened to each credential is in the database all "
               "the same: select * from flanks.sync_runs"},
    event_info{event::window_stored, "a2253a91a22b448a81a92e969138d1a7", "window stored",
               "The operations of one credential, product and window of days were fetched, "
               "compared and stored. With FLANKS_OUTCOME=partial some records are not: "
               "FLANKS_ERROR says why, and they are kept in flanks.quarantine."},
    event_info{event::run_failed, "e69c82b65a984e5299485f1fae4d5f54", "run failed",
               "Nothing of this run was stored. FLANKS_ERROR says what failed and why, "
               "FLANKS_HINT what helps, and FLANKS_ERROR_CLASS whose turn it is: select "
               "who_must_act, meaning from flanks.error_classes where error_class = "
               "'@FLANKS_ERROR_CLASS@'\nIt is tried again by itself; flanks-sync status says "
               "when. To ask the provider, name FLANKS_TRACE_ID, or FLANKS_OUR_TRACE_ID, the "
               "trace id of the traceparent header that we sent."},
    event_info{event::rows_vanished, "3d69710bc4d54b9d84a0482f56193b7d",
               "rows have vanished: a person must look",
               "So many operations are missing in a complete answer that none was marked as "
               "removed. Look with flanks-sync removals list, then flanks-sync removals confirm "
               "or reject."},
    event_info{event::products_stored, "e8a971771ef748f2ba1a3f4257d19f3b", "products stored",
               "A list of products (accounts, holders, ...) was fetched, compared and stored. "
               "Those that could not be stored are in flanks.quarantine."},
    event_info{event::products_failed, "e4a0b2c174fc4dccb8e60ef5d083e006", "products not fetched",
               "A list of products could not be read; the others, and the operations, go on. "
               "FLANKS_ERROR says why, FLANKS_HINT what helps; it is tried again by itself."},
    event_info{event::products_vanished, "626df13b0562476f816b61b2425f24c3",
               "too many products vanished",
               "So many products are missing in a complete answer that none was marked as "
               "removed. It is believed when the provider says the same after its next refresh. "
               "If the bank did not close them, ask the provider."},
    event_info{event::unrecorded, "4b9952c9ae034253a807075020e33f28",
               "cannot record what happened to a credential",
               "A right, a trigger or row security of the database is in the way: FLANKS_ERROR "
               "says which. Until it is mended, flanks.sync_runs and flanks.credentials do not "
               "say how credential @FLANKS_CREDENTIAL_ID@ is."},
    event_info{event::odd_status, "75c905fa8c7d43c39295f14e94521844",
               "the provider's status holds what cannot be used",
               "FLANKS_WHAT names the fields of its answer. What could be used was used. Tell "
               "the provider if it stays so."},
    event_info{event::waiting, "f67e03ad5f6c4ea0ab99122b77aa3273",
               "a credential waits for others: <state>",
               "FLANKS_HINT says what must happen and FLANKS_WHO_MUST_ACT whose turn it is; until "
               "then nothing new comes. It is asked for again by itself; flanks-sync status says "
               "when."},
    event_info{event::provider_stale, "4764110b6f424cbc841bfb38138b59a0",
               "the provider has stopped refreshing a credential",
               "Everything works, and the provider has brought nothing new of credential "
               "@FLANKS_CREDENTIAL_ID@ for longer than sync.stale_after. Ask the provider why; if "
               "it does not know, the end user may have to connect the bank again. flanks-sync "
               "status shows it as stale until it is refreshed."},
    event_info{event::succession_open, "4544474097f7400b8cdc3cb0bb437b86",
               "an account may have passed from another credential: a person must look",
               "Credential @FLANKS_CREDENTIAL_ID@ shows an account that credential "
               "@FLANKS_FROM_CREDENTIAL_ID@ showed before, and their operations differ. Look with "
               "flanks-sync successions list, then flanks-sync successions confirm or reject."},
    event_info{event::banks_unread, "c5ba17a3013b413c9f31bc535e26a073",
               "cannot read the list of banks",
               "The names of banks in flanks.entities stay as they were. It is tried again in an "
               "hour."},
    event_info{event::clocks_apart, "b49738c6a88b4eb38dfaaae57d55f09a", "the clocks are apart",
               "FLANKS_ERROR says whose clock is another one than this machine's, and by how much. "
               "The work goes on, but certificates, days and the times in this log are judged by "
               "this clock. Set it by NTP: timedatectl status"},
    event_info{event::clocks_agree, "a47315d0c581425086e6f4a68c2bb005", "the clocks agree again",
               "Nothing to do."},
    event_info{event::claims_failing, "095a9b455e25448fb039c6d419421e00",
               "cannot claim due credentials; trying again",
               "Nothing is fetched until the database lets us: FLANKS_ERROR says why, "
               "FLANKS_HINT what helps."},
    event_info{event::claims_working, "d82409c81eca49a394098ed57d4fafc3",
               "credentials can be claimed again",
               "What kept credentials from being claimed is over. Nothing to do."},
    event_info{event::lease_not_renewed, "166922e75065489094f6b55be60aa056", "cannot renew a lease",
               "The database did not answer in time, or refused. It is tried again until the "
               "lease runs out; then the work in hand is dropped and done again."},
    event_info{event::lease_lost, "480770af50fb4d878bacfa0d5ea84ccc",
               "lost the lease; the work in hand is dropped",
               "Another worker has taken credential @FLANKS_CREDENTIAL_ID@ over, and goes on "
               "with it. If that happens often, this machine or the database stands still for "
               "longer than sync.lease."},
    event_info{event::lease_ran_out, "0da15035c660409ab40ae6d5f40ff6b5",
               "the lease ran out before it could be renewed; the work in hand is dropped",
               "The database did not renew it in time. Nothing is lost: the credential is due "
               "again. If that happens often, this machine or the database stands still for "
               "longer than sync.lease."},
    event_info{event::lease_not_returned, "99b048ea7c5a4b9c9861c127047654fe",
               "cannot give back a lease; it runs out by itself",
               "The database did not answer. The credential is worked on again when the lease "
               "has run out (sync.lease)."},
    event_info{event::windows_abandoned, "f150ae31875d4c86a7b8d8715f9b67ef",
               "abandoning windows in flight; they are fetched again",
               "The daemon had to end before they were stored. Nothing to do."},
    event_info{event::operator_needed, "71e55c62995e4fe8a9524979c2b276a8",
               "nothing can be fetched until an operator acts; trying again later",
               "Keys, rights or the schema are wrong: FLANKS_ERROR says which, FLANKS_HINT what "
               "helps. No credential is blamed for it; it is tried again after "
               "FLANKS_PAUSE_MINUTES."},
    event_info{event::backing_off, "c4a1bc87c6ea4ea9a2e0b24775ae752d",
               "<bank> fails for every credential; backing off",
               "The provider, or one bank at the provider, answers nobody. Its credentials are "
               "asked again later and less often, by themselves. If it lasts, ask the provider; "
               "FLANKS_ERROR is the last answer."},
    event_info{event::answering_again, "134de165b33c402bbd61b29a2bb4d123", "<bank> answers again",
               "What was postponed is fetched now. Nothing to do."},
    event_info{event::provider_pause, "0c7633f3be924cba9e0aea41c70c4af5",
               "the provider asks us to wait; no process sends before",
               "It answered 429 or 503. All processes that use this database wait. If that "
               "happens often, lower flanks.requests_per_second."},
    event_info{event::pause_over, "3edda71dd202418f80d2a68ff318abcb",
               "the provider's pause is over", "Requests are sent again. Nothing to do."},
    event_info{event::rate_limit_unreachable, "e998d5016a424266adf387b648d1b086",
               "the rate limit in the database cannot be asked; requests wait",
               "All processes share one limit, which is kept in the database: FLANKS_ERROR says "
               "why it does not answer, FLANKS_HINT what helps."},
    event_info{event::rate_limit_reachable, "8da569cd49034eae8e0d882acbbcf0df",
               "the rate limit in the database answers again",
               "Requests are sent again. Nothing to do."},
    event_info{event::list_cut_short, "fcb9c90ee2144f2c82cf1f69b771cda9",
               "the provider's list of credentials was not read to its end",
               "FLANKS_CUT_SHORT_BY names the limit. Raise it if the list is really that long."},
    event_info{event::list_refused, "4b68036c3cb44dfb86e6847f812097f6",
               "the provider's list holds credentials that cannot be registered",
               "Those that can be are registered. flanks-sync credentials discover names the "
               "others and says why."},
    event_info{event::list_read, "ab312aff6241459d84f25a75b8dd151b",
               "read the provider's list of credentials",
               "New credentials were registered. Nothing to do."},
    event_info{event::discovery_failed, "c08db77b98cb495e9717d476451f4d95",
               "cannot discover credentials; trying again later",
               "The provider's list of credentials could not be read, or not be stored: "
               "FLANKS_ERROR says why, FLANKS_HINT what helps. Credentials that are registered "
               "are mirrored all the same."},
    event_info{event::backfill_started, "a764dfec317a4d8eba747ec1cade47cb", "starting a backfill",
               "All history that was asked for is read. Interrupted, it goes on where it stopped "
               "when the same command is given again."},
    event_info{event::backfill_resumed, "bae75cffc1f6450397c348fff09d8fba", "resuming a backfill",
               "An earlier one with the same arguments was not finished, and goes on. --restart "
               "begins anew."},
    event_info{event::lease_awaited, "ab57e98aa3ab4b0d9d93c2fc3e33c52c",
               "waiting for the lease of a credential",
               "Another worker has credential @FLANKS_CREDENTIAL_ID@ in hand. At most the time "
               "of a lease."},
    event_info{event::pruned, "a601d7e749534dd28932dac431fb8c73",
               "deleted what is older than retention.* keeps",
               "FLANKS_ROWS says what, by table. Keys of retention: in the configuration decide "
               "how long it is kept."},
    event_info{event::prune_failed, "c95e54bf054248db8ae3a0923dc8c2c6",
               "cannot delete what is older than retention.* keeps; the rest goes another day",
               "FLANKS_ERROR says why, FLANKS_HINT what helps. Tables grow until it is mended."},
    event_info{event::tokens_sealed, "6bba44a0c4d248d689f1861f00e6e972", "tokens sealed",
               "Credentials_tokens that were stored as they are, or sealed with the previous key, "
               "are sealed now with the key of encryption.key_file. Keep a copy of that key apart "
               "from the database's backups."},
    event_info{
        event::tokens_not_sealed, "85101f98c81b47eeabee295f32dec09c", "tokens not sealed",
        "Credentials_tokens that are not sealed with the key of encryption.key_file could not "
        "be: FLANKS_ERROR says why. It is tried again within the hour, and when a credential "
        "is next synchronised; flanks-sync doctor counts them."},
    event_info{event::serving, "71e73e76c38a46e097122c1a7c6fd0f0", "metrics and health are served",
               "At the address in FLANKS_LISTEN. Nothing to do."},
    event_info{event::not_listening, "a096dc1b37244430ae46d4b85f660269",
               "cannot listen at <address>; going on without metrics",
               "Credentials are mirrored all the same. Give this daemon another address in "
               "admin.listen, or none."},
    event_info{event::gauges_unread, "3c5833a020a248d88574298431d17398",
               "cannot read the gauges of the database",
               "/metrics shows what it last knew of the database. FLANKS_ERROR says why."},
    event_info{event::admin_connection_refused, "e45d76c4194e477383baa14f2b4ea614",
               "the admin listener cannot take a connection; trying again",
               "As a rule there are too many open files: FLANKS_ERROR says. The mirror goes on."},
    event_info{event::admin_request_failed, "d0acefee74354b7eaef61eca418041f9",
               "cannot answer a request of the admin listener",
               "This is a defect of flanks-sync: please report it with FLANKS_ERROR."},
    event_info{event::foreign_host, "a18cc71cbdd64b48b4a363567e196f40",
               "the admin listener refuses requests for a host that is not its own",
               "FLANKS_HOST is the Host of the request. Name it in admin.hosts if it is meant "
               "for this daemon; else somebody's browser was made to ask. Told once."},
    event_info{
        event::wrong_passwords, "95171583034f4797a503138a526fc04e",
        "wrong passwords for the admin listener from <address>",
        "Somebody guesses, or has the password of before: admin.password_file names the file "
        "that holds it. FLANKS_TRIES were wrong since this was last told; it is told once a "
        "minute at most, with the address of the last one. After ten wrong ones nobody is "
        "let in for two seconds."},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < known_events.size(); ++i) {
    if (static_cast<std::size_t>(known_events[i].kind) != i) return false;
  }
  return true;
}
static_assert(in_order(), "info_of() takes the rows in the order of `event`");

// What stands where `message` has its <name>.
std::string with_detail(std::string_view message, std::string_view detail) {
  const std::size_t begin = message.find('<');
  const std::size_t end = message.find('>', begin);
  std::string text(message.substr(0, begin));
  if (end != std::string_view::npos) text.append(detail).append(message.substr(end + 1));
  return text;
}

// The catalog's lines have no limit, a terminal's have.
void append_paragraph(std::string& out, std::string_view text) {
  constexpr std::size_t width = 78;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find_first_of(" \n"), text.size());
    if (column > 0 && column + 1 + size > width) {
      out += '\n';
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out.append(text.substr(0, size));
    column += size;
    if (size < text.size() && text[size] == '\n') {
      out += '\n';
      column = 0;
    }
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  out += '\n';
}

}  // namespace

std::span<const event_info> all_events() {
  return known_events;
}

const event_info& info_of(event kind) {
  return known_events.at(static_cast<std::size_t>(kind));
}

log_message::log_message(event kind, std::string_view detail)
    : text_(with_detail(info_of(kind).message, detail)), id_(info_of(kind).id) {}

std::string journal_catalog() {
  std::string out =
      "# What journalctl -x says of the events of flanks-sync. Made from daemon/event.cpp.\n";
  for (const event_info& e : known_events) {
    out.append("\n-- ").append(e.id).append("\nSubject: ").append(e.message);
    out += "\nDefined-By: flanks-sync\n\n";
    append_paragraph(out, e.what_to_do);
  }
  return out;
}

}  // namespace flanks
