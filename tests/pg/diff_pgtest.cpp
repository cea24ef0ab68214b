// What must hold for every sequence of answers, not only for those of the truth tables: the table
// is what a naive model says, a replay writes nothing, and it does not matter how an answer was cut
// up or which of two strangers came first. A few operations, days and contents, so that they meet.
// RapidCheck prints the seed of a failure (RC_PARAMS="seed=..." repeats it, max_success=1000 looks
// ten times as long).
#include <fmt/format.h>
#include <rapidcheck.h>

#include <map>
#include <set>
#include <sstream>

#include "db/window_writer.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {
namespace {

constexpr int last_day = 5;  // of those that windows are made of; the first is 0
constexpr int contents = 3;
constexpr int operations = 5;

day date_of(int n) {
  return may.from + std::chrono::days{n};
}

// One record: operation `id` on a day with a content. 0 and 1 are one amount in other digits.
struct shown {
  int id = 0, on = 0, content = 0;
  bool operator==(const shown&) const = default;
};
std::string amount_of(int content) {
  return content == 0 ? "7" : fmt::format("{}.0", 6 + content);
}

// One whole answer to credential 0 or 1 about the days from..to.
struct answer {
  int who = 0, from = 0, to = last_day;
  std::vector<shown> records;
};
std::ostream& operator<<(std::ostream& out, const shown& s) {
  return out << fmt::format("id{} day {} amount {}", s.id, s.on, amount_of(s.content));
}
std::ostream& operator<<(std::ostream& out, const answer& a) {
  out << fmt::format("credential {}, days {} to {}: ", a.who, a.from, a.to);
  for (const shown& s : a.records)
    out << "{" << s << "} ";
  return out;
}

// Of the whole range from the first case on, whatever the size of what it is drawn for.
int pick(int from, int end) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(from, end));
}

rc::Gen<shown> any_shown(int first_id, int end_id, int from, int to) {
  return rc::gen::exec([=] {
    // Mostly of the days that were asked for; at times before or after all windows.
    const bool inside = pick(0, 8) > 0;
    const int on = inside ? pick(from, to + 1) : *rc::gen::element(-2, last_day + 2);
    return shown{pick(first_id, end_id), on, pick(0, contents)};
  });
}

std::vector<shown> any_records(int most, int first_id, int end_id, int from, int to) {
  return *rc::gen::resize(
      most, rc::gen::container<std::vector<shown>>(any_shown(first_id, end_id, from, to)));
}

rc::Gen<answer> any_answer(int credentials) {
  return rc::gen::exec([=] {
    answer a;
    a.who = pick(0, credentials);
    a.from = pick(0, last_day);
    a.to = pick(a.from, last_day + 1);
    a.records = any_records(8, 0, operations, a.from, a.to);
    return a;
  });
}

std::vector<answer> any_story(int credentials, int most = 6) {
  return *rc::gen::resize(most, rc::gen::container<std::vector<answer>>(any_answer(credentials)));
}

// The operations that the answer shows in more than one version.
std::set<int> shown_differently(const answer& a) {
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
  };

  void apply(const answer& a) {
    std::set<int> here;
    for (const shown& s : a.records) {
      show(a.who, s);
      here.insert(s.id);
      asked_.erase({s.id, a.who});
    }
    for (const int id : shown_differently(a))
      replayed_.insert(id);
    for (auto& [id, r] : rows_) {
      const bool told = r.owner == a.who || sighted_.contains({id, a.who});
      const bool within = a.from <= r.as.on && r.as.on <= a.to;
      if (r.removed || !told || !within || here.contains(id) || asked_.contains({id, a.who}))
        continue;
      if (a.records.empty()) {
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
  [[nodiscard]] std::vector<std::string> history(int id) const {
    const auto at = history_.find(id);
    return at == history_.end() ? std::vector<std::string>{} : at->second;
  }
  // An operation that came in two versions in one answer: how often it was overwritten depends on
  // what was stored before.
  [[nodiscard]] bool came_in_versions(int id) const { return replayed_.contains(id); }

 private:
  void show(int who, const shown& s) {
    const auto [at, is_new] = rows_.try_emplace(s.id, row{who, s, false});
    row& r = at->second;
    if (is_new || (r.owner == who && !r.removed && r.as == s)) return;
    if (r.owner != who && !r.removed) {
      if (r.as == s) sighted_.insert({s.id, who});
      return;  // else a conflict: it never overwrites
    }
    const bool same_amount = std::max(r.as.content, 1) == std::max(s.content, 1);
    if (r.removed || r.as.on != s.on || !same_amount)
      keep(s.id, r, r.removed ? "restored" : "changed");
    r = {who, s, false};
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
  std::set<std::pair<int, int>> sighted_, asked_;  // operation, credential
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
    db_ = std::make_unique<session>(options_);
    other_db_ = std::make_unique<session>(options_);
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
    for (session* const db : {db_.get(), other_db_.get()})
      if (db->in_transaction()) db->rollback();
    db_->run(statement{"forget", "delete from flanks.transaction_sightings"});
    db_->run(statement{"forget", "delete from flanks.transaction_revisions"});
    db_->run(statement{"forget", "delete from flanks.removal_reviews"});
    db_->run(statement{"forget", "delete from flanks.transactions"});
    db_->run(statement{"forget", "delete from flanks.coverage"});
    db_->run(statement{"forget", "delete from flanks.quarantine"});
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

  window_writer open(session& db, const answer& a) {
    const claimed_credential& c = claimed_.at(static_cast<std::size_t>(a.who));
    return window_writer(db, {.credential = c.id,
                              .lease = c.lease,
                              .what = product::account,
                              .days = {date_of(a.from), date_of(a.to)},
                              .item = std::nullopt,
                              .query = ""});
  }
  void close(window_writer& writer, const answer& a, absent_rows& absent, bool last_part = true) {
    window_evidence evidence;
    evidence.provable = window{date_of(a.from), date_of(a.to)};
    evidence.last_part = last_part;
    evidence.limits = {100, 1000};
    writer.commit(record_for(claimed_.at(static_cast<std::size_t>(a.who)), product::account,
                             *evidence.provable),
                  evidence, absent);
  }
  row_counts apply(const answer& a) {
    auto batches = batches_of(a.records);
    window_writer writer = open(*db_, a);
    writer.write(batches);
    absent_rows absent;
    close(writer, a, absent);
    return writer.finished().counts;
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
    return read(fmt::format("select format('%s|%s|%s|%s', reason, credential_id - 1, "
                            "content->>'operation_date', content->>'amount') from "
                            "flanks.transaction_revisions where _id = 'id{}' order by revision_id",
                            id)
                    .c_str());
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
  std::unique_ptr<session> db_, other_db_;
};

TEST_F(diff, any_sequence_of_answers_gives_the_table_of_a_naive_model) {
  check(80, [&] {
    const auto story = any_story(2, 8);
    start_anew();
    model expected;
    for (const answer& a : story) {
      apply(a);
      expected.apply(a);
    }
    RC_ASSERT(table() == expected.table());
    for (int id = 0; id < operations; ++id)
      if (!expected.came_in_versions(id)) RC_ASSERT(history(id) == expected.history(id));
  });
}

TEST_F(diff, an_answer_that_comes_again_writes_no_row_version) {
  check(80, [&] {
    start_anew();
    apply(any_story(2));
    const answer again = *any_answer(2);
    apply(again);
    const auto rows_then = table();
    const auto versions_then = versions();
    const row_counts counts = apply(again);
    RC_ASSERT(table() == rows_then);
    RC_ASSERT(versions() == versions_then);
    RC_ASSERT(counts.inserted + counts.updated + counts.removed == 0);
  });
}

TEST_F(diff, batches_of_any_size_give_the_rows_of_one) {
  check(20, [&] {
    const auto story = any_story(2);
    answer whole = *any_answer(2);
    whole.records = any_records(12, 0, operations, whole.from, whole.to);
    start_anew();
    apply(story);
    apply(whole);
    const auto expected = table();

    start_anew();
    apply(story);
    window_writer writer = open(*db_, whole);
    for (auto at = whole.records.cbegin(); at != whole.records.cend();) {
      // Some batches together in one write, each of them of any size.
      std::vector<transaction_batch> together;
      for (int n = pick(1, 4); n > 0 && at != whole.records.cend(); --n) {
        const auto end = at + pick(1, static_cast<int>(whole.records.cend() - at) + 1);
        together.push_back(batch(at, end));
        at = end;
      }
      writer.write(together);
    }
    absent_rows absent;
    close(writer, whole, absent);
    RC_ASSERT(table() == expected);
  });
}

// One credential: what it shows in one part of a conflict is not carried to the next.
TEST_F(diff, a_window_in_any_parts_gives_the_rows_of_one) {
  check(20, [&] {
    const auto story = any_story(1);
    std::vector<answer> parts;
    answer whole;
    for (int from = 0; from <= last_day;) {
      const int to = pick(from, last_day + 1);
      answer part{0, from, to, any_records(5, 0, operations, from, to)};
      // An empty part of an answer that is not empty is a question of its own.
      if (part.records.empty()) part.records.push_back(*any_shown(0, operations, from, to));
      whole.records.insert(whole.records.end(), part.records.begin(), part.records.end());
      parts.push_back(std::move(part));
      from = to + 1;
    }
    RC_LOG() << whole << " in " << parts.size() << " parts\n";
    start_anew();
    apply(story);
    apply(whole);
    const auto expected = table();

    start_anew();
    apply(story);
    absent_rows absent;
    for (const answer& part : parts) {
      auto batches = batches_of(part.records);
      window_writer writer = open(*db_, part);
      writer.write(batches);
      close(writer, part, absent, &part == &parts.back());
    }
    RC_ASSERT(table() == expected);
  });
}

// Operations 0 to 2 are those of the first, 3 to 5 those of the second.
answer of_its_own(int who, int first_id, int from, int to) {
  return {who, from, to, any_records(8, first_id, first_id + 3, from, to)};
}

TEST_F(diff, two_credentials_that_share_nothing_commute_and_may_write_at_once) {
  check(20, [&] {
    const auto any = [](int who) { return of_its_own(who, 3 * who, 0, last_day); };
    const std::vector<answer> story{any(0), any(1), any(0), any(1)};
    const answer a = any(0), b = any(1);
    RC_LOG() << a << "\n" << b << "\n";
    start_anew();
    apply(story);
    apply(a);
    apply(b);
    const auto expected = table();

    start_anew();
    apply(story);
    apply(b);
    apply(a);
    RC_ASSERT(table() == expected);

    start_anew();
    apply(story);
    auto batches_a = batches_of(a.records), batches_b = batches_of(b.records);
    absent_rows absent_a, absent_b;
    window_writer first = open(*db_, a), second = open(*other_db_, b);
    second.write(batches_b);
    first.write(batches_a);
    close(second, b, absent_b);
    close(first, a, absent_a);
    RC_ASSERT(table() == expected);
  });
}

TEST_F(diff, two_windows_of_one_credential_that_share_nothing_commute) {
  check(20, [&] {
    const auto early = [] { return of_its_own(0, 0, 0, 2); };
    const auto late = [] { return of_its_own(0, 3, 3, last_day); };
    const std::vector<answer> story{early(), late(), early(), late()};
    const answer a = early(), b = late();
    RC_LOG() << a << "\n" << b << "\n";
    start_anew();
    apply(story);
    apply(a);
    apply(b);
    const auto expected = table();
    start_anew();
    apply(story);
    apply(b);
    apply(a);
    RC_ASSERT(table() == expected);
  });
}

}  // namespace
}  // namespace flanks::testing
