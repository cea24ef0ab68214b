#include "sync/flanks/token.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

namespace flanks {

namespace json = boost::json;

namespace {

constexpr std::chrono::seconds earliest_refresh{60};
constexpr std::chrono::seconds first_back_off{60};
constexpr std::chrono::seconds longest_back_off{900};
constexpr std::chrono::seconds longest_life{366 * 24 * 3600};

// RFC 6750, 2.1: what a bearer token may consist of. Also keeps line ends out of our header.
bool fits_header(std::string_view token) {
  const auto visible = [](char c) { return c > 0x20 && c < 0x7F; };
  return !token.empty() && token.size() <= 16 * 1024 &&
         std::all_of(token.begin(), token.end(), visible);
}

std::optional<std::chrono::seconds> lifetime_of(const json::object& object) {
  const json::value* const value = object.if_contains("expires_in");
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const double seconds = value->to_number<double>();
  if (!(seconds >= 1)) return std::nullopt;  // as good as not said
  const double longest = static_cast<double>(longest_life.count());
  return std::chrono::seconds{static_cast<std::int64_t>(std::min(seconds, longest))};
}

}  // namespace

granted_token read_token(const answer& a, const call_info& call) {
  json::error_code bad;
  const json::value body = json::parse(json::string_view{a.body.data(), a.body.size()}, bad);
  const json::object* const object = bad ? nullptr : body.if_object();
  const json::value* const token =
      object == nullptr ? nullptr : object->if_contains("access_token");
  if (token == nullptr || !token->is_string()) {
    failure f = from_body(a, call, "an access token");
    f.stage = stage::token;
    throw f;
  }
  const std::string_view text{token->get_string().data(), token->get_string().size()};
  if (!fits_header(text)) {
    throw failure{
        stage::token, verdict::later, "bad_token",
        fmt::format("{} answered with an access token that no header can carry", call.what)};
  }
  return {secret{std::string{text}}, lifetime_of(*object)};
}

std::optional<access_token> token_state::usable(clock::time_point now) const {
  if (!good_ || now >= refresh_at_) return std::nullopt;
  return current_;
}

void token_state::accept(granted_token token, clock::time_point now) {
  current_ = {std::move(token.value), current_.generation + 1};
  good_ = true;
  refresh_at_ = clock::time_point::max();
  if (token.lifetime) {
    const auto life = std::chrono::duration_cast<clock::duration>(*token.lifetime);
    refresh_at_ = now + life - std::min<clock::duration>(life / 10, earliest_refresh);
  }
  refusal_.reset();
  back_off_ = std::chrono::seconds{0};
}

void token_state::refused_with(std::uint64_t generation) {
  if (generation == current_.generation) good_ = false;
}

void token_state::keys_refused(failure why, clock::time_point now) {
  back_off_ = std::clamp(2 * back_off_, first_back_off, longest_back_off);
  ask_again_at_ = now + back_off_;
  refusal_ = std::move(why);
}

std::optional<failure> token_state::standing_refusal(clock::time_point now) const {
  if (!refusal_ || now >= ask_again_at_) return std::nullopt;
  return refusal_;
}

}  // namespace flanks
