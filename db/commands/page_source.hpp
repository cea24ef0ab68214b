// What the status page asks of the database: the mirror as a whole, a page of the list of
// credentials, one credential. In the words of flanks.sync_status; no token, no row of anybody's
// account. On connections of its own: who looks never takes a connection from those who work.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/commands/status_view.hpp"
#include "db/pg/options.hpp"
#include "sync/types.hpp"

namespace flanks {

// Removed credentials are left out everywhere, unless they are asked for.
struct mirror_overview {
  struct state {
    std::string name;  // as in flanks.sync_status
    std::int64_t credentials = 0;
    // The oldest agreement with the provider among them (since it was registered, where there was
    // none), and whose it is.
    std::chrono::seconds worst_lag{0};
    credential_id worst;
  };
  // Somebody must look at it: in full, and since when it is so, as far as that is known.
  struct problem {
    status_row status;
    std::optional<std::string> since;  // YYYY-MM-DDTHH:MM:SSZ
  };
  // A plan that is not finished, whoever works on it.
  struct backfill {
    std::int64_t id = 0;
    instant begun;
    window days;
    std::int64_t credentials = 0, items = 0, items_done = 0;
    std::int64_t items_failed = 0;  // tried in vain so far
    std::int64_t done_lately = 0;   // within `lately`
    std::chrono::seconds lately{0};
    std::string last_error;  // of an item that is still open; empty: none
  };
  // What ended in it: windows of transactions (flanks.sync_runs).
  struct hour {
    instant begin;
    std::int64_t windows = 0, failed = 0;
    std::int64_t fetched = 0;
    std::int64_t written = 0;   // rows inserted, updated or removed
    std::int64_t requests = 0;  // of these windows; status calls are not in it
  };
  struct bank {
    std::string id, name;  // of the provider; id empty before the first status; name may be empty
    std::int64_t credentials = 0, problems = 0, stale = 0;
    std::optional<instant> oldest_refresh;  // of those neither paused nor gone
    std::int64_t windows = 0, failed = 0;   // in `hours`
  };

  instant read_at;  // by the database's clock
  std::vector<state> states;
  std::int64_t problem_count = 0;
  std::vector<problem> problems;             // the first of them, in the view's order
  std::vector<mirror_problems::row> of_all;  // flanks.mirror_problems, the oldest first
  std::vector<backfill> backfills;
  std::vector<hour> hours;  // the last 24, oldest first; the last one is under way
  std::vector<bank> banks;  // problems first, then by name
  std::string server;       // "15.8"
  std::string schema;       // the newest migration
};

struct credential_query {
  enum class order : std::uint8_t { id, bank, state, agreed, next };
  static constexpr int per_page = 50;

  std::string text;   // a credential's number, or a part of a user or bank; empty: all
  std::string bank;   // this one; empty: all
  std::string state;  // as in sync_status, or "problem": somebody must look; empty: all but removed
  order by = order::id;
  bool descending = false;
  int page = 1;
  int limit = per_page;
};

struct credential_list {
  std::int64_t total = 0;  // that the query finds, whatever the page
  std::vector<status_row> rows;
};

struct credential_story {
  struct state {
    std::string since, name;
    std::optional<std::string> why;
  };
  struct run {
    std::string at, trigger, what, outcome;  // what: "account transactions", "list of cards"
    std::optional<day> from, to;
    row_counts counts;
    std::int64_t milliseconds = 0;
    std::optional<std::string> error, hint, trace_id;
  };
  // The transactions of a product: how many days of each month were read whole.
  struct covered {
    struct month {
      std::string name;  // YYYY-MM
      int days = 0, of = 0;
    };
    std::string product;
    std::vector<month> months;  // oldest first, without a gap, up to this month
    std::optional<day> first, last;
    int ranges = 0;  // 1: without a gap
    std::optional<std::string> last_success, last_sweep;
    bool unclean = false;  // days whose records are in quarantine
  };
  // A list of products.
  struct listed {
    std::string product, outcome;
    std::optional<std::string> last_success, reason;
  };
  // A product that it shows.
  struct held {
    std::string product, number;  // number: whole; whoever shows it masks it
    std::int64_t real_account = 0;
    bool removed = false;
  };
  struct succession {
    std::int64_t id = 0, from = 0, to = 0, real_account = 0;
    std::string product, state, raised;
    std::int64_t compared = 0, paired = 0, succeeded = 0;
    std::optional<std::string> decided;
  };
  struct quarantined {
    std::string product, part, reason;
    std::int64_t records = 0, open = 0;
    bool stored_anyway = false;
    std::string first_seen, last_seen;
  };

  instant read_at;
  status_row status;
  std::string bank_name;
  std::string registered;
  std::optional<std::string> since;
  std::vector<state> states;  // newest first
  std::vector<run> runs;      // newest first
  std::vector<covered> coverage;
  std::vector<listed> lists;
  std::vector<held> products;
  std::vector<succession> successions;
  std::vector<quarantined> quarantine;
};

// Throws `failure` like store. Belongs to the event loop's thread; several questions may be under
// way at the same time: they take turns.
class page_source {
 public:
  virtual ~page_source() = default;
  // Looks at every credential: half a second where there are a hundred thousand.
  virtual boost::asio::awaitable<mirror_overview> overview() = 0;
  virtual boost::asio::awaitable<credential_list> credentials(credential_query asked) = 0;
  // Nothing when there is no such credential.
  virtual boost::asio::awaitable<std::optional<credential_story>> credential(credential_id id) = 0;
};

// Two connections at most, opened by the first questions, with deadlines of their own: 10 s for a
// statement, 2 s for a connection. Use it on the executor's thread only. Destroy it after the loop
// has run out of work and before the loop's context.
[[nodiscard]] std::unique_ptr<page_source> make_page_source(boost::asio::any_io_executor loop,
                                                            db_options options);

}  // namespace flanks
