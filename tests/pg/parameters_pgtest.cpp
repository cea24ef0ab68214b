// What goes to the database goes whole, or is refused: libpq takes the text of a parameter up to
// its first U+0000.
#include "db/pg/array_columns.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using namespace std::string_literals;
using ::testing::HasSubstr;
using ::testing::Not;

class parameters : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    db_ = std::make_unique<pg_connection>(options_);
  }

  static constexpr statement keep{
      "keep_entity", "insert into flanks.entities (entity_id) values ($1) returning true"};

  // Whole words of what `work` is refused with.
  template <class Work>
  static sql_problem refused(Work work) {
    try {
      work();
    } catch (const sql_problem& problem) {
      return problem;
    }
    ADD_FAILURE() << "nothing was thrown";
    return {"", "", ""};
  }
  void expect_refused(const sql_problem& problem) {
    EXPECT_EQ(problem.sqlstate, "22021");
    EXPECT_EQ(problem.statement, "keep_entity");
    EXPECT_THAT(problem.what(), Not(HasSubstr("geheim")));
    const failure f = statement_failure(db_->target(), problem, stage::write);
    EXPECT_THAT(f.what(), HasSubstr("keep_entity failed in database"));
    EXPECT_THAT(f.what(), HasSubstr("U+0000"));
    EXPECT_EQ(f.error_class, "database_value");
    EXPECT_EQ(value("select count(*) from flanks.entities"), "0");
  }

  std::unique_ptr<pg_connection> db_;
};

TEST_F(parameters, text_with_nul_is_refused_by_the_statements_name_and_nothing_is_stored) {
  for (int i = 0; i < 3; ++i)  // unprepared, preparing, prepared
    expect_refused(refused([&] { db_->run(keep, sql_values("geheim\0maria"s)); }));
  EXPECT_EQ(db_->run(keep, sql_values("geheim")).affected_rows(), 1U) << "it can go on";
}

TEST_F(parameters, text_with_nul_is_refused_where_rows_are_fetched_in_binary) {
  const auto take = [](const pg_connection::binary_row&) { ADD_FAILURE() << "a row came"; };
  expect_refused(refused([&] { db_->fetch(keep, sql_values("\0geheim"s), take); }));
}

TEST_F(parameters, text_with_nul_is_refused_among_statements_that_are_sent_together) {
  db_->begin();
  const std::vector<call> calls{{keep, sql_values("a")}, {keep, sql_values("geheim\0"s)}};
  expect_refused(refused([&] { db_->run_together(calls); }));
  db_->rollback();
  db_->begin();
  db_->run_together({{keep, sql_values("a")}});
  db_->commit();
  EXPECT_EQ(value("select count(*) from flanks.entities"), "1") << "it can go on";
}

TEST_F(parameters, text_with_nul_is_refused_in_arrays) {
  constexpr statement keep_all{"keep_entity",
                               "insert into flanks.entities (entity_id) select unnest($1::text[])"};
  array_columns rows;
  rows.add(sql_values("a"));
  rows.add(sql_values("geheim\0maria"s));
  expect_refused(refused([&] { db_->run(keep_all, rows.take()); }));
  array_literal list;
  list.add(std::string_view("geheim\0maria", 12));
  expect_refused(refused([&] { db_->run(keep_all, sql_values(list.take())); }));
}

TEST_F(parameters, bytes_keep_their_nul) {
  constexpr statement size{"size", "select octet_length($1::bytea)"};
  db_->begin();
  int found = 0;
  db_->run_together({{size, sql_values(sql_bytes{"a\0b"s})}},
                    [&](const pg_connection::binary_row& row) { found = row.integer(0); });
  db_->commit();
  EXPECT_EQ(found, 3);
}

}  // namespace flanks::testing
