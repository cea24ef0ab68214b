#include "tests/sandbox/faults.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <stdexcept>

namespace sandbox {
namespace {

namespace json = boost::json;

struct kind_rule {
  std::string_view name;
  std::vector<std::string_view> parameters;
};

const std::vector<kind_rule>& kinds() {
  static const std::vector<kind_rule> all{
      {"status", {"status", "retry_after", "body", "location", "location_hex", "headers"}},
      {"truncate", {"after_bytes", "chunked"}},
      {"html", {"status"}},
      {"error_object", {"message", "body"}},
      {"empty", {}},
      {"wrong_length", {"delta"}},
      {"invalid_utf8", {}},
      {"not_json", {}},
      {"cut_json", {}},
      {"stall_first_byte", {}},
      {"stall_body", {"after_bytes"}},
      {"drip", {"bytes_per_second"}},
      {"reset", {"after_bytes"}},
      {"latency", {"ms"}},
      {"bad_record", {"record", "records", "after_records"}},
      {"duplicate", {"changed"}},
      {"big", {"records"}},
      {"refuse_window", {"longest_days", "history_days", "field"}},
      {"many_trailing_headers", {"count"}},
      {"unasked", {"what", "ms", "crossing", "percent", "seed"}},
  };
  return all;
}

const kind_rule& rule_of(const std::string& kind) {
  const auto found = std::find_if(kinds().begin(), kinds().end(),
                                  [&](const kind_rule& rule) { return rule.name == kind; });
  if (found != kinds().end()) return *found;
  throw std::invalid_argument("unknown kind of fault: '" + kind + "'");
}

// Holds back the last byte that is not a space: an array that is never closed.
class unclosed_body final : public body_source {
 public:
  explicit unclosed_body(std::unique_ptr<body_source> inner) : inner_(std::move(inner)) {}
  bool fill(std::string& out) override {
    const bool more = inner_->fill(out);
    if (more) return true;
    while (!out.empty() && (out.back() == '\n' || out.back() == ' '))
      out.pop_back();
    if (!out.empty()) out.pop_back();
    return false;
  }

 private:
  std::unique_ptr<body_source> inner_;
};

// What the contract's section 4 shows for this status.
std::string_view usual_body(unsigned status) {
  switch (status) {
    case 401:
      return R"({"error": "Invalid credentials"})";
    case 403:
      return R"({"error": "Invalid client credentials"})";
    case 404:
      return R"({"error": "Not found"})";
    default:
      return R"({"error": "Internal Error"})";
  }
}

// For bytes that JSON cannot carry.
std::string from_hex(const std::string& digits) {
  std::string out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    out += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return out;
}

// A length that is wrong by so much needs the true one first.
std::unique_ptr<body_source> held_whole(body_source& body) {
  std::string all;
  while (body.fill(all)) {
  }
  return std::make_unique<text_body>(std::move(all));
}

}  // namespace

fault::fault(const json::object& order) : order_(order) {
  token_ = string("credentials_token", "*");
  endpoint_ = string("endpoint", "*");
  kind_ = string("kind", "");
  times_ = number("times", 1);
  skip_ = number("skip", 0);
  chance_.seed(static_cast<std::uint64_t>(number("seed", 1)));
  conduct probe;
  if (kind_ == "unasked") bend_rest(probe);
  const auto& rule = rule_of(kind_);
  static const std::vector<std::string_view> common{"credentials_token", "endpoint", "kind",
                                                    "times", "skip"};
  for (const auto& member : order_) {
    const std::string_view key{member.key().data(), member.key().size()};
    const auto named = [&](const auto& list) {
      return std::find(list.begin(), list.end(), key) != list.end();
    };
    if (!named(common) && !named(rule.parameters))
      throw std::invalid_argument("fault '" + kind_ + "' has no parameter '" + std::string(key) +
                                  "'");
  }
}

std::int64_t fault::number(std::string_view name, std::int64_t otherwise) const {
  const auto* value = order_.if_contains({name.data(), name.size()});
  if (value == nullptr) return otherwise;
  if (const auto* found = value->if_int64()) return *found;
  throw std::invalid_argument("parameter '" + std::string(name) + "' is not an integer");
}

std::string fault::string(std::string_view name, std::string_view otherwise) const {
  const auto* value = order_.if_contains({name.data(), name.size()});
  if (value == nullptr) return std::string(otherwise);
  if (const auto* found = value->if_string()) return {found->data(), found->size()};
  return json::serialize(*value);
}

bool fault::concerns(std::string_view credentials_token, std::string_view endpoint) const {
  return (token_ == "*" || token_ == credentials_token) &&
         (endpoint_ == "*" || endpoint_ == endpoint);
}

bool fault::use() {
  if (times_ == 0) return false;
  if (skip_ > 0) {
    --skip_;
    return false;
  }
  drawn_ = chance_();
  if (static_cast<std::int64_t>(drawn_ % 100) >= number("percent", 100)) return false;
  if (times_ > 0) --times_;
  return true;
}

std::optional<reply> fault::instead() const {
  if (kind_ == "status") {
    const auto status = static_cast<unsigned>(number("status", 500));
    reply out = text_reply(status, string("body", usual_body(status)));
    if (order_.contains("retry_after"))
      out.headers.emplace_back("Retry-After", string("retry_after", ""));
    if (const auto* more = order_.if_contains("headers")) {
      for (const auto& field : more->as_object())
        out.headers.emplace_back(std::string(field.key()), std::string(field.value().as_string()));
    }
    if (order_.contains("location_hex")) {
      out.headers.emplace_back("Location", from_hex(string("location_hex", "")));
    } else if (status / 100 == 3) {
      out.headers.emplace_back("Location", string("location", "https://127.0.0.1:1/elsewhere"));
    }
    return out;
  }
  if (kind_ == "html") {
    reply out = text_reply(static_cast<unsigned>(number("status", 200)),
                           "<!DOCTYPE html>\n<html><head><title>Mantenimiento</title></head>"
                           "<body><h1>Estamos en mantenimiento</h1></body></html>\n");
    out.content_type = "text/html; charset=utf-8";
    return out;
  }
  if (kind_ == "error_object") {
    std::string body = "{\"message\": ";
    append_quoted(body, string("message", "credentials are being processed"));
    return text_reply(200, string("body", body + "}"));
  }
  if (kind_ == "empty") return text_reply(200, "");
  if (kind_ == "not_json") return text_reply(200, "this is not JSON [1, 2");
  return std::nullopt;
}

array_additions fault::additions() const {
  array_additions out;
  if (kind_ == "bad_record") {
    const auto after = number("after_records", -1);
    if (after >= 0) out.raw_after = static_cast<std::uint64_t>(after);
    if (order_.contains("record")) out.raw.push_back(string("record", ""));
    if (const auto* list = order_.if_contains("records"); list != nullptr && list->is_array())
      for (const auto& one : list->as_array())
        out.raw.push_back(one.is_string() ? std::string(one.as_string()) : json::serialize(one));
  }
  if (kind_ == "invalid_utf8")
    out.raw.push_back(
        "{\"_id\":\"invalid-utf8\",\"amount\":1.00,\"operationDate\":\"2026-01-01\","
        "\"description\":\"\xC3\x28 \xFF\"}");
  if (kind_ == "big") out.generated = static_cast<std::uint64_t>(number("records", 600000));
  if (kind_ == "duplicate") {
    const auto* changed = order_.if_contains("changed");
    out.duplicate = changed != nullptr && *changed == true ? array_additions::repeat::changed
                                                           : array_additions::repeat::equal;
  }
  return out;
}

bool fault::refuses(day_range asked, day today) const {
  if (kind_ != "refuse_window") return false;
  const auto to = std::max(asked.from, std::min(asked.to, today));
  return (to - asked.from).count() >= number("longest_days", INT64_MAX) ||
         (today - asked.from).count() >= number("history_days", INT64_MAX);
}

std::string fault::refused_field() const {
  return string("field", "query.operationDate");
}

void fault::bend(reply& answer) const {
  conduct& wire = answer.wire;
  const auto stop = [&](conduct::ending how, std::int64_t otherwise) {
    wire.stop_after = static_cast<std::uint64_t>(number("after_bytes", otherwise));
    wire.at_stop = how;
  };
  if (kind_ == "truncate") {
    const auto* chunked = order_.if_contains("chunked");
    wire.chunked = chunked != nullptr && *chunked == true;
    wire.with_length = !wire.chunked;
    stop(conduct::ending::close, 100);
  }
  if (kind_ == "reset") stop(conduct::ending::reset, 100);
  if (kind_ == "stall_body") stop(conduct::ending::stall, 100);
  if (kind_ == "stall_first_byte") wire.stall_first_byte = true;
  if (kind_ == "wrong_length") {
    wire.length_delta = number("delta", 10);
    wire.with_length = true;
    answer.body = held_whole(*answer.body);
  }
  if (kind_ == "drip")
    wire.bytes_a_second = static_cast<std::uint64_t>(number("bytes_per_second", 100));
  if (kind_ == "latency") wire.delay = std::chrono::milliseconds(number("ms", 1000));
  if (kind_ == "many_trailing_headers")
    wire.trailers = static_cast<unsigned>(number("count", 100000));
  if (kind_ == "unasked") bend_rest(wire);
  if (kind_ == "cut_json") answer.body = std::make_unique<unclosed_body>(std::move(answer.body));
}

// `what`: repeat, half, timeout, foreign, or any of them by chance; `ms` is then the longest rest.
void fault::bend_rest(conduct& wire) const {
  using kind = conduct::unasked;
  static const std::vector<std::pair<std::string_view, kind>> names{{"repeat", kind::repeat},
                                                                    {"half", kind::half},
                                                                    {"timeout", kind::timeout},
                                                                    {"foreign", kind::foreign}};
  const std::string what = string("what", "repeat");
  const std::int64_t longest = number("ms", 0);
  const auto* crossing = order_.if_contains("crossing");
  wire.crossing = crossing != nullptr && *crossing == true;
  const std::uint64_t dice = drawn_ / 100;
  if (what == "any") {
    wire.afterwards = names[dice % names.size()].second;
    wire.rest =
        std::chrono::milliseconds(static_cast<std::int64_t>(dice / 7 % 1009) % (longest + 1));
    return;
  }
  const auto found = std::find_if(names.begin(), names.end(),
                                  [&](const auto& name) { return name.first == what; });
  if (found == names.end()) throw std::invalid_argument("unknown kind of unasked: " + what);
  wire.afterwards = found->second;
  wire.rest = std::chrono::milliseconds(longest);
}

std::optional<fault> faults::take(std::string_view credentials_token, std::string_view endpoint) {
  for (auto& one : all_)
    if (one.concerns(credentials_token, endpoint) && one.use()) return one;
  return std::nullopt;
}

}  // namespace sandbox
