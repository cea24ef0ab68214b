// Every kind of event that an operator may look up: its MESSAGE_ID (sd-journal(3)), its message,
// and what to do about it. `journalctl -x` shows the last; the catalog that it reads is made from
// this table when we are built (systemd/write_catalog.cpp). What is only logged at debug has none.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace flanks {

enum class event : std::uint8_t {
  // the process
  started,
  ended,
  stopping,
  reloaded,
  reload_refused,
  migrated,
  lines_dropped,
  // what runs brought
  window_stored,
  run_failed,
  rows_vanished,
  products_stored,
  products_failed,
  products_vanished,
  unrecorded,
  odd_status,
  waiting,
  provider_stale,
  succession_open,
  banks_unread,
  clocks_apart,
  clocks_agree,
  // claims and leases
  claims_failing,
  claims_working,
  lease_not_renewed,
  lease_lost,
  lease_ran_out,
  lease_not_returned,
  windows_abandoned,
  // the provider
  operator_needed,
  backing_off,
  answering_again,
  provider_pause,
  pause_over,
  rate_limit_unreachable,
  rate_limit_reachable,
  // credentials that arrive
  list_cut_short,
  list_refused,
  list_read,
  discovery_failed,
  // backfills and pruning
  backfill_started,
  backfill_resumed,
  lease_awaited,
  pruned,
  prune_failed,
  tokens_sealed,
  tokens_not_sealed,
  // the admin listener
  serving,
  not_listening,
  gauges_unread,
  admin_connection_refused,
  admin_request_failed,
  foreign_host,
  wrong_passwords,
};

struct event_info {
  event kind;
  // 128 bits in hexadecimal. Never changes, whatever happens to the message.
  std::string_view id;
  std::string_view message;  // <name> stands for what differs
  // A paragraph. @FIELD@ is a field of the journal that the event always has.
  std::string_view what_to_do;
};

// In the order of `event`.
[[nodiscard]] std::span<const event_info> all_events();
[[nodiscard]] const event_info& info_of(event kind);

// What an event says: the message of its kind, with `detail` in the place of its <name>; or words
// of their own, which have no MESSAGE_ID.
class log_message {
 public:
  log_message(event kind, std::string_view detail = {});
  log_message(std::string words) : text_(std::move(words)) {}
  log_message(const char* words) : text_(words) {}

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::string_view id() const { return id_; }  // empty: none

 private:
  std::string text_;
  std::string_view id_;
};

// All of them as journald's catalog (systemd's journal-catalog.txt describes the format).
[[nodiscard]] std::string journal_catalog();

}  // namespace flanks
