#include "daemon/admin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "daemon/admin_hosts.hpp"
#include "sync/error_class.hpp"

namespace flanks {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

// Prometheus gives a scrape 10 s, and what probes readiness often less.
constexpr std::chrono::seconds patience{3};

admin_answer not_found(const std::string& path) {
  return {404, fmt::format("there is no {}; there is:\n"
                           "/                the status page\n"
                           "/credentials     all credentials; /credentials/N one of them\n"
                           "/api/v1/status   the status page as JSON\n"
                           "/metrics         for Prometheus\n"
                           "/-/healthy       200 while the daemon's event loop runs\n"
                           "/-/ready         200 when the daemon can do its work, else 503, with "
                           "the reasons as JSON\n",
                           repeatable(path))};
}

// The listener has 16 places: those that are left are for health, readiness and metrics.
constexpr int most_waiting = 8;

admin_answer too_many() {
  admin_answer answer{503, fmt::format("{} others wait for a page: the database is slow, or too "
                                       "many look at once\n",
                                       most_waiting)};
  answer.retry_after = 5;
  return answer;
}

// One of those who wait.
struct place_in_line {
  explicit place_in_line(int& of_all) : waiting(of_all) { ++waiting; }
  ~place_in_line() { --waiting; }
  place_in_line(const place_in_line&) = delete;
  place_in_line& operator=(const place_in_line&) = delete;
  int& waiting;
};

// What the cheap question to the database found, or that it has no answer.
finding database_finding(const std::optional<shared_reading<finding>::answer>& schema) {
  if (!schema)
    return failed("database", failure(stage::database, verdict::later, "database_silent",
                                      fmt::format("the database has not answered within {} s",
                                                  patience.count())));
  if (schema->trouble) return unnamed(*schema->trouble, "the database cannot be used");
  return *schema->value;
}

// Of a claim: that there was no connection, or that none lasted. A database that answers another
// question refutes it; of a disk that is full, or a login that is refused, it says nothing.
bool says_no_answer(const finding& f) {
  constexpr std::array over{"database_unreachable", "database_lost", "database_silent",
                            "database_starting"};
  return std::find(over.begin(), over.end(), f.error_class) != over.end();
}

bool is_of_database(const finding& f) {
  return f.check == "database";
}

// Then nothing else is of interest, and nothing is waited for.
bool is_stopping(const std::vector<finding>& own) {
  return own.size() == 1 && own[0].check == "daemon" && own[0].error_class.empty();
}

json::value said_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

admin_answer as_json(const std::vector<finding>& reasons) {
  json::array told;
  for (const finding& f : reasons) {
    const error_class_info* const known = find_error_class(f.error_class);
    told.push_back(json::object{
        {"check", f.check},
        {"error_class", said_or_null(f.error_class)},
        {"says", f.says},
        {"hint", said_or_null(f.hint)},
        {"who_must_act", to_string(known == nullptr ? whose_turn::nobody : known->who)}});
  }
  admin_answer answer;
  answer.status = reasons.empty() ? 200 : 503;
  answer.type = "application/json";
  answer.body =
      json::serialize(json::object{{"ready", reasons.empty()}, {"reasons", std::move(told)}}) +
      "\n";
  return answer;
}

}  // namespace

admin::admin(const asio::any_io_executor& executor, const config::admin_settings& where,
             admin_sources sources, log& events)
    : sources_(std::move(sources)),
      events_(events),
      password_(sources_.password),
      pages_(executor, sources_.pages,
             [this] {
               web::daemon_facts facts = sources_.facts();
               facts.listen = listener_->where();
               return facts;
             }),
      schema_(executor, [this] { return sources_.database.schema(); }),
      gauges_(executor, [this] { return read_gauges(); }),
      listener_(make_admin_listener(
          executor, where, [this](admin_request request) { return page(std::move(request)); },
          events)) {}

awaitable<void> admin::serve() {
  std::exception_ptr error;
  try {
    auto serving = listener_->serve();
    co_await std::move(serving);
  } catch (...) {
    error = std::current_exception();
  }
  const auto shield = shield_from_cancellation();
  co_await shield;
  co_await pages_.close();
  co_await schema_.close();
  co_await gauges_.close();
  if (error) std::rethrow_exception(error);
}

awaitable<admin_answer> admin::page(admin_request request) {
  const std::string path = request.path;
  if (path == "/-/ready") co_return co_await readiness();
  // That anybody answers at all says that the loop runs.
  if (path == "/-/healthy") {
    admin_answer healthy;
    healthy.body = "healthy\n";
    co_return healthy;
  }
  auto objection = password_.objection(request.authorization, std::chrono::steady_clock::now());
  if (objection && request.authorization) note_wrong_password(request.from);
  if (objection) co_return std::move(*objection);
  if (path == "/metrics") co_return co_await scrape();
  if (!web::status_pages::is_page(path)) {
    auto asking = status_page(std::move(request));
    co_return co_await std::move(asking);
  }
  if (waiting_ >= most_waiting) co_return too_many();
  const place_in_line mine(waiting_);
  auto asking = status_page(std::move(request));
  co_return co_await std::move(asking);
}

// The cheap question first: nothing more is asked of a database that does not answer it.
awaitable<admin_answer> admin::status_page(admin_request request) {
  web::mirror_view known;
  if (web::status_pages::is_page(request.path)) {
    const auto schema = co_await schema_.get(patience);
    known = known_from(schema);
  }
  const bool wants_html = request.wants_html;
  const std::string path = request.path;
  auto asking = pages_.answer(std::move(request), std::move(known));
  auto answer = co_await std::move(asking);
  if (answer) co_return std::move(*answer);
  if (wants_html) co_return pages_.missing(repeatable(path));
  co_return not_found(path);
}

// As /-/ready judges it, with names: who reads pages may read them.
web::mirror_view admin::known_from(const std::optional<shared_reading<finding>::answer>& schema) {
  web::mirror_view known;
  const finding asked = database_finding(schema);
  if (asked.how != grade::ok) {
    const bool has_names = schema && schema->trouble;
    known.trouble = !schema     ? fmt::format("it has not answered within {} s", patience.count())
                    : has_names ? schema->trouble->what()
                                : asked.says;
    known.hint = has_names ? schema->trouble->hint : asked.hint;
  }
  const std::vector<finding> found = reasons(schema);
  known.is_ready = found.empty();
  const auto own = std::find_if(found.begin(), found.end(), [&](const finding& f) {
    return asked.how == grade::ok || f.check != asked.check;
  });
  if (own != found.end()) known.not_ready = own->says;
  return known;
}

// Why the daemon is not ready. Says nothing that names the database, the client or the provider:
// the log and doctor do.
std::vector<finding> admin::reasons(const std::optional<shared_reading<finding>::answer>& schema) {
  std::vector<finding> found = sources_.trouble();
  const finding asked = database_finding(schema);
  if (is_stopping(found)) return found;
  const bool answers = asked.how == grade::ok;
  if (answers && std::any_of(found.begin(), found.end(), is_of_database))
    sources_.database_answers();
  // What is so now, in place of what the last claim met.
  std::erase_if(found, [&](const finding& f) {
    return answers ? says_no_answer(f) : f.check == asked.check;
  });
  if (!answers) found.push_back(asked);
  return found;
}

// Anybody may ask, also where the pages need a password.
awaitable<admin_answer> admin::readiness() {
  std::vector<finding> own = sources_.trouble();
  if (is_stopping(own)) co_return as_json(own);
  const auto schema = co_await schema_.get(patience);
  co_return as_json(reasons(schema));
}

// The cheap question says whether the database is there, also where the other one takes longer than
// a scrape may: then the gauges are those of the last time that it was answered.
awaitable<admin_answer> admin::scrape() {
  const auto schema = co_await schema_.get(patience);
  database_view database;
  database.up = schema && schema->value;
  daemon_view daemon = sources_.daemon();
  daemon.log_lines_dropped = events_.dropped();
  daemon.problems = reasons(schema);
  daemon.ready = daemon.problems.empty();
  for (const auto& known : sources_.facts().problems) {
    const finding& own = known.second;  // clang 14 captures no structured binding
    const auto same = [&own](const finding& f) {
      return f.check == own.check && f.error_class == own.error_class;
    };
    if (std::none_of(daemon.problems.begin(), daemon.problems.end(), same))
      daemon.problems.push_back(own);
  }
  if (database.up) {
    if (std::chrono::steady_clock::now() >= gauges_due_) {
      const auto now = co_await gauges_.get(patience);
      if (now) note(now->trouble);
    }
    database.gauges = gauges_.known() ? &*gauges_.known() : nullptr;
  }
  admin_answer answer;
  answer.type = "text/plain; version=0.0.4; charset=utf-8";
  answer.body = sources_.counted.text(database, sources_.rates, daemon);
  co_return answer;
}

// They look at every credential: of a large mirror they take a twentieth of the database's time at
// most, however often somebody scrapes.
awaitable<mirror_gauges> admin::read_gauges() {
  constexpr std::chrono::seconds cheap{1};
  const auto begun = std::chrono::steady_clock::now();
  auto reading = sources_.database.read();
  mirror_gauges read = co_await std::move(reading);
  const auto ended = std::chrono::steady_clock::now();
  if (ended - begun > cheap) gauges_due_ = ended + 19 * (ended - begun);
  co_return read;
}

// The first at once, then once a minute while there are more: who guesses does not fill the log.
void admin::note_wrong_password(const std::string& from) {
  constexpr std::chrono::minutes between{1};
  ++wrong_passwords_;
  const auto now = std::chrono::steady_clock::now();
  if (told_wrong_ != std::chrono::steady_clock::time_point{} && now - told_wrong_ < between) return;
  events_.warn(log_message(event::wrong_passwords, from), {{"tries", wrong_passwords_}});
  wrong_passwords_ = 0;
  told_wrong_ = now;
}

// Once, not at every scrape.
void admin::note(const std::optional<failure>& trouble) {
  const std::string text = trouble ? trouble->what() : "";
  if (trouble && text != trouble_) events_.warn(event::gauges_unread, {{"error", text}});
  trouble_ = text;
}

}  // namespace flanks
