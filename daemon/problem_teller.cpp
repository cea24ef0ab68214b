#include "daemon/problem_teller.hpp"

namespace flanks {

namespace {

namespace chr = std::chrono;

constexpr chr::minutes renewal{1};

}  // namespace

boost::asio::awaitable<void> problem_teller::tell(std::optional<failure> now) {
  std::optional<std::string> error;
  if (now) error = now->what();
  const auto at = chr::steady_clock::now();
  if (before_ && before_->error == error && (!error || at - before_->at < renewal)) co_return;
  try {
    auto noting = db_.note_problem(which_, std::move(now));
    co_await std::move(noting);
    before_ = told{error, at};
  } catch (const failure& f) {
    events_.debug("cannot say in the database what is wrong", {{"error", f.what()}});
  }
}

}  // namespace flanks
