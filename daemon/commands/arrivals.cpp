// credentials discover | credentials remove --upstream | link exchange | link sessions: what needs
// both the provider and the register of credentials.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "daemon/commands/commands.hpp"
#include "daemon/terminal.hpp"
#include "db/commands/registry.hpp"
#include "db/credential_book.hpp"
#include "sync/flanks/arrivals.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

namespace asio = boost::asio;
namespace json = boost::json;

json::array names(const std::vector<std::string_view>& all) {
  json::array out;
  for (const std::string_view name : all)
    out.emplace_back(json::string_view{name.data(), name.size()});
  return out;
}

void print_json(const arrival_counts& c) {
  terminal::print_json(json::serialize(json::object{{"pages", c.pages},
                                                    {"seen", c.seen},
                                                    {"new", c.added},
                                                    {"known", c.known},
                                                    {"removed", c.removed},
                                                    {"erased", c.erased},
                                                    {"without_user", c.without_user},
                                                    {"refused", c.refused},
                                                    {"unusable", c.unusable},
                                                    {"cut_short", !c.cut_short_by.empty()},
                                                    {"cut_short_by", names(c.cut_short_by)}}));
}

void tell(std::int64_t count, const std::string& words) {
  if (count > 0) terminal::print("{:>8} {}\n", count, words);
}

void print_people(const arrival_counts& c, bool dry_run) {
  terminal::print("{:>8} {} at the provider, on {}\n", c.seen, plural(c.seen, "credential"),
                  counted(c.pages, "page"));
  terminal::print("{:>8} {}\n", c.added, dry_run ? "would be registered" : "registered now");
  terminal::print("{:>8} known before; they stay as they are\n", c.known);
  tell(c.removed, "removed by an operator; credentials add brings one back");
  tell(c.erased, "erased with their user; credentials add --even-if-erased brings one back");
  tell(
      c.without_user,
      "without a user, not registered; --default-user takes them, or give the link an external_id");
  tell(c.refused,
       "not registered: the user's name is longer than 256 bytes, or holds NUL or a token");
  tell(c.unusable, plural(c.unusable, "item without a token", "items without a token"));
  for (const std::string_view by : c.cut_short_by) {
    if (by == "repeated_pages") {
      terminal::print(
          "the provider's pages did not end, they only repeat themselves; run it again later\n");
    } else {
      terminal::print("not all was read: {} is reached; raise it and run the command again\n", by);
    }
  }
}

// What nobody registered although it is there makes the command partial.
exit_code code_of(const arrival_counts& c) {
  const bool left_out = c.without_user + c.refused + c.unusable > 0 || !c.cut_short_by.empty();
  return left_out ? exit_code::some_failed : exit_code::done;
}

void print_exchange(const exchange_counts& c, bool as_json) {
  if (as_json) {
    terminal::print_json(json::serialize(json::object{{"codes", c.codes},
                                                      {"exchanged", c.exchanged},
                                                      {"used_up", c.used_up},
                                                      {"without_user", c.without_user},
                                                      {"refused", c.refused},
                                                      {"erased", c.erased}}));
    return;
  }
  terminal::print("{:>8} unused {}\n{:>8} exchanged and registered\n", c.codes,
                  plural(c.codes, "link code"), c.exchanged);
  tell(c.used_up, "used up by somebody else meanwhile");
  tell(c.without_user, "without a user, not exchanged; see --user-from and --default-user");
  tell(c.refused, "not exchanged: the user's name is longer than 256 bytes, or holds NUL");
  tell(c.erased,
       "exchanged, but erased with their user before; credentials add --even-if-erased brings one "
       "back");
}

class arrivals_story {
 public:
  arrivals_story(const invocation& asked, engine& e)
      : asked_(asked),
        engine_(e),
        source_(make_credential_source(*e.api)),
        book_(make_credential_book(e.executor, e.database)) {}

  asio::awaitable<void> tell() {
    if (asked_.what == command::link_exchange) {
      exchange_options options{asked_.user_from, asked_.default_user};
      auto running = exchange_links(*source_, *book_, *engine_.clock, std::move(options));
      exchanged = co_await std::move(running);
      co_return;
    }
    arrival_options options{asked_.dry_run, asked_.default_user, engine_.settings.values().limits};
    auto running = asked_.what == command::link_sessions
                       ? take_sessions(*source_, *book_, std::move(options))
                       : discover(*source_, *book_, std::move(options));
    counts = co_await std::move(running);
  }

  arrival_counts counts;
  exchange_counts exchanged;

 private:
  const invocation& asked_;
  engine& engine_;
  std::unique_ptr<credential_source> source_;
  std::unique_ptr<credential_book> book_;
};

// First there, then here: a credential that the provider could not delete is still ours to try
// again. Nothing else is on the loop, so the register may block it.
asio::awaitable<void> remove_upstream(credential_source& there, registry& here,
                                      const invocation& asked, json::array& told) {
  for (const credential_id id : asked.who.credentials) {
    const secret token = here.token_of(id);
    auto asking = there.forget(token);
    const bool known = co_await std::move(asking);
    here.remove(id);
    if (asked.json) {
      told.push_back(json::object{{"credential_id", id.value}, {"change", "removed"}});
    } else {
      terminal::print("credential {} is {} the provider and removed here; its transactions stay\n",
                      id.value, known ? "deleted at" : "unknown to");
    }
  }
}

exit_code remove(engine& e, const invocation& asked) {
  registry here(e.database);
  const std::unique_ptr<credential_source> there = make_credential_source(*e.api);
  json::array told;
  std::exception_ptr error;
  try {
    e.run(remove_upstream(*there, here, asked, told), [] {});
  } catch (...) {
    error = std::current_exception();
  }
  if (asked.json) terminal::print_json(json::serialize(told));
  if (error) std::rethrow_exception(error);
  return exit_code::done;
}

}  // namespace

exit_code command_arrivals(const invocation& asked) {
  engine e(asked, configure(asked, config::secret_scope::all));
  require_database(e, false);
  if (asked.what == command::credentials_remove) return remove(e, asked);
  arrivals_story story(asked, e);
  e.run(story.tell(), [] {});
  if (asked.what == command::link_exchange) {
    print_exchange(story.exchanged, asked.json);
    const exchange_counts& c = story.exchanged;
    return c.without_user + c.refused + c.erased > 0 ? exit_code::some_failed : exit_code::done;
  }
  if (asked.json) {
    print_json(story.counts);
  } else {
    print_people(story.counts, asked.dry_run);
  }
  return code_of(story.counts);
}

}  // namespace flanks
