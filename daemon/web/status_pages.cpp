#include "daemon/web/status_pages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "daemon/web/embedded_web.hpp"
#include "daemon/web/html.hpp"
#include "daemon/web/pages.hpp"
#include "sync/text.hpp"

namespace flanks::web {

namespace asio = boost::asio;
namespace chr = std::chrono;
using asio::awaitable;

namespace {

// Who waits longer gets what was known. With the question whether the database is there, a page
// takes 3 + 4 + 4 s at most.
constexpr chr::seconds patience{4};
// Of those that are told one by one: a database that is slow keeps no queue of them.
constexpr std::size_t most_questions = 8;
// A reading that is younger is not asked for again, nor one that is younger than ten times what it
// took: however many look, a tenth of one connection's time goes into it.
constexpr chr::seconds fresh{2};
constexpr int rest = 10;
constexpr const char* of_html = "text/html; charset=utf-8";
constexpr std::size_t longest_value = 200;

std::string decoded(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool encoded =
        text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    if (encoded) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return std::string(clipped(cleaned(out, " "), longest_value));
}

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

template <class T>
std::optional<T> number_from(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

void sort_by(std::string_view name, credential_query& into) {
  using order = credential_query::order;
  into.descending = name.starts_with('-');
  if (into.descending) name.remove_prefix(1);
  into.by = name == "bank"     ? order::bank
            : name == "state"  ? order::state
            : name == "agreed" ? order::agreed
            : name == "next"   ? order::next
                               : order::id;
}

constexpr std::string_view credential_prefix = "/credentials/";

std::optional<credential_id> credential_in(std::string_view path) {
  if (!path.starts_with(credential_prefix)) return std::nullopt;
  const auto number = number_from<std::int64_t>(path.substr(credential_prefix.size()));
  if (!number) return std::nullopt;
  return credential_id{*number};
}

void in_trouble(const failure& f, mirror_view& found) {
  found.unread = f.what();
  found.hint = f.hint;
}

failure silence() {
  return failure(stage::database, verdict::later, "database_silent",
                 fmt::format("the database has not answered within {} s", patience.count()));
}

}  // namespace

credential_query credential_query_from(std::string_view query) {
  credential_query asked;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view name = pair.substr(0, equals);
    const std::string value = trimmed(decoded(pair.substr(std::min(equals + 1, pair.size()))));
    if (name == "q") asked.text = value;
    if (name == "bank") asked.bank = value;
    if (name == "state") asked.state = value;
    if (name == "sort") sort_by(value, asked);
    if (name == "page") asked.page = std::min(number_from<int>(value).value_or(1), 1'000'000);
  }
  return asked;
}

status_pages::status_pages(const asio::any_io_executor& executor, page_source& database,
                           std::function<daemon_facts()> daemon)
    : executor_(executor),
      database_(database),
      daemon_(std::move(daemon)),
      overview_(executor, [this] { return read(); }),
      questions_(executor) {}

awaitable<void> status_pages::close() {
  questions_.cancel();
  co_await overview_.close();
  co_await questions_.join();
}

template <class T>
struct status_pages::question {
  explicit question(const asio::any_io_executor& executor) : wake(executor, patience) {}
  asio::steady_timer wake;
  std::optional<T> value;
  std::optional<failure> trouble;
};

template <class T>
awaitable<void> status_pages::settle(std::shared_ptr<question<T>> into, awaitable<T> asking) {
  try {
    into->value = co_await std::move(asking);
  } catch (const failure& f) {
    into->trouble = f;
  }
  into->wake.cancel();
}

// Throws `failure` when the answer takes too long; the question goes on to its end.
template <class T>
awaitable<T> status_pages::in_time(awaitable<T> asking) {
  if (questions_.size() >= most_questions) throw silence();
  const auto asked = std::make_shared<question<T>>(executor_);
  questions_.spawn(settle(asked, std::move(asking)));
  boost::system::error_code woken;
  auto token = asio::redirect_error(asio::use_awaitable, woken);
  if (!asked->value && !asked->trouble) co_await asked->wake.async_wait(token);
  if (asked->trouble) throw failure(*asked->trouble);
  if (!asked->value) throw silence();
  co_return std::move(*asked->value);
}

bool status_pages::is_page(std::string_view path) {
  return path == "/" || path == "/credentials" || path == "/api/v1/status" ||
         credential_in(path).has_value();
}

admin_answer status_pages::missing(std::string_view what) const {
  return {404, missing_page(daemon_(), what), of_html};
}

awaitable<std::optional<admin_answer>> status_pages::answer(admin_request request,
                                                            mirror_view known) {
  const credential_query asked = credential_query_from(request.query);
  const auto id = credential_in(request.path);
  awaitable<admin_answer> made;
  if (const embedded_file* const file = embedded_at(request.path))
    co_return admin_answer{200, std::string(file->content), std::string(file->type)};
  if (request.path == "/") {
    made = status({}, false, std::move(known));  // its list is the beginning, whatever is asked
  } else if (request.path == "/api/v1/status") {
    made = status(asked, true, std::move(known));
  } else if (request.path == "/credentials") {
    made = credentials(asked, std::move(known));
  } else if (id) {
    made = credential(*id, std::move(known));
  } else {
    co_return std::nullopt;
  }
  co_return co_await std::move(made);
}

awaitable<mirror_overview> status_pages::read() {
  const auto begin = chr::steady_clock::now();
  auto asking = database_.overview();
  mirror_overview found = co_await std::move(asking);
  read_ = chr::steady_clock::now();
  took_ = read_ - begin;
  co_return found;
}

bool status_pages::is_fresh() const {
  const auto age = chr::steady_clock::now() - read_;
  return overview_.known() && (age < fresh || age < rest * took_);
}

awaitable<mirror_view> status_pages::look(mirror_view found) {
  if (found.trouble.empty() && !is_fresh()) {
    const auto answered = co_await overview_.get(patience);
    if (answered && answered->trouble)
      in_trouble(*answered->trouble, found);
    else if (!answered && !overview_.known())
      in_trouble(silence(), found);
  }
  if (overview_.known()) found.overview = &*overview_.known();
  co_return found;
}

awaitable<std::optional<credential_list>> status_pages::list(credential_query asked,
                                                             mirror_view& found) {
  if (!found.is_read()) co_return std::nullopt;
  try {
    auto asking = in_time(database_.credentials(std::move(asked)));
    credential_list read = co_await std::move(asking);
    co_return read;
  } catch (const failure& f) {
    in_trouble(f, found);
  }
  co_return std::nullopt;
}

awaitable<admin_answer> status_pages::status(credential_query asked, bool as_json,
                                             mirror_view trouble) {
  auto looking = look(std::move(trouble));
  mirror_view found = co_await std::move(looking);
  if (!as_json) asked.limit = 10;
  auto listing = list(asked, found);
  const std::optional<credential_list> first = co_await std::move(listing);
  // What was known when this began may have been replaced meanwhile.
  found.overview = overview_.known() ? &*overview_.known() : nullptr;
  const credential_list* const rows = first ? &*first : nullptr;
  const daemon_facts facts = daemon_();
  const int code = found.is_read() ? 200 : 503;
  if (as_json)
    co_return admin_answer{code, status_json(facts, found, asked, rows), "application/json"};
  co_return admin_answer{code, overview_page(facts, found, rows), of_html};
}

awaitable<admin_answer> status_pages::credentials(credential_query asked, mirror_view found) {
  auto listing = list(asked, found);
  const std::optional<credential_list> rows = co_await std::move(listing);
  co_return admin_answer{rows ? 200 : 503,
                         credentials_page(daemon_(), found, asked, rows ? &*rows : nullptr),
                         of_html};
}

awaitable<admin_answer> status_pages::credential(credential_id id, mirror_view found) {
  std::optional<credential_story> story;
  if (found.trouble.empty()) {
    try {
      auto asking = in_time(database_.credential(id));
      story = co_await std::move(asking);
      if (!story) co_return missing(fmt::format("credential {}", id.value));
    } catch (const failure& f) {
      in_trouble(f, found);
    }
  }
  const credential_story* const known = story ? &*story : nullptr;
  co_return admin_answer{story ? 200 : 503, credential_page(daemon_(), found, id, known), of_html};
}

}  // namespace flanks::web
