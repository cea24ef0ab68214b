// Random answers, a naive model of what the table must hold after them, and a database to try both
// on. RapidCheck prints the seed of a failure (RC_PARAMS="seed=..." repeats it, max_success=1000
// looks ten times as long). A few operations, days and contents, so that they meet.
#pragma once

#include <fmt/format.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "db/pg/text_format.hpp"
#include "db/windows/window_batch.hpp"
#include "sync/fingerprint_set.hpp"
#include "tests/pg/pg_fixture.hpp"
namespace flanks::testing {

constexpr int last_day = 5;  // of those that windows are made of; the first is 0
constexpr int contents = 3;
constexpr int operations = 5;

// The end of one month and the beginning of the next.
inline day date_of(int n) {
  return may.from + std::chrono::days{n - 3};
}

// One record: operation `id` on a day with a content. 0 and 1 are one amount in other digits.
struct shown {
  int id = 0, on = 0, content = 0;
  bool operator==(const shown&) const = default;
};
inline std::string amount_of(int content) {
  return content == 0 ? "7" : fmt::format("{}.0", 6 + content);
}

// One whole answer to credential 0 or 1 about the days from..to.
struct answer {
  int who = 0, from = 0, to = last_day;
  std::vector<shown> records;
};
inline std::ostream& operator<<(std::ostream& out, const shown& s) {
  return out << fmt::format("id{} day {} amount {}", s.id, s.on, amount_of(s.content));
}
inline std::ostream& operator<<(std::ostream& out, const answer& a) {
  out << fmt::format("credential {}, days {} to {}: ", a.who, a.from, a.to);
  for (const shown& s : a.records)
    out << "{" << s << "} ";
  return out;
}

// Of the whole range from the first case on, whatever the size of what it is drawn for.
inline int pick(int from, int end) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(from, end));
}

inline rc::Gen<shown> any_shown(int first_id, int end_id, int from, int to) {
  return rc::gen::exec([=] {
    // Mostly of the days that were asked for; at times before or after all windows.
    const bool inside = pick(0, 8) > 0;
    const int on = inside ? pick(from, to + 1) : *rc::gen::element(-2, last_day + 2);
    return shown{pick(first_id, end_id), on, pick(0, contents)};
  });
}

inline std::vector<shown> any_records(int most, int first_id, int end_id, int from, int to) {
  return *rc::gen::resize(
      most, rc::gen::container<std::vector<shown>>(any_shown(first_id, end_id, from, to)));
}

inline rc::Gen<answer> any_answer(int credentials) {
  return rc::gen::exec([=] {
    answer a;
    a.who = pick(0, credentials);
    a.from = pick(0, last_day);
    a.to = pick(a.from, last_day + 1);
    a.records = any_records(8, 0, operations, a.from, a.to);
    return a;
  });
}

inline std::vector<answer> any_story(int credentials, int most = 6) {
  return *rc::gen::resize(most, rc::gen::container<std::vector<answer>>(any_answer(credentials)));
}

// The operations that the answer shows in more than one version.
inline std::set<int> shown_differently(const answer& a) {
  std::map<int, shown> first;
  std::set<int> ids;
  for (const shown& s : a.records)
    if (first.try_emplace(s.id, s).first->second != s) ids.insert(s.id);
  return ids;
}

// The rules of design.md sections 2 and 5 and of P5 in the plainest words. No brake but that of the
// empty answer: it is asked to remove as much as it likes.
class model {
 public:
  struct row {
    int owner = 0;
    shown as;
    bool removed = false;
    int first_seen = 0;  // the answer that brought it, counted from 1
  };

  void apply(const answer& a) {
    ++answers_;
    std::set<int> here;
    for (const shown& s : a.records) {
      show(a.who, s);
      here.insert(s.id);
      asked_.erase({s.id, a.who});
    }
    for (const int id : shown_differently(a))
      replayed_.insert(id);
    std::set<int> absent;
    for (const auto& [id, r] : rows_) {
      const bool told = r.owner == a.who || sighted_.contains({id, a.who});
      const bool within = a.from <= r.as.on && r.as.on <= a.to;
      if (!r.removed && told && within && !here.contains(id)) absent.insert(id);
    }
    if (!absent.empty()) renumber(a.who, absent);
    for (const int id : absent) {
      row& r = rows_.at(id);
      if (r.removed || asked_.contains({id, a.who})) continue;
      if (a.records.empty()) {
        if (!is_asked(a.who)) raised_[a.who] = answers_;
        asked_.insert({id, a.who});
      } else {
        miss(a.who, id, r);
      }
    }
  }

  [[nodiscard]] std::vector<std::string> table() const {
    std::vector<std::string> lines;
    for (const auto& [id, r] : rows_) {
      lines.push_back(fmt::format("id{}|{}|{}|{}|{}", id, r.owner, to_string(date_of(r.as.on)),
                                  amount_of(r.as.content), r.removed ? "removed" : "there"));
    }
    for (const auto& [id, who] : sighted_)
      lines.push_back(fmt::format("sighting of id{}|{}", id, who));
    for (const auto& [id, who] : asked_)
      lines.push_back(fmt::format("review of id{}|{}", id, who));
    return lines;
  }
  // What the credential's list holds.
  [[nodiscard]] std::vector<shown> there(int who) const {
    std::vector<shown> records;
    for (const auto& [id, r] : rows_)
      if (r.owner == who && !r.removed) records.push_back(r.as);
    return records;
  }
  [[nodiscard]] std::vector<std::string> history(int id) const {
    const auto at = history_.find(id);
    return at == history_.end() ? std::vector<std::string>{} : at->second;
  }
  // An operation that came in two versions in one answer: how often it was overwritten depends on
  // what was stored before.
  [[nodiscard]] bool came_in_versions(int id) const { return replayed_.contains(id); }

 private:
  void show(int who, const shown& s) {
    const auto [at, is_new] = rows_.try_emplace(s.id, row{who, s, false, answers_});
    row& r = at->second;
    if (is_new || (r.owner == who && !r.removed && r.as == s)) return;
    if (r.owner != who && !r.removed) {
      if (r.as == s) sighted_.insert({s.id, who});
      return;  // else a conflict: it never overwrites
    }
    const bool same_amount = std::max(r.as.content, 1) == std::max(s.content, 1);
    const bool changed = r.as.on != s.on || !same_amount;
    keep(s.id, r, r.removed ? "restored" : changed ? "changed" : "rewritten");
    r = {who, s, false, r.first_seen};
  }
  [[nodiscard]] bool is_asked(int who) const {
    return std::any_of(asked_.begin(), asked_.end(),
                       [&](const auto& a) { return a.second == who; });
  }
  // What the answer does not show, or waits for a person, goes when its like has come, in this
  // answer or since that person was asked: one for one, in the order of the ids.
  void renumber(int who, const std::set<int>& absent) {
    const int since = is_asked(who) ? raised_.at(who) : answers_;
    std::map<std::pair<int, int>, std::pair<std::vector<int>, int>>
        alike;  // gone, and how many came
    for (const auto& [id, r] : rows_) {
      if (r.removed || r.owner != who) continue;
      auto& [gone, come] = alike[{r.as.on, std::max(r.as.content, 1)}];
      if (absent.contains(id) || asked_.contains({id, who})) {
        gone.push_back(id);
      } else if (r.first_seen >= since) {
        ++come;
      }
    }
    for (auto& [what, both] : alike) {
      auto& [gone, come] = both;
      gone.resize(std::min(gone.size(), static_cast<std::size_t>(come)));
      for (const int id : gone) {
        asked_.erase({id, who});
        miss(who, id, rows_.at(id));
      }
    }
  }
  void miss(int who, int id, row& r) {
    if (r.owner != who) {
      sighted_.erase({id, who});
    } else if (sighted_.erase({id, 1 - who}) > 0) {
      keep(id, r, "handed_over");
      r.owner = 1 - who;
    } else {
      keep(id, r, "removed");
      r.removed = true;
    }
  }
  void keep(int id, const row& r, const std::string& reason) {
    history_[id].push_back(fmt::format("{}|{}|{}|{}", reason, r.owner, to_string(date_of(r.as.on)),
                                       amount_of(r.as.content)));
  }

  std::map<int, row> rows_;
  int answers_ = 0;
  std::set<std::pair<int, int>> sighted_, asked_;  // operation, credential
  std::map<int, int> raised_;                      // credential, the answer since which it is asked
  std::map<int, std::vector<std::string>> history_;
  std::set<int> replayed_;
};

class diff : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    add("ana", "token-a");
    add("ben", "token-b");
    for (int i = 0; i < 2; ++i)
      claimed_.push_back(claim(credential_id{i + 1}));
    db_ = std::make_unique<pg_connection>(options_);
    other_db_ = std::make_unique<pg_connection>(options_);
  }
  void TearDown() override {
    db_.reset();
    other_db_.reset();
    database_test::TearDown();
  }

  // Checks a property with so many cases in place of RapidCheck's hundred: each takes tens of round
  // trips.
  template <class Property>
  static void check(int cases, Property property) {
    const auto* const test = ::testing::UnitTest::GetInstance()->current_test_info();
    rc::detail::TestMetadata metadata;
    metadata.id = metadata.description = std::string("diff/") + test->name();
    rc::detail::TestParams params = rc::detail::configuration().testParams;
    params.maxSuccess = params.maxSuccess * cases / 100;
    const auto result = rc::detail::checkTestable(std::move(property), metadata, params);
    if (result.template is<rc::detail::SuccessResult>()) return;
    std::ostringstream said;
    rc::detail::printResultMessage(result, said);
    ADD_FAILURE() << said.str() << "\nRC_PARAMS=\"seed=" << params.seed << "\" repeats it";
  }

  void start_anew() {
    for (pg_connection* const db : {db_.get(), other_db_.get()})
      if (db->in_transaction()) db->rollback();
    db_->run(statement{"forget", "delete from flanks.transaction_sightings"});
    db_->run(statement{"forget", "delete from flanks.transaction_revisions"});
    db_->run(statement{"forget", "delete from flanks.removal_reviews"});
    db_->run(statement{"forget", "delete from flanks.transactions"});
    db_->run(statement{"forget", "delete from flanks.coverage"});
    db_->run(statement{"forget", "delete from flanks.quarantine"});
    db_->run(statement{"forget", "delete from flanks_internal.fingerprints"});
    db_->run(statement{"forget", "delete from flanks_internal.fingerprint_months"});
  }

  static transaction_batch batch(std::vector<shown>::const_iterator from,
                                 std::vector<shown>::const_iterator to) {
    std::vector<sample> samples;
    for (; from != to; ++from) {
      samples.push_back(
          {fmt::format("id{}", from->id), to_string(date_of(from->on)), amount_of(from->content)});
    }
    return batch_of(samples);
  }
  static std::vector<transaction_batch> batches_of(const std::vector<shown>& records) {
    std::vector<transaction_batch> one;
    one.push_back(batch(records.begin(), records.end()));
    return one;
  }

  // All that a window_request names.
  struct window_in_hand {
    window_in_hand(const claimed_credential& c, const answer& a,
                   std::vector<transaction_batch> came, run_record record)
        : scope{.credential = c.id,
                .lease = c.lease,
                .what = product::account,
                .days = {date_of(a.from), date_of(a.to)},
                .item = std::nullopt,
                .query = ""},
          batches(std::move(came)),
          request{.scope = scope,
                  .answer = batches,
                  .sync_run_id = random_uuid(),
                  .record = std::move(record)} {
      request.evidence.provable = scope.days;
      request.evidence.limits = {100, 1000};
    }
    window_in_hand(const window_in_hand&) = delete;

    window_scope scope;
    std::vector<transaction_batch> batches;
    window_request request;
  };
  std::unique_ptr<window_in_hand> in_hand(const answer& a) {
    const claimed_credential& c = claimed_.at(static_cast<std::size_t>(a.who));
    run_record record = record_for(c, product::account, {date_of(a.from), date_of(a.to)});
    return std::make_unique<window_in_hand>(c, a, batches_of(a.records), std::move(record));
  }

  // A window whose answer comes in pieces.
  class streamed_window {
   public:
    streamed_window(pg_connection& db, std::unique_ptr<window_in_hand> w)
        : db_(db), window_(std::move(w)) {
      window_->batches.clear();
      window_->request.streamed = true;
      db_.begin();
      db_.force_index_plans();
      batch_.emplace(db_, requests_);
      batch_->open();
    }
    void write(std::vector<transaction_batch> came) {
      window_->batches = std::move(came);
      batch_->write();
    }
    void close(absent_rows& absent, bool last_part = true) {
      window_->request.absent = absent;
      window_->request.evidence.last_part = last_part;
      batch_->finish();
      db_.commit();
      absent = window_->request.written->absent;
    }

   private:
    pg_connection& db_;
    std::unique_ptr<window_in_hand> window_;
    std::array<window_request*, 1> requests_{&window_->request};
    std::optional<window_batch> batch_;
  };
  std::unique_ptr<streamed_window> open(pg_connection& db, const answer& a) {
    return std::make_unique<streamed_window>(db, in_hand(a));
  }

  row_counts apply(const answer& a, bool proves_absence = true) {
    const auto w = in_hand(a);
    if (!proves_absence) w->request.evidence.provable.reset();
    return apply(*w);
  }
  // As a full sweep does: compared with the values in the table.
  row_counts apply_by_values(const answer& a) {
    const auto w = in_hand(a);
    w->scope.by_values = true;
    return apply(*w);
  }
  row_counts apply(window_in_hand& hand) {
    auto* const w = &hand;
    const std::array requests{&w->request};
    db_->begin();
    db_->force_index_plans();
    try {
      flanks::apply(*db_, requests);
      db_->commit();
    } catch (...) {
      db_->rollback();
      throw;
    }
    return w->request.written->record.counts;
  }
  void apply(const std::vector<answer>& story) {
    for (const answer& a : story)
      apply(a);
  }

  std::vector<std::string> read(const char* sql) {
    std::vector<std::string> lines;
    for (const auto& r : db_->run(statement{"test", sql}))
      lines.emplace_back(r[0].c_str());
    return lines;
  }
  std::vector<std::string> table() {
    return read(R"(
      (select format('%s|%s|%s|%s|%s', _id, credential_id - 1, operation_date, amount,
        case when removed_at is null then 'there' else 'removed' end) from flanks.transactions order by _id)
      union all (select format('sighting of %s|%s', _id, credential_id - 1) from flanks.transaction_sightings order by 1)
      union all (select format('review of %s|%s', c._id, v.credential_id - 1) from flanks.removal_candidates c
        join flanks.removal_reviews v using (sync_run_id) where v.state = 'open' order by 1))");
  }
  std::vector<std::string> history(int id) {
    return read(fmt::format("select format('%s|%s|%s|%s', case reason when 'renumbered' "
                            "then 'removed' else reason end, credential_id - 1, "
                            "content->>'operation_date', content->>'amount') from "
                            "flanks.transaction_revisions where _id = 'id{}' order by revision_id",
                            id)
                    .c_str());
  }
  // Months that have fingerprints. Fails unless each says what the table says.
  int kept_months() {
    int count = 0;
    for (const auto& r : db_->run(statement{"test", R"(
        select f.credential_id, f.product, f.seed, m.month::date, m.entries
        from flanks_internal.fingerprints f
        join lateral (select n::date as month, coalesce(p.entries, case when p.month is null then ''::bytea end) as entries
          from generate_series(f.first_month, f.last_month, interval '1 month') n
          left join flanks_internal.fingerprint_months p on p.credential_id = f.credential_id and p.product = f.product
            and p.month = n and p.generation = f.generation) m on true
        where f.watch is not null and f.first_month <= f.last_month)"})) {
      if (r[4].is_null()) continue;
      ++count;
      const fingerprint_set rows = stored_rows(r);
      std::vector<std::string> packed;
      for (const fingerprint& row : rows.all())
        packed.emplace_back(fingerprint_set::pack(row).data(), fingerprint_set::packed_size);
      std::sort(packed.begin(), packed.end());
      EXPECT_EQ(entries_of(unhex(r[4].c_str())), packed) << "month " << r[3].c_str();
    }
    return count;
  }
  static std::vector<std::string> entries_of(const std::string& packed) {
    std::vector<std::string> entries;
    for (std::size_t at = 0; at < packed.size(); at += fingerprint_set::packed_size)
      entries.push_back(packed.substr(at, fingerprint_set::packed_size));
    std::sort(entries.begin(), entries.end());
    return entries;
  }
  static std::string unhex(const std::string& bytea) {
    std::string bytes;
    for (std::size_t at = 2; at < bytea.size(); at += 2)
      bytes.push_back(static_cast<char>(std::stoi(bytea.substr(at, 2), nullptr, 16)));
    return bytes;
  }
  fingerprint_set stored_rows(const pg_row& month) {
    fingerprint_set rows(static_cast<std::uint64_t>(month[2].as<std::int64_t>()), db_->key(), may);
    for (const auto& r :
         db_->run(statement{"test",
                            "select _id, operation_date, removed_at is not null, content_hash from "
                            "flanks.transactions where credential_id = $1 and product = $2 and "
                            "date_trunc('month', operation_date) = $3::date"},
                  sql_values(month[0].c_str(), month[1].c_str(), month[3].c_str()))) {
      std::string hex = r[3].c_str();
      std::erase(hex, '-');
      const content_hash content{std::stoull(hex.substr(0, 16), nullptr, 16),
                                 std::stoull(hex.substr(16), nullptr, 16)};
      rows.add(r[0].c_str(), content, r[1].as<day>(), r[2].as<bool>(), false);
    }
    return rows;
  }

  // Tries to write them in one transaction; at most one of a credential. Those that are done
  // have their counts.
  std::vector<std::optional<row_counts>> together(const std::vector<answer>& answers) {
    std::vector<std::unique_ptr<window_in_hand>> windows;
    std::vector<window_request*> requests;
    for (const answer& a : answers) {
      windows.push_back(in_hand(a));
      requests.push_back(&windows.back()->request);
    }
    db_->begin();
    db_->force_index_plans();
    bool committed = false;  // an error concerns all of them
    try {
      flanks::apply(*db_, requests);
      db_->commit();
      committed = true;
    } catch (const sql_problem&) {
      db_->rollback();
    } catch (const failure&) {
      db_->rollback();
    }
    std::vector<std::optional<row_counts>> counts;
    for (const window_request* r : requests)
      counts.push_back(committed && r->done ? std::optional(r->written->record.counts)
                                            : std::nullopt);
    return counts;
  }
  // Where and by whom each row version was written: another one is a write.
  std::vector<std::string> versions() {
    return read(R"(
      select format('transactions %s %s %s', _id, ctid, xmin) from flanks.transactions
      union all select format('sightings %s %s %s', _id, ctid, xmin) from flanks.transaction_sightings
      union all select format('revisions %s %s %s', revision_id, ctid, xmin) from flanks.transaction_revisions
      union all select format('candidates %s %s %s', _id, ctid, xmin) from flanks.removal_candidates
      order by 1)");
  }

  std::vector<claimed_credential> claimed_;
  std::unique_ptr<pg_connection> db_, other_db_;
};

}  // namespace flanks::testing
