#include "db/credential_book.hpp"

#include "db/pg/connection_pool.hpp"
#include "db/pg/text_format.hpp"
#include "db/registration.hpp"

namespace flanks {

namespace {

std::vector<standing> standings(const std::vector<registration::outcome>& outcomes) {
  std::vector<standing> all;
  for (const registration::outcome& o : outcomes)
    all.push_back(o.now);
  return all;
}

class pg_book final : public credential_book {
 public:
  pg_book(boost::asio::any_io_executor loop, db_options options)
      : pool_(std::make_shared<pg_connection_pool>(std::move(loop), std::move(options))) {}
  ~pg_book() override { pool_->close(); }

  boost::asio::awaitable<std::vector<standing>> look(std::vector<secret> tokens) override {
    std::vector<standing> found;
    const job work = [&](pg_connection& db) { found = registration::look(db, tokens); };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return found;
  }

  boost::asio::awaitable<std::vector<standing>> add(
      std::vector<registration_request> wanted) override {
    std::vector<standing> found;
    const job work = [&](pg_connection& db) {
      db.begin();
      found = standings(registration::apply(db, wanted));
      db.commit();
    };
    auto running = pool_->run(work, stage::write);
    co_await std::move(running);
    co_return found;
  }

  boost::asio::awaitable<standing> rehearse(user_id user) override {
    std::vector<registration_request> wanted;
    wanted.push_back({std::move(user), secret("rehearsal-" + random_uuid())});
    std::vector<standing> found;
    const job work = [&](pg_connection& db) {
      db.begin();
      found = standings(registration::apply(db, wanted));
      db.rollback();
    };
    auto running = pool_->run(work, stage::write);
    co_await std::move(running);
    co_return found.at(0);
  }

 private:
  std::shared_ptr<pg_connection_pool> pool_;
};

db_options small(db_options options) {
  options.pool = "discovery";
  options.connections = 2;  // the least that a pool has; the second one is hardly ever opened
  return options;
}

}  // namespace

std::unique_ptr<credential_book> make_credential_book(boost::asio::any_io_executor loop,
                                                      db_options options) {
  return std::make_unique<pg_book>(std::move(loop), small(std::move(options)));
}

}  // namespace flanks
