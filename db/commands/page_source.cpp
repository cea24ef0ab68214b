#include "db/commands/page_source.hpp"

#include "db/commands/page_reads.hpp"
#include "db/pg/connection_pool.hpp"

namespace flanks {

namespace {

using boost::asio::awaitable;
namespace chr = std::chrono;

// One snapshot for all that a page says. Compiling such plans takes longer than running them.
constexpr statement one_snapshot{"page_snapshot",
                                 "set transaction isolation level repeatable read, read only"};
constexpr statement uncompiled{"page_uncompiled", "set local jit = off"};

template <class T>
job in_one_snapshot(T& into, std::function<T(pg_connection&)> read) {
  return [&into, read = std::move(read)](pg_connection& db) {
    db.begin();
    db.run(one_snapshot);
    db.run(uncompiled);
    into = read(db);
    db.commit();
  };
}

class pg_page_source final : public page_source {
 public:
  pg_page_source(boost::asio::any_io_executor loop, db_options options)
      : pool_(std::make_shared<pg_connection_pool>(std::move(loop), std::move(options))) {}
  ~pg_page_source() override { pool_->close(); }

  awaitable<mirror_overview> overview() override {
    mirror_overview found;
    const job work = in_one_snapshot<mirror_overview>(found, read_overview);
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return found;
  }

  awaitable<credential_list> credentials(credential_query asked) override {
    credential_list found;
    const job work = in_one_snapshot<credential_list>(
        found, [&asked](pg_connection& db) { return read_list(db, asked); });
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return found;
  }

  awaitable<std::optional<credential_story>> credential(credential_id id) override {
    std::optional<credential_story> found;
    const job work = in_one_snapshot<std::optional<credential_story>>(
        found, [id](pg_connection& db) { return read_story(db, id); });
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return found;
  }

 private:
  std::shared_ptr<pg_connection_pool> pool_;
};

db_options of_onlookers(db_options options) {
  options.pool = "page";
  options.connections = 2;
  options.connect_timeout = chr::seconds{2};
  options.statement_timeout = chr::seconds{10};
  options.answer_grace = chr::seconds{2};
  options.lock_timeout = chr::seconds{2};
  options.network_timeout = chr::seconds{5};
  return options;
}

}  // namespace

std::unique_ptr<page_source> make_page_source(boost::asio::any_io_executor loop,
                                              db_options options) {
  return std::make_unique<pg_page_source>(std::move(loop), of_onlookers(std::move(options)));
}

}  // namespace flanks
