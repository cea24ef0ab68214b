#include "db/credential_book.hpp"

#include "db/lane.hpp"
#include "db/text_format.hpp"

namespace flanks {

namespace {

constexpr statement look_sql{"look_up_tokens", R"(
select case when t.credential_id is null then case when e.token_digest is null then 'unknown' else 'erased' end
  when c.removed_at is not null then 'removed' else 'known' end
from unnest($1::text[]) with ordinality x(token, nr)
cross join lateral (select sha256(convert_to(x.token, 'UTF8')) as digest) d
left join flanks_internal.credentials_tokens t on t.token_digest = d.digest
left join flanks.credentials c on c.credential_id = t.credential_id
left join flanks_internal.erased_tokens e on e.token_digest = d.digest
order by x.nr)"};

constexpr statement add_sql{"register_credential", "select flanks.register_credential($1, $2)"};

standing standing_of(std::string_view word) {
  if (word == "known") return standing::known;
  if (word == "removed") return standing::removed;
  return word == "erased" ? standing::erased : standing::unknown;
}

// In the open transaction, which is over for a token that was refused.
standing register_in(session& db, const std::string& user, const std::string& token) {
  try {
    db.run(add_sql, sql_values(user, token));
  } catch (const sql_problem& problem) {
    const bool erased = problem.sqlstate == "ZE001";
    if (!erased && problem.sqlstate != "22023") throw;
    db.rollback();
    return erased ? standing::erased : standing::refused;
  }
  return standing::known;
}

class pg_book final : public credential_book {
 public:
  pg_book(boost::asio::any_io_executor loop, db_options options)
      : lanes_(std::make_shared<lane_pool>(std::move(loop), std::move(options))) {}
  ~pg_book() override { lanes_->close(); }

  boost::asio::awaitable<std::vector<standing>> look(std::vector<secret> tokens) override {
    array_literal list;
    for (const secret& token : tokens)
      list.add(std::string_view(token.reveal()));
    const std::string all = list.take();
    std::vector<standing> found;
    const job work = [&](session& db) {
      found.clear();
      for (const auto& r : db.run(look_sql, sql_values(all)))
        found.push_back(standing_of(r[0].c_str()));
    };
    auto running = lanes_->run(work, stage::database);
    co_await std::move(running);
    co_return found;
  }

  boost::asio::awaitable<standing> add(user_id user, secret token) override {
    standing now = standing::unknown;
    const job work = [&](session& db) {
      db.begin();
      now = register_in(db, user.value, token.reveal());
      if (now == standing::known) db.commit();
    };
    auto running = lanes_->run(work, stage::write);
    co_await std::move(running);
    co_return now;
  }

  boost::asio::awaitable<standing> rehearse(user_id user) override {
    standing now = standing::unknown;
    const std::string token = "rehearsal-" + random_uuid();
    const job work = [&](session& db) {
      db.begin();
      now = register_in(db, user.value, token);
      db.rollback();
    };
    auto running = lanes_->run(work, stage::write);
    co_await std::move(running);
    co_return now;
  }

 private:
  std::shared_ptr<lane_pool> lanes_;
};

db_options small(db_options options) {
  options.connections = 2;  // the least that a pool has; the second one is hardly ever opened
  return options;
}

}  // namespace

std::unique_ptr<credential_book> make_credential_book(boost::asio::any_io_executor loop,
                                                      db_options options) {
  return std::make_unique<pg_book>(std::move(loop), small(std::move(options)));
}

}  // namespace flanks
