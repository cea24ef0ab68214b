// Tokens at rest in the database: what an application registers in SQL is sealed, stays found by
// its text, and opens for the key alone.
#include "db/tokens.hpp"

#include "db/token_seal.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class tokens_at_rest : public database_test {
 protected:
  static std::shared_ptr<token_seal> keys(const std::string& letters) {
    std::vector<secret> all;
    for (const char letter : letters)
      all.emplace_back(std::string(32, letter));
    return std::make_shared<token_seal>(all);
  }
  void use(const std::string& letters) {
    options_.seal = keys(letters);
    store_ = make_store(loop_.get_executor(), options_);
  }
  std::vector<std::string> stored() {
    return rows(
        "select coalesce(credentials_token, 'sealed'), sealed_token is not null "
        "from flanks_internal.credentials_tokens order by credential_id");
  }
  std::string token_of(credential_id id) { return registry(options_).token_of(id).reveal(); }

  const std::atomic<bool> going_ = false;
};

TEST_F(tokens_at_rest, at_the_start_all_are_sealed_and_when_claimed_one_that_came_later) {
  const credential_id first = add("u", "token-1");
  add("u", "token-2");
  EXPECT_EQ(tokens::seal_all(options_, going_), 0) << "there is no key";
  use("a");
  EXPECT_EQ(tokens::seal_all(options_, going_), 2);
  EXPECT_EQ(tokens::seal_all(options_, going_), 0);
  const credential_id late = add("u", "token-3");
  EXPECT_THAT(stored(), ElementsAre("sealed|t", "sealed|t", "token-3|f"));
  EXPECT_EQ(claim(late).credentials_token.reveal(), "token-3");
  EXPECT_THAT(stored(), ElementsAre("sealed|t", "sealed|t", "sealed|t"));
  EXPECT_EQ(claim(first).credentials_token.reveal(), "token-1");
  EXPECT_EQ(run(store_->claim_due(5)).at(0).credentials_token.reveal(), "token-2");
  EXPECT_EQ(token_of(first), "token-1");
}

TEST_F(tokens_at_rest, claim_of_what_is_due_seals_too) {
  add("u", "token-1");
  use("a");
  EXPECT_EQ(run(store_->claim_due(5)).at(0).credentials_token.reveal(), "token-1");
  EXPECT_THAT(stored(), ElementsAre("sealed|t"));
}

TEST_F(tokens_at_rest, registering_again_finds_the_sealed_one) {
  const credential_id id = add("u", "token-1");
  use("a");
  tokens::seal_all(options_, going_);
  EXPECT_EQ(value("select flanks.register_credential('other', 'token-1')"),
            std::to_string(id.value));
  EXPECT_THAT(stored(), ElementsAre("sealed|t"));
  EXPECT_EQ(value("select count(*) from flanks.user_credentials"), "2");
  registry(options_).remove(id);
  EXPECT_THAT(stored(), ElementsAre("sealed|f")) << "both columns are null";
  EXPECT_EQ(value("select flanks.register_credential('u', 'token-1')"), std::to_string(id.value));
  EXPECT_THAT(stored(), ElementsAre("token-1|f"));
}

TEST_F(tokens_at_rest, replaced_token_takes_the_place_of_the_sealed_one) {
  const credential_id id = add("u", "token-1");
  add("u", "token-2");
  use("a");
  tokens::seal_all(options_, going_);
  EXPECT_THAT(failure_of([&] { (void)registry(options_).rotate(id, secret("token-2")); }).what(),
              HasSubstr("this token is registered as credential 2"));
  EXPECT_EQ(registry(options_).rotate(id, secret("token-new")), rotated::replaced);
  sql("update flanks.credentials set state = 'error', last_error = 'x', last_error_class = "
      "'sealed_token'");
  EXPECT_EQ(registry(options_).rotate(id, secret("token-new")), rotated::revived);
  EXPECT_THAT(stored(), ElementsAre("sealed|t", "sealed|t"));
  EXPECT_EQ(token_of(id), "token-new");
  sql("select flanks.replace_credentials_token(1, 'token-newer')");
  EXPECT_THAT(stored(), ElementsAre("token-newer|f", "sealed|t"));
  EXPECT_EQ(claim(id).credentials_token.reveal(), "token-newer");
  EXPECT_THAT(stored(), ElementsAre("sealed|t", "sealed|t"));
}

TEST_F(tokens_at_rest, the_same_token_given_again_ends_a_lost_key) {
  const credential_id id = add("u", "token-1");
  use("a");
  tokens::seal_all(options_, going_);
  add("u", "token-2");
  tokens::seal_all(options_, going_);
  use("b");
  EXPECT_ANY_THROW(tokens::require_key(options_));
  EXPECT_EQ(registry(options_).rotate(id, secret("token-1")), rotated::resealed);
  EXPECT_EQ(token_of(id), "token-1");
  tokens::require_key(options_);  // the daemon starts, and the other one fails alone
  EXPECT_TRUE(claim(credential_id{2}).token_failure);
}

TEST_F(tokens_at_rest, one_of_the_two_columns_holds_it) {
  add("u", "token-1");
  EXPECT_ANY_THROW(sql("update flanks_internal.credentials_tokens set sealed_token = '\\x01'"));
}

TEST_F(tokens_at_rest, another_key_takes_over_from_the_previous_one) {
  const credential_id id = add("u", "token-1");
  add("u", "token-2");
  use("a");
  tokens::seal_all(options_, going_);
  use("ba");
  EXPECT_EQ(claim(id).credentials_token.reveal(), "token-1");
  use("b");
  EXPECT_EQ(token_of(id), "token-1") << "the claim has sealed it anew";
  EXPECT_EQ(failure_of([&] { token_of(credential_id{2}); }).error_class, "sealed_token");
  use("ba");
  EXPECT_EQ(tokens::seal_all(options_, going_), 1);
  use("b");
  EXPECT_EQ(token_of(credential_id{2}), "token-2");
}

TEST_F(tokens_at_rest, without_the_key_nothing_starts_and_the_key_is_named) {
  add("u", "token-1");
  use("a");
  tokens::seal_all(options_, going_);
  const std::string needed = options_.seal->fingerprint();
  for (const std::string letters : {"", "b"}) {
    use(letters);
    const failure f = failure_of([&] { tokens::require_key(options_); });
    EXPECT_EQ(f.error_class, "sealed_token");
    EXPECT_EQ(f.stage, stage::configuration);
    EXPECT_THAT(f.what(), HasSubstr("1 credentials_token is sealed with key " + needed));
    EXPECT_THAT(f.hint, HasSubstr("the file that holds key " + needed));
    EXPECT_EQ(failure_of([&] { tokens::seal_all(options_, going_); }).what(),
              std::string(f.what()));
  }
}

TEST_F(tokens_at_rest, one_that_was_altered_or_copied_fails_alone) {
  const credential_id first = add("u", "token-1");
  const credential_id second = add("u", "token-2");
  use("a");
  tokens::seal_all(options_, going_);
  sql("update flanks_internal.credentials_tokens set sealed_token = "
      "(select sealed_token from flanks_internal.credentials_tokens where credential_id = 2) "
      "where credential_id = 1");
  EXPECT_EQ(tokens::seal_all(options_, going_), 0);
  const claimed_credential altered = claim(first);
  ASSERT_TRUE(altered.token_failure);
  EXPECT_THAT(altered.token_failure->what(), HasSubstr("credential 1 does not open"));
  EXPECT_TRUE(altered.credentials_token.empty());
  const claimed_credential whole = claim(second);
  EXPECT_FALSE(whole.token_failure);
  EXPECT_EQ(whole.credentials_token.reveal(), "token-2");
}

TEST_F(tokens_at_rest, a_row_that_another_transaction_holds_is_left_to_the_next_time) {
  const credential_id id = add("u", "token-1");
  use("a");
  pg_connection other(options_);
  other.begin();
  other.run(statement{"hold", "select from flanks_internal.credentials_tokens for update"});
  EXPECT_EQ(claim(id).credentials_token.reveal(), "token-1");
  EXPECT_THAT(stored(), ElementsAre("token-1|f"));
  other.rollback();
  EXPECT_EQ(tokens::seal_all(options_, going_), 1);
}

TEST_F(tokens_at_rest, a_new_token_of_a_paused_credential_is_sealed_and_leaves_it_paused) {
  const credential_id id = add("u", "token-1");
  use("a");
  sql("update flanks.credentials set paused = true");
  sql("update flanks_internal.leases set next_due_at = 'infinity'");
  sql("update flanks_internal.schedule set next_due_at = 'infinity'");
  sql("select flanks.replace_credentials_token(1, 'token-newer')");
  EXPECT_THAT(rows("select next_due_at from flanks_internal.leases union all "
                   "select next_due_at from flanks_internal.schedule"),
              ElementsAre("infinity", "infinity"));
  EXPECT_EQ(tokens::seal_all(options_, going_), 1);
  EXPECT_EQ(token_of(id), "token-newer");
}

TEST_F(tokens_at_rest, its_own_token_given_again_hurries_only_what_could_not_be_opened) {
  add("u", "token-1");
  use("a");
  tokens::seal_all(options_, going_);
  sql("update flanks_internal.leases set next_due_at = '2040-01-01'");
  sql("select flanks.replace_credentials_token(1, 'token-1')");
  EXPECT_THAT(rows("select next_due_at > '2039-01-01' from flanks_internal.leases"),
              ElementsAre("t"));
  tokens::seal_all(options_, going_);
  sql("update flanks.credentials set last_error_class = 'sealed_token'");
  sql("select flanks.replace_credentials_token(1, 'token-1')");
  EXPECT_THAT(rows("select next_due_at > '2039-01-01' from flanks_internal.leases"),
              ElementsAre("f"));
}

}  // namespace flanks::testing
