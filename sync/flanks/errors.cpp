#include "sync/flanks/errors.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "sync/text.hpp"

namespace flanks {

namespace json = boost::json;

namespace {

// What an error object says about itself.
struct error_object {
  bool found = false;  // the body is an object with error or message
  std::string text;
  std::string code;
  std::string trace_id;
  bool of_window = false;  // a field that it names is one of days, or inside it
};

const json::value* find(const json::object& object, std::string_view key) {
  return object.if_contains(json::string_view{key.data(), key.size()});
}

std::string_view text_of(const json::value* value) {
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

// `field`: a path such as query.operationDate.0.gte.
bool names(std::string_view field, std::string_view name) {
  const auto edge = [&](std::size_t at) {
    return at >= field.size() ||
           std::string_view(".[]/'\"").find(field[at]) != std::string_view::npos;
  };
  const std::size_t at = field.find(name);
  return at != std::string_view::npos && (at == 0 || edge(at - 1)) && edge(at + name.size());
}

// As they are named in a query object (operationDate) and in Aggregation v2.
bool is_window(std::string_view field) {
  return names(field, "operationDate") || names(field, "date_from") || names(field, "date_to");
}

// "missing credentials_token, wrong_type query" of a ValidationError.
std::string details_of(const json::object& error, bool& of_window) {
  std::string all;
  const json::value* const details = find(error, "details");
  if (details == nullptr || !details->is_array()) return all;
  for (const json::value& each : details->get_array()) {
    if (!each.is_object()) continue;
    const std::string_view type = text_of(find(each.get_object(), "error_type"));
    const std::string_view field = text_of(find(each.get_object(), "field"));
    of_window = of_window || is_window(field);
    all += fmt::format("{}{} {}", all.empty() ? "" : ", ", type, field);
  }
  return all;
}

void read_nested(const json::object& error, error_object& e) {
  e.code = text_of(find(error, "code"));
  e.text = text_of(find(error, "message"));
  const std::string details = details_of(error, e.of_window);
  if (!details.empty()) e.text += (e.text.empty() ? "" : ": ") + details;
}

error_object read_error(const answer& a, const call_info& call) {
  error_object e;
  json::error_code bad;
  const json::value body =
      json::parse(json::string_view{a.body.data(), std::min(a.body.size(), error_body_limit)}, bad);
  if (bad || !body.is_object()) return e;
  const json::object& object = body.get_object();
  const json::value* const error = find(object, "error");
  const json::value* const message = find(object, "message");
  e.found = error != nullptr || message != nullptr;
  if (error != nullptr && error->is_object()) {
    read_nested(error->get_object(), e);
  } else {
    e.text = text_of(error);
  }
  if (e.text.empty()) e.text = text_of(message);
  if (e.code.empty()) e.code = text_of(find(object, "code"));
  e.trace_id = text_of(find(object, "trace_id"));
  e.text = presentable(e.text, 200, call.secrets);
  e.code = presentable(e.code, 64, call.secrets);
  e.trace_id = presentable(e.trace_id, 64, call.secrets);
  return e;
}

// ": ValidationError: missing credentials_token (trace_id 5b1e)"
std::string tail(const error_object& e) {
  std::string text;
  if (!e.code.empty()) text += ": " + e.code;
  if (!e.text.empty()) text += ": " + e.text;
  if (!e.trace_id.empty()) text += " (trace_id " + e.trace_id + ")";
  return text;
}

failure with_answer(failure f, const answer& a, const error_object& e) {
  f.http_status = a.status;
  f.provider_code = e.code;
  f.trace_id = e.trace_id;
  return f;
}

// The host alone: the rest of a Location may hold anything. Masked before it is cut: what is left
// of a secret would no longer be recognised as one.
std::string host_of(const answer& a, const call_info& call) {
  const std::string shown = presentable(a.location, std::string::npos, call.secrets);
  std::string_view location = shown;
  const std::size_t scheme = location.find("//");
  if (scheme == std::string_view::npos) return {};
  location.remove_prefix(scheme + 2);
  location = location.substr(0, location.find_first_of("/?#"));
  const std::size_t user = location.rfind('@');
  if (user != std::string_view::npos) location.remove_prefix(user + 1);
  return std::string{clipped(location, 100)};
}

struct status_rule {
  int status;
  flanks::verdict verdict;
  const char* name;
  const char* says;
};
constexpr status_rule rules[] = {
    {204, verdict::later, "no_content", "sent nothing at all (No Content)"},
    {304, verdict::later, "not_modified",
     "says that nothing has changed (Not Modified), which was not asked"},
    {400, verdict::later, "bad_request", "refused the request"},
    {401, verdict::park, "unauthorized", "refused the access token, also a fresh one"},
    {403, verdict::park, "forbidden", "does not permit this call with these API keys"},
    {404, verdict::park, "not_found", "does not know this credential"},
    {413, verdict::halve, "too_large", "says that the request or its result is too large"},
    {429, verdict::later, "rate_limited", "says that there were too many requests"},
};

constexpr status_rule refused_window{400, verdict::halve, "window_refused",
                                     "refused the operation dates that were asked for"};

status_rule rule_for(int status) {
  for (const status_rule& rule : rules) {
    if (rule.status == status) return rule;
  }
  return {status, status >= 500 ? verdict::retry : verdict::later, nullptr, nullptr};
}

}  // namespace

std::string presentable(std::string_view text, std::size_t limit,
                        const std::vector<const secret*>& secrets) {
  // First what cannot be seen: a secret with a control character inside must not be joined again
  // after the masking.
  std::string clean = cleaned(text, "");
  for (const secret* const hidden : secrets) {
    if (hidden->empty()) continue;
    const std::string& value = hidden->reveal();
    for (std::size_t at = clean.find(value); at != std::string::npos; at = clean.find(value, at)) {
      clean.replace(at, value.size(), "***");
      at += 3;
    }
  }
  return std::string{clipped(clean, limit)};
}

std::optional<std::chrono::sys_seconds> http_date(std::string_view text) {
  // The names of days and months are English, as in the C locale that the daemon runs in.
  const std::string copy{text};
  for (const char* const form :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"}) {
    std::tm parts{};
    const char* const end = ::strptime(copy.c_str(), form, &parts);
    if (end != nullptr && *end == '\0') {
      return std::chrono::sys_seconds{std::chrono::seconds{::timegm(&parts)}};
    }
  }
  return std::nullopt;
}

std::optional<std::chrono::seconds> retry_after(std::string_view value, std::string_view date) {
  using std::chrono::seconds;
  constexpr seconds least{1}, most{24 * 3600};
  if (value.empty()) return std::nullopt;
  if (value.find_first_not_of("0123456789") == std::string_view::npos) {
    long long count = 0;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), count);
    if (read.ec == std::errc::result_out_of_range) return most;
    return std::clamp(seconds{count}, least, most);
  }
  const auto until = http_date(value);
  const auto sent = http_date(date);
  if (!until || !sent) return std::nullopt;
  return std::clamp(seconds{*until - *sent}, least, most);
}

failure from_status(const answer& a, const call_info& call) {
  if (a.status >= 300 && a.status < 400 && a.status != 304) {
    const std::string host = host_of(a, call);
    failure f{stage::answer, verdict::later, "redirect",
              fmt::format("{} answered {}, a redirect{}{}; it was not followed", call.what,
                          a.status, host.empty() ? "" : " to ", host)};
    f.http_status = a.status;
    return f;
  }
  const error_object e = read_error(a, call);
  const status_rule rule = a.status == 400 && e.of_window ? refused_window : rule_for(a.status);
  const std::string name = rule.name != nullptr ? rule.name : fmt::format("http_{}", a.status);
  std::string says = rule.says != nullptr ? fmt::format(": it {}", rule.says) : "";
  std::optional<std::chrono::seconds> wait;
  if (a.status == 429 || a.status == 503) wait = retry_after(a.retry_after, a.date);
  if (wait)
    says += fmt::format("{} asks to wait {} s", says.empty() ? ": it" : " and", wait->count());
  failure f =
      with_answer(failure{stage::answer, rule.verdict, name,
                          fmt::format("{} answered {}{}{}", call.what, a.status, says, tail(e))},
                  a, e);
  f.retry_after = wait;
  return f;
}

failure from_body(const answer& a, const call_info& call, std::string_view wanted) {
  const std::size_t first = a.body.find_first_not_of(" \t\r\n");
  const auto say = [&](verdict then, std::string name, const std::string& what) {
    return failure{
        stage::answer, then, std::move(name),
        fmt::format("{} answered {} with {} where {} belongs", call.what, a.status, what, wanted)};
  };
  if (first == std::string::npos && a.body_bytes <= static_cast<std::int64_t>(a.body.size())) {
    return with_answer(say(verdict::later, "empty_body", "an empty body"), a, {});
  }
  if (first != std::string::npos && a.body[first] == '<') {
    return with_answer(
        say(verdict::later, "html", fmt::format("a page of HTML or XML ({} bytes)", a.body_bytes)),
        a, {});
  }
  const error_object e = read_error(a, call);
  if (e.found) {
    failure f = say(verdict::later, "error_object", "an error object");
    return with_answer(failure{f.stage, f.verdict, f.error_class, f.what() + tail(e)}, a, e);
  }
  json::error_code bad;
  const bool whole = a.body_bytes == static_cast<std::int64_t>(a.body.size());
  const json::value body = json::parse(json::string_view{a.body.data(), a.body.size()}, bad);
  if (whole && bad == json::error::incomplete) return cut_short(call, a.body_bytes);
  if (whole && bad) return not_json(call, a.body_bytes);
  return with_answer(say(verdict::later, "unexpected_body",
                         fmt::format("something else ({} bytes)", a.body_bytes)),
                     a, e);
}

failure not_json(const call_info& call, std::int64_t bytes) {
  failure f{stage::parse, verdict::later, "invalid_json",
            fmt::format("{} answered 200 with a body that is not JSON in valid UTF-8 "
                        "(found within the first {} bytes)",
                        call.what, bytes)};
  f.http_status = 200;
  return f;
}

failure no_records(const call_info& call, std::int64_t bytes) {
  failure f{stage::answer, verdict::later, "unexpected_body",
            fmt::format("{} answered 200 with a list in which nothing is an object ({} bytes)",
                        call.what, bytes)};
  f.http_status = 200;
  return f;
}

failure cut_short(const call_info& call, std::int64_t bytes) {
  failure f{
      stage::parse, verdict::retry, "truncated",
      fmt::format("{} answered 200 with JSON that breaks off after {} bytes", call.what, bytes)};
  f.http_status = 200;
  return f;
}

failure from_token_status(const answer& a, const call_info& call, std::string_view client_id) {
  if (a.status != 400 && a.status != 401 && a.status != 403) {
    failure f = from_status(a, call);
    f.stage = stage::token;
    if (f.verdict == verdict::park || f.verdict == verdict::halve) {
      // A 404 here speaks of the address, not of a credential.
      const error_object e = read_error(a, call);
      f = failure{stage::token, verdict::later, "token_failed",
                  fmt::format("{} answered {} where an access token belongs{}", call.what, a.status,
                              tail(e))};
      return with_answer(std::move(f), a, e);
    }
    return f;
  }
  const error_object e = read_error(a, call);
  failure f{stage::token, verdict::stop, "token_refused",
            fmt::format("{} refused the API keys of client_id \"{}\" with {}{}", call.what,
                        client_id, a.status, tail(e))};
  return with_answer(std::move(f), a, e);
}

}  // namespace flanks
