#include "daemon/metrics/mirror.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "daemon/metrics/problem_labels.hpp"

namespace flanks {

namespace {

constexpr std::array proof_words{"equal", "different", "not_verifiable", "failed"};
constexpr std::array state_words{"new",     "pending", "ok",   "stale",  "action_required",
                                 "blocked", "error",   "gone", "paused", "removed"};

double seconds_since_1970(instant t) {
  return static_cast<double>(t.time_since_epoch().count());
}

double number(std::int64_t n) {
  return static_cast<double>(n);
}

void add_states(const mirror_gauges& g, told_family& count, told_family& oldest) {
  for (const std::string_view word : state_words) {
    const auto found = std::find_if(g.states.begin(), g.states.end(),
                                    [&](const auto& s) { return s.state == word; });
    const bool any = found != g.states.end() && found->credentials > 0;
    count.add(any ? number(found->credentials) : 0, {{"state", std::string(word)}});
    if (any && word != "paused" && word != "removed")
      oldest.add(seconds_since_1970(found->oldest_success), {{"state", std::string(word)}});
  }
}

void add_problems(const mirror_gauges& g, told_family& to) {
  for (const mirror_gauges::in_trouble& p : g.problems)
    to.add(number(p.credentials), problem_labels(p.error_class, p.who_must_act));
}

void add_refreshes(const mirror_gauges& g, told_family& stale, told_family& at) {
  std::optional<instant> oldest;
  for (const mirror_gauges::of_bank& b : g.banks) {
    stale.add(number(b.stale), {{"bank", b.bank}});
    if (b.oldest_refresh) oldest = std::min(oldest.value_or(*b.oldest_refresh), *b.oldest_refresh);
  }
  if (oldest) at.add(seconds_since_1970(*oldest));
}

void add_proofs(const mirror_gauges& g, told_family& ended, told_family& differences) {
  for (const product p : all_products) {
    const std::string name(to_string(p));
    mirror_gauges::proved sum;
    for (const std::string_view word : proof_words) {
      std::int64_t credentials = 0;
      for (const mirror_gauges::proved& v : g.proofs) {
        if (v.product != name || v.outcome != word) continue;
        credentials += v.credentials;
        sum.missing += v.missing, sum.extra += v.extra, sum.altered += v.altered;
      }
      ended.add(number(credentials), {{"product", name}, {"outcome", std::string(word)}});
    }
    differences.add(number(sum.missing), {{"product", name}, {"kind", "missing"}});
    differences.add(number(sum.extra), {{"product", name}, {"kind", "extra"}});
    differences.add(number(sum.altered), {{"product", name}, {"kind", "altered"}});
  }
}

void add_credentials(const mirror_gauges* g, families& to) {
  told_family read(
      "flanks_database_read_timestamp_seconds",
      "When the gauges of the database were read, in seconds since 1970: at a scrape, but not "
      "for more than a twentieth of the time.");
  told_family count("flanks_credentials", "Credentials by state, as in flanks.sync_status.");
  told_family problems("flanks_problems",
                       "Credentials that somebody must look at, by what is wrong and who must act, "
                       "as in flanks.sync_status; meaning and hint are those of "
                       "flanks.error_classes.");
  told_family due("flanks_credentials_due", "Credentials that wait for a free worker.");
  told_family leases("flanks_leases_held",
                     "Credentials that a worker of any daemon or command has under its lease.");
  told_family oldest("flanks_oldest_success_timestamp_seconds",
                     "When the mirror of the credential that is furthest behind, of those in this "
                     "state, was last known to agree with the provider (when it was registered, "
                     "where it never was), in seconds since 1970. None for a state without "
                     "credentials, for paused and for removed.");
  told_family stale("flanks_stale_credentials",
                    "Credentials by bank that the provider has not refreshed for longer than "
                    "sync.stale_after.");
  told_family at(
      "flanks_oldest_provider_refresh_timestamp_seconds",
      "When the provider refreshed the credential that it has left alone for longest, in "
      "seconds since 1970.");
  if (g != nullptr) {
    read.add(seconds_since_1970(g->read_at));
    add_states(*g, count, oldest);
    add_problems(*g, problems);
    due.add(number(g->due));
    leases.add(number(g->leases));
    add_refreshes(*g, stale, at);
  }
  for (told_family* each : {&read, &count, &problems, &due, &leases, &oldest, &stale, &at})
    each->into(to);
}

void add_findings(const mirror_gauges* g, families& to) {
  told_family quarantine(
      "flanks_quarantine_records",
      "Records that are in quarantine now, by reason, as in flanks.quarantine. "
      "stored \"yes\": a warning, the record is stored but was changed on the way; "
      "\"no\": it is missing.");
  told_family reviews("flanks_reviews_open",
                      "What waits for a person: removals (flanks-sync removals list), successions "
                      "(flanks-sync successions list).");
  told_family ended(
      "flanks_verifications",
      "Credentials by product and by how their latest flanks-sync verify ended, as in "
      "flanks.verifications; of several windows the worst.");
  told_family differences("flanks_verification_differences",
                          "Operations that differed from the provider in the latest verifications "
                          "of all credentials, by product and kind of difference.");
  told_family last("flanks_last_verification_timestamp_seconds",
                   "When the latest verification ended, in seconds since 1970.");
  if (g != nullptr) {
    for (const mirror_gauges::quarantined& q : g->quarantine)
      quarantine.add(number(q.records),
                     {{"reason", q.reason}, {"stored", q.stored ? "yes" : "no"}});
    reviews.add(number(g->open_removals), {{"kind", "removals"}});
    reviews.add(number(g->open_successions), {{"kind", "successions"}});
    add_proofs(*g, ended, differences);
    if (g->last_verification) last.add(seconds_since_1970(*g->last_verification));
  }
  for (told_family* each : {&quarantine, &reviews, &ended, &differences, &last})
    each->into(to);
}

void add_tables(const mirror_gauges* g, families& to) {
  told_family rows(
      "flanks_table_rows",
      "Rows of each of our tables, as PostgreSQL estimates them (pg_class.reltuples).");
  told_family bytes("flanks_table_size_bytes",
                    "Size of each of our tables with its indexes and TOAST, in bytes.");
  if (g != nullptr) {
    for (const mirror_gauges::table_size& t : g->tables) {
      rows.add(number(t.rows), {{"table", t.name}});
      bytes.add(number(t.bytes), {{"table", t.name}});
    }
  }
  rows.into(to);
  bytes.into(to);
}

}  // namespace

void add_gauges(const mirror_gauges* known, families& to) {
  add_credentials(known, to);
  add_findings(known, to);
  add_tables(known, to);
}

}  // namespace flanks
