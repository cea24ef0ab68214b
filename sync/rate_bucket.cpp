#include "sync/rate_bucket.hpp"

#include <algorithm>

namespace flanks {

namespace chr = std::chrono;

rate_grant rate_bucket::take(clock::time_point now, int places, double per_second) {
  const clock::time_point start = std::max({now, next_, paused_until_});
  next_ = start + chr::duration_cast<clock::duration>(chr::duration<double>(places / per_second));
  return {places, chr::ceil<chr::microseconds>(start - now), paused(now)};
}

rate_pause rate_bucket::pause(clock::time_point now, chr::milliseconds wait, int http_status) {
  if (now + wait > paused_until_) {
    paused_until_ = now + wait;
    http_status_ = http_status;
  }
  return paused(now);
}

rate_pause rate_bucket::paused(clock::time_point now) const {
  if (now >= paused_until_) return {};
  return {chr::ceil<chr::microseconds>(paused_until_ - now), http_status_, ""};
}

namespace {

class local_rate_grants final : public rate_grants {
 public:
  boost::asio::awaitable<rate_grant> take(int places, double per_second) override {
    co_return bucket_.take(rate_bucket::clock::now(), places, per_second);
  }
  boost::asio::awaitable<rate_pause> pause(chr::milliseconds wait, int http_status) override {
    co_return bucket_.pause(rate_bucket::clock::now(), wait, http_status);
  }
  boost::asio::awaitable<rate_pause> paused() override {
    co_return bucket_.paused(rate_bucket::clock::now());
  }

 private:
  rate_bucket bucket_;
};

}  // namespace

std::unique_ptr<rate_grants> make_local_rate_grants() {
  return std::make_unique<local_rate_grants>();
}

}  // namespace flanks
