#include "daemon/reloader.hpp"

#include <boost/asio/post.hpp>

#include "daemon/moving_secrets.hpp"
#include "daemon/notify.hpp"
#include "daemon/problem_teller.hpp"
#include "daemon/reload.hpp"
#include "db/commands/registry.hpp"
#include "db/token_seal.hpp"
#include "db/tokens.hpp"
#include "sync/error_class.hpp"

namespace flanks {

namespace asio = boost::asio;
namespace chr = std::chrono;

stored_settings stored(const config::settings& s) {
  return {s.sync.stale_after, s.sync.notify_changes};
}

void tell_sealed(log& events, std::int64_t tokens) {
  if (tokens > 0) events.info(event::tokens_sealed, {{"credentials", tokens}});
}

void reloader::reload() {
  notify::reloading();
  asio::post(thread_, [this] {
    try {
      auto fresh =
          std::make_shared<const configuration>(configure(asked_, config::secret_scope::all));
      // With the new login: what cannot connect is not taken.
      const db_options options = database_options(*fresh);
      tokens::require_key(options);
      write_settings(options, stored(fresh->values()));
      asio::post(engine_.executor, [this, fresh] { take(*fresh); });
    } catch (const refusal& r) {
      failure f(stage::configuration, verdict::stop, "configuration", r.what());
      f.hint = r.hint;
      asio::post(engine_.executor, [this, f] { refuse(f); });
    } catch (const failure& f) {
      asio::post(engine_.executor, [this, f] { refuse(f); });
    }
  });
}

void reloader::take(const configuration& fresh) {
  const config::settings& s = fresh.values();
  engine_.database.login->replace(login_of(fresh));
  engine_.keys->replace(fresh);
  engine_.database.seal->replace(token_keys(fresh));
  asio::post(thread_, [this] { retry_refused(); });
  asio::post(thread_, [this] { seal_tokens(); });
  apply(s);
  const std::vector<std::string> changed = changed_secrets(secrets_, fresh.secrets);
  const std::string what = reload_summary(engine_.settings.values(), loaded_, s, changed);
  engine_.events->info(log_message(event::reloaded, what));
  loaded_ = s;
  secrets_ = fresh.secrets;
  trouble_.reset();
  configured_at_ = chr::system_clock::now();
  applied_();
  notify::ready();
}

void reloader::refuse(const failure& f) {
  engine_.events->error(event::reload_refused, {{"error", f.what()},
                                                {"hint", f.hint},
                                                {"error_class", f.error_class},
                                                {"who_must_act", who_must_act(f.error_class)}});
  trouble_ = f;
  applied_();
  notify::ready();
}

void reloader::apply(const config::settings& s) {
  engine_.events->set_level(asked_.level.value_or(s.log.level));
  engine_.policy = policy_of(s);
  in_effect_.sync = s.sync;
  in_effect_.sync.from = engine_.settings.values().sync.from;
  in_effect_.sync.query = engine_.settings.values().sync.query;
  in_effect_.limits = s.limits;
  in_effect_.retention = s.retention;
  in_effect_.log = s.log;
  in_effect_.encryption = s.encryption;
  in_effect_.database.dsn = s.database.dsn;
  in_effect_.database.password_file = s.database.password_file;
}

// A daemon that has just read its configuration has no trouble with it.
asio::awaitable<void> reloader::tell_database() {
  problem_teller teller(*engine_.db, *engine_.events, mirror_problem::reloading);
  for (;;) {
    co_await teller.tell(trouble_);
    co_await engine_.clock->sleep(in_effect_.sync.poll);
  }
}

asio::awaitable<void> reloader::seal_hourly() {
  for (;;) {
    if (engine_.database.seal->has_key()) asio::post(thread_, [this] { seal_tokens(); });
    co_await engine_.clock->sleep(chr::hours{1});
  }
}

// On thread_. What failed because of our keys may go on with those that were just read.
void reloader::retry_refused() {
  try {
    if (registry(engine_.database).retry_refused() > 0)
      asio::post(engine_.executor, [this] { applied_(); });
  } catch (const std::exception&) {
    // The credentials are tried again when their turn comes; what is wrong with the database is
    // told by who works with it.
  }
}

// On thread_.
void reloader::seal_tokens() {
  std::string what, hint;
  try {
    const std::int64_t sealed = tokens::seal_all(engine_.database, ending_);
    asio::post(engine_.executor, [this, sealed] { tell_sealed(*engine_.events, sealed); });
    return;
  } catch (const failure& f) {
    what = f.what(), hint = f.hint;
  } catch (const std::exception& e) {
    what = e.what();
  }
  asio::post(engine_.executor, [this, what, hint] {
    engine_.events->warn(event::tokens_not_sealed, {{"error", what}, {"hint", hint}});
  });
}

}  // namespace flanks
