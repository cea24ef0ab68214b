#include "daemon/moving_secrets.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "config/secret_command.hpp"

namespace flanks {

namespace asio = boost::asio;

namespace {

class keys_in_configuration final : public moving_keys {
 public:
  keys_in_configuration(asio::any_io_executor executor, const configuration& c)
      : executor_(std::move(executor)) {
    replace(c);
  }

  void replace(const configuration& c) override {
    const bool same = number_ > 0 && command_ == c.values().flanks.client_secret_command &&
                      secret_equal{}(keys_.client_secret, c.secrets.client_secret) &&
                      secret_equal{}(keys_.password, c.secrets.password);
    // After a reload a command that failed before is asked once more.
    if (same && command_.empty()) return;
    keys_ = {c.secrets.client_secret, c.secrets.password};
    command_ = c.values().flanks.client_secret_command;
    ++number_;
  }

  std::uint64_t number() const override { return number_; }

  asio::awaitable<provider_keys> current() override {
    provider_keys keys = keys_;
    if (command_.empty()) co_return keys;
    asio::awaitable<secret> running = run_command();
    keys.client_secret = co_await std::move(running);
    co_return keys;
  }

 private:
  // Everything by reference: this frame outlives the command, because its end is what resumes it.
  asio::awaitable<secret> run_command() {
    const std::vector<std::string> argv = command_;
    secret printed;
    std::exception_ptr error;
    auto hop = [&](auto handler) {
      auto guard = asio::make_work_guard(executor_);
      asio::post(thread_, [&, guard = std::move(guard), handler = std::move(handler)]() mutable {
        try {
          printed = config::run_secret_command("flanks.client_secret_command", argv, stage::token);
        } catch (...) {
          error = std::current_exception();
        }
        const auto executor = asio::get_associated_executor(handler, executor_);
        asio::post(executor, std::move(handler));
      });
    };
    auto done =
        asio::async_initiate<const asio::use_awaitable_t<>, void()>(hop, asio::use_awaitable);
    co_await std::move(done);
    if (error) std::rethrow_exception(error);
    co_return printed;
  }

  asio::any_io_executor executor_;
  asio::thread_pool thread_{1};
  provider_keys keys_;
  std::vector<std::string> command_;
  std::uint64_t number_ = 0;
};

}  // namespace

login login_of(const configuration& c) {
  const config::database_settings& from = c.values().database;
  login who{from.dsn, nullptr};
  if (!from.password_command.empty()) {
    who.password = [argv = from.password_command] {
      return config::run_secret_command("database.password_command", argv, stage::database);
    };
  } else if (!c.secrets.database_password.empty()) {
    who.password = [password = c.secrets.database_password] { return password; };
  }
  return who;
}

std::shared_ptr<moving_keys> make_moving_keys(asio::any_io_executor executor,
                                              const configuration& c) {
  return std::make_shared<keys_in_configuration>(std::move(executor), c);
}

}  // namespace flanks
