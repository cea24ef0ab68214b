#include "sync/arrivals.hpp"

#include <fmt/format.h>

#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "sync/blank.hpp"

namespace flanks {

using boost::asio::awaitable;

namespace {

// Pages that bring nothing new, one after the other, after which the rest is not believed to exist.
constexpr int fruitless_pages = 3;
constexpr int store_tries = 6;  // 1 + 2 + 4 + 8 + 16 seconds between them

struct walk_limits {
  int pages;
  std::string_view pages_key;
  int credentials;
};
walk_limits of_list(const sync_limits& all) {
  return {all.discovery_pages, "limits.discovery_pages", all.discovery_credentials};
}
walk_limits of_sessions(const sync_limits& all) {
  return {all.session_pages, "limits.session_pages", all.discovery_credentials};
}

// Walks over pages that may repeat items, grow, or never end. Tokens are kept as hashes.
class page_walk {
 public:
  explicit page_walk(walk_limits limits) : limits_(limits) {}

  // True for a token that was not seen before, up to the limit.
  bool take(const secret& token) {
    const std::size_t hash = secret_hash{}(token);
    if (seen_.contains(hash)) return false;
    found_something_ = true;
    full_ = full_ || seen_.size() >= static_cast<std::size_t>(limits_.credentials);
    if (!full_) seen_.insert(hash);
    return !full_;
  }
  // After a page; `last` is what the page itself says about being the last, if it says anything.
  [[nodiscard]] bool ended(std::optional<bool> last) {
    ++pages_;
    fruitless_ = found_something_ ? 0 : fruitless_ + 1;
    found_something_ = false;
    if (full_) {
      cut_short_by_ = "limits.discovery_credentials";
    } else if (last.value_or(fruitless_ > 0)) {
      return true;
    } else if (fruitless_ >= fruitless_pages) {
      cut_short_by_ = "repeated_pages";
    } else if (pages_ >= limits_.pages) {
      cut_short_by_ = limits_.pages_key;
    }
    return !cut_short_by_.empty();
  }
  // Why it ended before the pages did; empty when it did not.
  [[nodiscard]] std::string_view cut_short_by() const { return cut_short_by_; }

 private:
  walk_limits limits_;
  std::unordered_set<std::size_t> seen_;
  bool found_something_ = false, full_ = false;
  int pages_ = 0, fruitless_ = 0;
  std::string_view cut_short_by_;
};

void note(const page_walk& walk, arrival_counts& counts) {
  if (!walk.cut_short_by().empty()) counts.cut_short_by.push_back(walk.cut_short_by());
}

class arrivals {
 public:
  arrivals(credential_book& book, bool dry_run) : book_(book), dry_run_(dry_run) {}

  // `default_user` is for those that come without one.
  awaitable<void> take(std::vector<listed_credential> page, std::string default_user) {
    std::vector<secret> tokens;
    for (const listed_credential& c : page)
      tokens.push_back(c.token);
    if (tokens.empty()) co_return;
    counts.seen += static_cast<std::int64_t>(tokens.size());
    auto looking = book_.look(std::move(tokens));
    const std::vector<standing> found = co_await std::move(looking);
    std::vector<registration_request> wanted;
    for (std::size_t i = 0; i < page.size(); ++i) {
      if (found.at(i) != standing::unknown) {
        count(found[i]);
      } else if (const user_id user = user_of(page[i], default_user); user.value.empty()) {
        ++counts.without_user;
      } else {
        wanted.push_back({user, std::move(page[i].token)});
      }
    }
    auto adding = add(std::move(wanted));
    co_await std::move(adding);
  }

  arrival_counts counts;

 private:
  // One that nobody can see is none.
  static user_id user_of(const listed_credential& one, const std::string& default_user) {
    return user_id{is_blank(one.external_id) ? default_user : one.external_id};
  }

  awaitable<void> add(std::vector<registration_request> wanted) {
    if (wanted.empty()) co_return;
    if (dry_run_) {
      counts.added += static_cast<std::int64_t>(wanted.size());
      co_return;
    }
    auto adding = book_.add(std::move(wanted));
    const std::vector<standing> found = co_await std::move(adding);
    for (const standing now : found) {
      if (now == standing::known) {
        ++counts.added;
      } else {
        count(now);
      }
    }
  }

  void count(standing now) {
    if (now == standing::known) ++counts.known;
    if (now == standing::removed) ++counts.removed;
    if (now == standing::erased) ++counts.erased;
    if (now == standing::refused) ++counts.refused;
  }

  credential_book& book_;
  bool dry_run_;
};

// Hands every page of the list to `take`, without repeated items.
awaitable<void> read_list(credential_source& from, sync_limits limits, arrival_counts& counts,
                          std::function<awaitable<void>(std::vector<listed_credential>)> take) {
  page_walk walk(of_list(limits));
  for (std::int64_t number = 1;; ++number) {
    auto asking = from.list(number);
    listed_page page = co_await std::move(asking);
    ++counts.pages;
    counts.unusable += page.unusable;
    std::vector<listed_credential> fresh;
    for (listed_credential& c : page.items) {
      if (walk.take(c.token)) fresh.push_back(std::move(c));
    }
    auto taking = take(std::move(fresh));
    co_await std::move(taking);
    std::optional<bool> last;
    if (page.pages) last = number >= *page.pages;
    if (walk.ended(last)) break;
  }
  note(walk, counts);
}

// Who the provider says that each token belongs to.
struct owners {
  std::unordered_map<secret, std::string, secret_hash, secret_equal> users;
  std::vector<std::string_view> cut_short_by;
};

awaitable<owners> read_owners(credential_source& from, sync_limits limits) {
  owners all;
  arrival_counts counts;
  const auto keep = [&all](std::vector<listed_credential> page) -> awaitable<void> {
    for (const listed_credential& c : page)
      all.users.emplace(c.token, c.external_id);
    co_return;
  };
  auto reading = read_list(from, limits, counts, keep);
  co_await std::move(reading);
  all.cut_short_by = std::move(counts.cut_short_by);
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
    const bool unsent = failed->stage < stage::send || failed->stage == stage::token;
    if (refused || unsent) throw failure{*failed};
    failure f(failed->stage, verdict::later, failed->error_class,
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
        std::vector<registration_request> wanted;
        wanted.push_back({user, token});
        auto adding = into_.add(std::move(wanted));
        const std::vector<standing> now = co_await std::move(adding);
        co_return now.at(0);
      } catch (const failure& f) {
        failed.emplace(f);
      }
    }
    failure f(failed->stage, verdict::stop, failed->error_class,
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
  arrivals story(into, options.dry_run);
  const auto take = [&](std::vector<listed_credential> page) {
    return story.take(std::move(page), options.default_user);
  };
  auto reading = read_list(from, options.limits, story.counts, take);
  co_await std::move(reading);
  co_return story.counts;
}

awaitable<arrival_counts> take_sessions(credential_source& from, credential_book& into,
                                        arrival_options options) {
  arrivals story(into, options.dry_run);
  auto reading = read_owners(from, options.limits);
  const owners known = co_await std::move(reading);
  story.counts.cut_short_by = known.cut_short_by;
  // Whose a token is that the rest of the list may name, nobody knows.
  const std::string of_unlisted = known.cut_short_by.empty() ? options.default_user : "";
  page_walk walk(of_sessions(options.limits));
  std::string page_token;
  for (bool ended = false; !ended;) {
    auto asking = from.sessions(page_token);
    session_page page = co_await std::move(asking);
    ++story.counts.pages;
    story.counts.unusable += page.unusable;
    std::vector<listed_credential> listed, unlisted;
    for (secret& token : page.connections) {
      if (!walk.take(token)) continue;
      const auto owner = known.users.find(token);
      if (owner == known.users.end()) {
        unlisted.push_back(listed_credential{std::move(token), ""});
      } else {
        listed.push_back(listed_credential{std::move(token), owner->second});
      }
    }
    auto taking_listed = story.take(std::move(listed), options.default_user);
    co_await std::move(taking_listed);
    auto taking_unlisted = story.take(std::move(unlisted), of_unlisted);
    co_await std::move(taking_unlisted);
    page_token = page.next_page_token;
    ended = walk.ended(page_token.empty());
  }
  note(walk, story.counts);
  co_return story.counts;
}

awaitable<exchange_counts> exchange_links(credential_source& from, credential_book& into,
                                          engine_clock& clock, exchange_options options) {
  exchange_story story(from, into, clock);
  auto asking = from.links();
  std::vector<link_code> codes = co_await std::move(asking);
  for (link_code& code : codes) {
    ++story.counts.codes;
    std::string name = code.parameter(options.user_from);
    if (is_blank(name)) name = options.default_user;
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
