#include "sync/arrivals.hpp"

#include <fmt/format.h>

#include <functional>
#include <unordered_map>
#include <unordered_set>

namespace flanks {

using boost::asio::awaitable;

namespace {

// Pages that bring nothing new, one after the other, after which the rest is not believed to exist.
constexpr int fruitless_pages = 3;
constexpr int store_tries = 6;  // 1 + 2 + 4 + 8 + 16 seconds between them

// Walks over pages that may repeat items, grow, or never end. Tokens are kept as hashes.
class page_walk {
 public:
  // True for a token that was not seen before.
  bool first_time(const secret& token) {
    const bool fresh = seen_.insert(secret_hash{}(token)).second;
    found_something_ = found_something_ || fresh;
    return fresh;
  }
  // After a page; `last` is what the page itself says about being the last, if it says anything.
  [[nodiscard]] bool ended(std::optional<bool> last) {
    fruitless_ = found_something_ ? 0 : fruitless_ + 1;
    const bool nothing_new = !found_something_;
    found_something_ = false;
    if (last) return *last || fruitless_ >= fruitless_pages;
    return nothing_new;
  }
  [[nodiscard]] bool cut_short(std::optional<bool> last) const {
    return last.has_value() && !*last && fruitless_ >= fruitless_pages;
  }

 private:
  std::unordered_set<std::size_t> seen_;
  bool found_something_ = false;
  int fruitless_ = 0;
};

class arrivals {
 public:
  arrivals(credential_book& book, arrival_options options)
      : book_(book), options_(std::move(options)) {}

  awaitable<void> take(std::vector<listed_credential> page) {
    std::vector<secret> tokens;
    for (const listed_credential& c : page)
      tokens.push_back(c.token);
    if (tokens.empty()) co_return;
    counts.seen += static_cast<std::int64_t>(tokens.size());
    auto looking = book_.look(std::move(tokens));
    const std::vector<standing> found = co_await std::move(looking);
    for (std::size_t i = 0; i < page.size(); ++i) {
      standing now = found.at(i);
      if (now == standing::unknown) {
        auto adding = add(std::move(page[i]));
        co_await std::move(adding);
      } else {
        count(now);
      }
    }
  }

  arrival_counts counts;

 private:
  awaitable<void> add(listed_credential one) {
    const std::string name = one.external_id.empty() ? options_.default_user : one.external_id;
    if (name.empty()) {
      ++counts.without_user;
      co_return;
    }
    if (options_.dry_run) {
      ++counts.added;
      co_return;
    }
    user_id user{name};
    auto adding = book_.add(std::move(user), std::move(one.token));
    const standing now = co_await std::move(adding);
    if (now == standing::known) {
      ++counts.added;
    } else {
      count(now);
    }
  }

  void count(standing now) {
    if (now == standing::known) ++counts.known;
    if (now == standing::removed) ++counts.removed;
    if (now == standing::erased) ++counts.erased;
    if (now == standing::refused) ++counts.refused;
  }

  credential_book& book_;
  arrival_options options_;
};

// Hands every page of the list to `take`, without repeated items.
awaitable<void> read_list(credential_source& from, arrival_counts& counts,
                          std::function<awaitable<void>(std::vector<listed_credential>)> take) {
  page_walk walk;
  for (std::int64_t number = 1;; ++number) {
    auto asking = from.list(number);
    listed_page page = co_await std::move(asking);
    ++counts.pages;
    counts.unusable += page.unusable;
    std::vector<listed_credential> fresh;
    for (listed_credential& c : page.items) {
      if (walk.first_time(c.token)) fresh.push_back(std::move(c));
    }
    auto taking = take(std::move(fresh));
    co_await std::move(taking);
    std::optional<bool> last;
    if (page.pages) last = number >= *page.pages;
    const bool ended = walk.ended(last);
    counts.cut_short = walk.cut_short(last);
    if (ended) co_return;
  }
}

// Who the provider says that each token belongs to.
using owners = std::unordered_map<secret, std::string, secret_hash, secret_equal>;

awaitable<owners> read_owners(credential_source& from) {
  owners all;
  arrival_counts ignored;
  const auto note = [&all](std::vector<listed_credential> page) -> awaitable<void> {
    for (const listed_credential& c : page)
      all.emplace(c.token, c.external_id);
    co_return;
  };
  auto reading = read_list(from, ignored, note);
  co_await std::move(reading);
  co_return all;
}

class exchange_story {
 public:
  exchange_story(credential_source& from, credential_book& into, engine_clock& clock)
      : from_(from), into_(into), clock_(clock) {}

  awaitable<void> exchange(secret code, user_id user) {
    auto rehearsing = into_.rehearse(user);
    const standing possible = co_await std::move(rehearsing);
    if (possible == standing::refused) {
      ++counts.refused;
      co_return;
    }
    auto asking = ask(code, user);
    std::optional<secret> token = co_await std::move(asking);
    if (!token) {
      ++counts.used_up;
      co_return;
    }
    auto storing = store(std::move(*token), user);
    const standing now = co_await std::move(storing);
    ++(now == standing::known ? counts.exchanged : counts.erased);
  }

  exchange_counts counts;

 private:
  awaitable<std::optional<secret>> ask(const secret& code, const user_id& user) {
    std::optional<secret> token;
    std::optional<failure> failed;
    try {
      auto asking = from_.exchange(code);
      token = co_await std::move(asking);
    } catch (const failure& f) {
      failed.emplace(f);
    }
    if (!failed) co_return token;
    // A refusal says that nothing was exchanged, and so does a call that was never sent; a broken
    // answer or a server's error says nothing.
    const bool refused = failed->http_status >= 300 && failed->http_status < 500;
    const bool unsent = failed->at < stage::send || failed->at == stage::token;
    if (refused || unsent) throw failure{*failed};
    failure f(failed->at, verdict::later, failed->error_class,
              fmt::format("a link code of user \"{}\" may be used up, but its credential did not "
                          "arrive: {}",
                          user.value, failed->what()));
    f.hint = how_to_find(user);
    throw f;
  }

  awaitable<standing> store(secret token, user_id user) {
    std::optional<failure> failed;
    for (int attempt = 1; attempt <= store_tries; ++attempt) {
      if (attempt > 1) {
        const std::chrono::milliseconds pause{1000 << (attempt - 2)};
        auto waiting = clock_.sleep(pause);
        co_await std::move(waiting);
      }
      try {
        auto adding = into_.add(user, token);
        const standing now = co_await std::move(adding);
        co_return now;
      } catch (const failure& f) {
        failed.emplace(f);
      }
    }
    failure f(failed->at, verdict::stop, failed->error_class,
              fmt::format("a link code of user \"{}\" was exchanged and is used up, but its "
                          "credential could not be stored: {}",
                          user.value, failed->what()));
    f.hint = how_to_find(user);
    throw f;
  }

  static std::string how_to_find(const user_id& user) {
    return fmt::format(
        "the provider still has the credential: flanks-sync credentials discover registers it "
        "under its external_id; with none, add --default-user \"{}\"",
        user.value);
  }

  credential_source& from_;
  credential_book& into_;
  engine_clock& clock_;
};

}  // namespace

awaitable<arrival_counts> discover(credential_source& from, credential_book& into,
                                   arrival_options options) {
  arrivals story(into, std::move(options));
  const auto take = [&story](std::vector<listed_credential> page) {
    return story.take(std::move(page));
  };
  auto reading = read_list(from, story.counts, take);
  co_await std::move(reading);
  co_return story.counts;
}

awaitable<arrival_counts> take_sessions(credential_source& from, credential_book& into,
                                        arrival_options options) {
  arrivals story(into, std::move(options));
  auto reading = read_owners(from);
  const owners known = co_await std::move(reading);
  page_walk walk;
  std::string page_token;
  for (;;) {
    auto asking = from.sessions(page_token);
    session_page page = co_await std::move(asking);
    ++story.counts.pages;
    story.counts.unusable += page.unusable;
    std::vector<listed_credential> fresh;
    for (secret& token : page.connections) {
      if (!walk.first_time(token)) continue;
      const auto owner = known.find(token);
      const std::string user = owner == known.end() ? std::string{} : owner->second;
      fresh.push_back(listed_credential{std::move(token), user});
    }
    auto taking = story.take(std::move(fresh));
    co_await std::move(taking);
    const bool last = page.next_page_token.empty();
    const bool ended = walk.ended(last);
    story.counts.cut_short = walk.cut_short(last);
    if (ended) co_return story.counts;
    page_token = page.next_page_token;
  }
}

awaitable<exchange_counts> exchange_links(credential_source& from, credential_book& into,
                                          engine_clock& clock, exchange_options options) {
  exchange_story story(from, into, clock);
  auto asking = from.links();
  std::vector<link_code> codes = co_await std::move(asking);
  for (link_code& code : codes) {
    ++story.counts.codes;
    std::string name = code.parameter(options.user_from);
    if (name.empty()) name = options.default_user;
    if (name.empty()) {
      ++story.counts.without_user;
      continue;
    }
    user_id user{name};
    auto exchanging = story.exchange(std::move(code.code), std::move(user));
    co_await std::move(exchanging);
  }
  co_return story.counts;
}

}  // namespace flanks
