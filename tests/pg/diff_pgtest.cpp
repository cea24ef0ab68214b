// What must hold for every sequence of answers, not only for those of the truth tables: the table
// is what a naive model says, a replay writes nothing, and it does not matter how an answer was cut
// up or which of two strangers came first. A few operations, days and contents, so that they meet.
// RapidCheck prints the seed of a failure (RC_PARAMS="seed=..." repeats it, max_success=1000 looks
// ten times as long).
#include <fmt/format.h>
#include <rapidcheck.h>

#include <array>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "db/month_digest.hpp"
#include "db/quiet_windows.hpp"
#include "db/text_format.hpp"
#include "db/window_writer.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {
namespace {

constexpr int last_day = 5;  // of those that windows are made of; the first is 0
constexpr int contents = 3;
constexpr int operations = 5;

// The end of one month and the beginning of the next.
day date_of(int n) {
  return may.from + std::chrono::days{n - 3};
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
    db_->run(statement{"forget", "delete from flanks_internal.read_backs"});
    db_->run(statement{"forget", "delete from flanks_internal.read_back_months"});
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
  // Months that lie ready to be compared with. Fails unless each says what the table says.
  int ready_months() {
    int count = 0;
    for (const auto& r : db_->run(statement{"test", R"(
        select b.credential_id, b.product, b.seed, m.month::date, m.entries, m.shown, m.digest
        from flanks_internal.read_backs b
        join lateral (select n::date as month, coalesce(p.entries, case when p.month is null then ''::bytea end) as entries,
            p.shown, p.digest
          from generate_series(b.first_month, b.last_month, interval '1 month') n
          left join flanks_internal.read_back_months p on p.credential_id = b.credential_id and p.product = b.product
            and p.month = n and p.generation = b.generation) m on true
        where b.watch is not null and b.first_month <= b.last_month)"})) {
      if (r[4].is_null()) continue;
      ++count;
      known_rows rows = stored_rows(r);
      std::vector<std::string> packed;
      month_digest shown;
      for (const known_rows::row& row : rows.all()) {
        packed.emplace_back(known_rows::pack(row).data(), known_rows::packed_size);
        if (!row.doubtful()) shown.add(row);
      }
      std::sort(packed.begin(), packed.end());
      EXPECT_EQ(entries_of(unhex(r[4].c_str())), packed) << "month " << r[3].c_str();
      if (r[5].is_null()) continue;  // no row stands for an empty month
      EXPECT_EQ(r[5].as<std::int64_t>(), shown.count());
      EXPECT_EQ(unhex(r[6].c_str()), shown.bytes()) << "month " << r[3].c_str();
    }
    return count;
  }
  static std::vector<std::string> entries_of(const std::string& packed) {
    std::vector<std::string> entries;
    for (std::size_t at = 0; at < packed.size(); at += known_rows::packed_size)
      entries.push_back(packed.substr(at, known_rows::packed_size));
    std::sort(entries.begin(), entries.end());
    return entries;
  }
  static std::string unhex(const std::string& bytea) {
    std::string bytes;
    for (std::size_t at = 2; at < bytea.size(); at += 2)
      bytes.push_back(static_cast<char>(std::stoi(bytea.substr(at, 2), nullptr, 16)));
    return bytes;
  }
  known_rows stored_rows(const pqxx::row& month) {
    known_rows rows(static_cast<std::uint64_t>(month[2].as<std::int64_t>()), may);
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
      rows.add(r[0].c_str(), content, *day_from(r[1].c_str()), r[2].as<bool>(), false);
    }
    return rows;
  }

  // Whether it is settled as a window that brings nothing, and with what counts.
  std::optional<row_counts> quiet(const answer& a) {
    const claimed_credential& c = claimed_.at(static_cast<std::size_t>(a.who));
    const window days{date_of(a.from), date_of(a.to)};
    const window_scope scope{c.id, c.lease, product::account, days, std::nullopt, ""};
    const auto batches = batches_of(a.records);
    window_evidence evidence;
    evidence.provable = days;
    run_record record = record_for(c, product::account, days);
    record.provider_update = refreshed_at;
    window_request asked{scope, batches, evidence, random_uuid(), std::move(record), false};
    EXPECT_TRUE(may_be_quiet(asked, {}));
    db_->begin();
    const std::array requests{&asked};
    settle(*db_, std::span<window_request* const>(requests));
    db_->rollback();
    if (!asked.settled) return std::nullopt;
    return asked.record.counts;
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
      ready_months();
      expected.apply(a);
    }
    RC_ASSERT(!HasFailure());
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
    ready_months();
    RC_ASSERT(!HasFailure());
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
    ready_months();
    RC_ASSERT(!HasFailure());
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
      ready_months();
    }
    RC_ASSERT(!HasFailure());
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
    ready_months();
    RC_ASSERT(!HasFailure());
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

// Of April and May, each whole or in part.
answer any_wide_answer(int credentials) {
  answer a;
  a.who = pick(0, credentials);
  a.from = *rc::gen::element(0, -27);
  a.to = *rc::gen::element(last_day, 33);
  a.records = any_records(5, 0, operations, 0, last_day);
  return a;
}

TEST_F(diff, a_window_is_quiet_only_when_it_brings_and_lacks_nothing) {
  int quiet_ones = 0, loud_ones = 0;
  check(100, [&] {
    start_anew();
    const int credentials = pick(1, 3);
    std::vector<answer> story;
    for (int n = pick(1, 4); n > 0; --n)
      story.push_back(any_wide_answer(credentials));
    answer next = any_wide_answer(credentials);
    if (pick(0, 4) > 0) {
      // What came last, or nearly so, asked for as then or not.
      next.who = story.back().who;
      next.records = story.back().records;
      const int change = pick(0, 6);
      if (change == 0) next.records.push_back(*any_shown(0, operations, 0, last_day));
      if (change == 1 && !next.records.empty()) next.records.pop_back();
    }
    apply(story);
    // So that what the last one left unknown lies ready again.
    if (pick(0, 6) > 0) apply(story.back());
    const auto found = quiet(next);
    const row_counts counts = apply(next);
    if (found) {
      ++quiet_ones;
      RC_ASSERT(found->fetched == counts.fetched && found->unchanged == counts.unchanged);
      RC_ASSERT(counts.fetched == counts.unchanged && counts.removed == 0);
      RC_ASSERT(read(fmt::format("select count(*)::text from flanks.removal_reviews "
                                 "where state = 'open' and credential_id = {}",
                                 next.who + 1)
                         .c_str())
                    .front() == "0");
    } else if (counts.fetched != counts.unchanged || counts.removed > 0) {
      ++loud_ones;
    }
  });
  EXPECT_GT(quiet_ones, 5);
  EXPECT_GT(loud_ones, 5);
}

TEST_F(diff, a_replay_is_quiet_and_on_record_like_any_other_run) {
  const answer twice{0, -27, 33, {{1, 0, 1}, {2, 5, 1}}};
  apply(twice);
  const auto found = quiet(twice);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->unchanged, 2);
  // Not under a lease that is lost, nor when something newer is stored already.
  db_->run(statement{"test", "update flanks.coverage set provider_seen_at = '2026-07-01'"});
  EXPECT_FALSE(quiet(twice));
  db_->run(statement{"test", "update flanks.coverage set provider_seen_at = null"});
  EXPECT_TRUE(quiet(twice));
  db_->run(statement{"test", "update flanks_internal.leases set lease_id = gen_random_uuid()"});
  EXPECT_FALSE(quiet(twice));
}

TEST_F(diff, a_window_that_lacks_a_joint_row_is_not_quiet) {
  const answer own{1, -27, 33, {{2, 5, 1}}};
  apply(answer{0, -27, 33, {{1, 0, 1}}});
  apply(answer{1, -27, 33, {{1, 0, 1}, {2, 5, 1}}});
  EXPECT_FALSE(quiet(own)) << "the sighting has to go";
  apply(own);
  EXPECT_TRUE(quiet(own));
}

TEST_F(diff, what_commits_between_comparing_and_recording_keeps_a_window_from_being_quiet) {
  const answer twice{0, -27, 33, {{1, 0, 1}, {2, 5, 1}}};
  apply(twice);
  other_db_->begin();
  other_db_->run(
      statement{"test", "lock table flanks_internal.read_back_months in access exclusive mode"});
  std::thread other([&] {
    const auto waits = [&] {
      return query(options_,
                   "select count(*) from pg_locks where not granted and relation = "
                   "'flanks_internal.read_back_months'::regclass")
                 .front() == "1";
    };
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!waits() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    other_db_->run(statement{"test", "delete from flanks.transactions where _id = 'id2'"});
    other_db_->commit();
  });
  const auto found = quiet(twice);
  other.join();
  EXPECT_FALSE(found);
  EXPECT_EQ(apply(twice).inserted, 1);
}

// What somebody else may do to the rows: by hand, by another program, by a restore.
std::string any_meddling() {
  const int id = pick(0, operations), other = pick(0, operations);
  const std::string by_id = fmt::format(" where _id = 'id{}'", id);
  switch (pick(0, 7)) {
    case 0:
      return "delete from flanks.transactions" + by_id;
    case 1:
      return "update flanks.transactions set removed_at = now()" + by_id;
    case 2:
      return "update flanks.transactions set removed_at = null" + by_id;
    case 3:
      return fmt::format("update flanks.transactions set operation_date = '{}'",
                         to_string(date_of(pick(-2, last_day + 2)))) +
             by_id;
    case 4:
      return "update flanks.transactions set content_hash = gen_random_uuid(), amount = 99" + by_id;
    case 5:
      return fmt::format(
          "insert into flanks.transactions (_id, credential_id, product, "
          "operation_date, amount, content_hash) values ('id{}', {}, 'account', "
          "'{}', 98, gen_random_uuid()) on conflict do nothing",
          other, pick(1, 3), to_string(date_of(pick(0, last_day))));
    default:
      return fmt::format("update flanks.transactions set credential_id = {}", pick(1, 3)) + by_id;
  }
}

TEST_F(diff, whatever_others_do_to_the_rows_an_answer_is_compared_with_the_table) {
  check(80, [&] {
    const auto story = any_story(2, 8);
    std::vector<std::string> meddling;
    for (std::size_t i = 0; i < story.size(); ++i)
      meddling.push_back(pick(0, 3) == 0 ? "truncate flanks.transactions cascade" : any_meddling());
    const auto live = [&](bool forgetful) {
      start_anew();
      for (std::size_t i = 0; i < story.size(); ++i) {
        if (forgetful) db_->run(statement{"test", "delete from flanks_internal.read_backs"});
        apply(story[i]);
        ready_months();
        db_->run(statement{"test", meddling[i].c_str()});
        ready_months();
      }
      return table();
    };
    const auto expected = live(true);
    RC_ASSERT(live(false) == expected);
    RC_ASSERT(!HasFailure());
  });
}

answer with(std::vector<shown> records, int who = 0) {
  return {who, 0, last_day, std::move(records)};
}

TEST_F(diff, what_was_written_lies_ready_and_the_table_is_not_read_again) {
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  EXPECT_EQ(ready_months(), 2);
  apply(with({{1, 0, 2}, {2, 5, 1}, {3, 4, 1}}));
  EXPECT_EQ(ready_months(), 2);
  // A removal makes its month unknown, and only that one.
  apply(with({{1, 0, 2}, {3, 4, 1}}));
  EXPECT_EQ(ready_months(), 1);
  apply(with({{1, 0, 2}, {3, 4, 1}}));
  EXPECT_EQ(ready_months(), 2);
  const auto rows_read = [&] {
    db_->run(statement{"test", "select pg_stat_force_next_flush()"});
    return read(
        "select idx_tup_read::text from pg_stat_user_indexes where indexrelname = "
        "'transactions_read_back'");
  };
  const auto before = rows_read();
  const row_counts counts = apply(with({{1, 0, 2}, {3, 4, 1}}));
  EXPECT_EQ(counts.unchanged, 2);
  EXPECT_EQ(rows_read(), before);
}

TEST_F(diff, what_commits_while_a_window_is_open_makes_its_read_back_void) {
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  const answer next = with({{1, 0, 2}, {2, 5, 1}});
  {
    auto batches = batches_of(next.records);
    window_writer writer = open(*db_, next);
    other_db_->run(
        statement{"test", "update flanks.transactions set removed_at = now() where _id = 'id2'"});
    writer.write(batches);
    absent_rows absent;
    close(writer, next, absent);
  }
  EXPECT_EQ(ready_months(), 0);
  EXPECT_THAT(table(),
              ::testing::ElementsAre("id1|0|2026-04-28|8.0|there", "id2|0|2026-05-03|7.0|removed"));
  EXPECT_EQ(apply(next).updated, 1);
  EXPECT_THAT(table(),
              ::testing::ElementsAre("id1|0|2026-04-28|8.0|there", "id2|0|2026-05-03|7.0|there"));
  EXPECT_EQ(ready_months(), 2);
}

TEST_F(diff, what_is_open_while_a_window_commits_makes_its_read_back_void_when_it_commits) {
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  other_db_->begin();
  other_db_->run(statement{"test", "delete from flanks.transactions where _id = 'id2'"});
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  other_db_->commit();
  EXPECT_EQ(ready_months(), 0);
  EXPECT_EQ(apply(with({{1, 0, 1}, {2, 5, 1}})).inserted, 1);
}

TEST_F(diff, nothing_lies_ready_while_others_meddle_or_nobody_watches) {
  const answer twice = with({{1, 0, 1}, {2, 5, 1}});
  apply(twice);
  // What happened meanwhile nobody has seen.
  db_->run(statement{"test", "alter table flanks.transactions disable trigger forget_read_back"});
  db_->run(statement{"test", "delete from flanks.transactions where _id = 'id1'"});
  EXPECT_EQ(apply(twice).inserted, 1);
  db_->run(statement{"test", "delete from flanks.transactions where _id = 'id1'"});
  db_->run(
      statement{"test", "alter table flanks.transactions enable always trigger forget_read_back"});
  EXPECT_EQ(apply(twice).inserted, 1);
  EXPECT_EQ(ready_months(), 2);
  // Another trigger may make of a row what it likes.
  db_->run(statement{"test",
                     "create function public.f() returns trigger language plpgsql as $$ begin "
                     "return new; end $$"});
  db_->run(statement{"test",
                     "create trigger f before update on flanks.transactions for each row execute "
                     "function public.f()"});
  EXPECT_EQ(apply(with({{1, 0, 2}, {2, 5, 1}})).updated, 1);
  db_->run(statement{"test", "drop trigger f on flanks.transactions"});
  EXPECT_EQ(apply(with({{1, 0, 1}, {2, 5, 1}})).updated, 1);
  EXPECT_EQ(ready_months(), 2);
}

TEST_F(diff, restoring_rows_past_the_usual_triggers_is_seen_all_the_same) {
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  other_db_->run(statement{"test", "set session_replication_role = replica"});
  other_db_->run(statement{"test", "delete from flanks.transactions where _id = 'id1'"});
  EXPECT_EQ(apply(with({{1, 0, 1}, {2, 5, 1}})).inserted, 1);
}

}  // namespace
}  // namespace flanks::testing
