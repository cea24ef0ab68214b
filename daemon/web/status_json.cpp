#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "daemon/credential_json.hpp"
#include "daemon/web/html.hpp"
#include "daemon/web/pages.hpp"
#include "sync/text.hpp"

namespace flanks::web {

namespace {

namespace json = boost::json;
namespace chr = std::chrono;

json::value or_null(const std::optional<std::string>& text) {
  return text ? json::value(cleaned(masked(*text), " ")) : json::value(nullptr);
}
json::value or_null(const std::optional<instant>& t) {
  return t ? json::value(to_string(*t)) : json::value(nullptr);
}
json::value or_null(const std::optional<chr::seconds>& s) {
  return s ? json::value(s->count()) : json::value(nullptr);
}

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(cleaned(masked(text), " "));
}

// As `flanks-sync status --json` spells it, with numbers of accounts masked.
json::object object_of(const status_row& r) {
  json::object line = json_of(r);
  for (auto& member : line) {
    if (member.value().is_string())
      member.value() = cleaned(masked(std::string_view(member.value().get_string())), " ");
  }
  return line;
}

json::object object_of(const summary& s) {
  return {
      {"level", std::string(word_for(s.how))},
      {"sentence", masked(s.sentence)},
      {"credentials", s.credentials},
      {"current", s.current},
      {"problems", s.problems},
      {"worst_lag_seconds", or_null(s.worst_lag)},
      {"worst_lag_credential_id", s.worst_lag ? json::value(s.worst.value) : json::value(nullptr)}};
}

json::array backfills_of(const mirror_overview& o) {
  json::array all;
  for (const auto& b : o.backfills)
    all.push_back(json::object{{"backfill_id", b.id},
                               {"created_at", to_string(b.begun)},
                               {"from", to_string(b.days.from)},
                               {"to", to_string(b.days.to)},
                               {"credentials", b.credentials},
                               {"windows", b.items},
                               {"windows_done", b.items_done},
                               {"windows_failed", b.items_failed},
                               {"seconds_left", or_null(time_left(b))}});
  return all;
}

json::array hours_of(const mirror_overview& o, const hourly_counts* requests) {
  json::array all;
  for (const auto& h : o.hours) {
    const auto asked =
        requests != nullptr ? requests->in(chr::floor<chr::hours>(h.begin)) : std::nullopt;
    all.push_back(
        json::object{{"hour", to_string(h.begin)},
                     {"windows", h.windows},
                     {"windows_failed", h.failed},
                     {"rows_fetched", h.fetched},
                     {"rows_written", h.written},
                     {"window_requests", h.requests},
                     {"daemon_requests", asked ? json::value(*asked) : json::value(nullptr)}});
  }
  return all;
}

json::array banks_of(const mirror_overview& o) {
  json::array all;
  for (const auto& b : o.banks)
    all.push_back(json::object{{"bank", cleaned(masked(b.id), " ")},
                               {"name", text_or_null(b.name)},
                               {"credentials", b.credentials},
                               {"problems", b.problems},
                               {"stale", b.stale},
                               {"oldest_refresh_at", or_null(b.oldest_refresh)},
                               {"windows", b.windows},
                               {"windows_failed", b.failed}});
  return all;
}

json::object credentials_of(const credential_query& asked, const credential_list& list) {
  json::array rows;
  for (const status_row& r : list.rows)
    rows.push_back(object_of(r));
  return {{"total", list.total},
          {"page", asked.page},
          {"per_page", asked.limit},
          {"rows", std::move(rows)}};
}

std::string unread_text(const mirror_view& mirror) {
  return mirror.unread.empty() ? "" : "this page could not be read: " + mirror.unread;
}

// As /-/ready spells it, in full.
json::array problems_of(const daemon_facts& daemon, const mirror_view& mirror) {
  json::array all;
  for (const mirror_trouble& t : troubles_of(daemon, mirror)) {
    const finding& f = t.found;
    all.push_back(json::object{{"problem", to_string(t.which)},
                               {"check", f.check},
                               {"error_class", f.error_class},
                               {"says", cleaned(masked(f.says), " ")},
                               {"hint", text_or_null(f.hint)},
                               {"who_must_act", std::string(who_must_act(f))},
                               {"process", cleaned(t.process, " ")},
                               {"since", or_null(t.since)},
                               {"what_next", text_or_null(t.what_next)}});
  }
  return all;
}

void add_overview(const mirror_overview& o, const daemon_facts& daemon, json::object& to) {
  json::array states, problems;
  for (const auto& s : o.states)
    states.push_back(json::object{{"state", s.name},
                                  {"credentials", s.credentials},
                                  {"worst_lag_seconds", s.worst_lag.count()}});
  for (const auto& p : o.problems) {
    json::object one = object_of(p.status);
    one["since"] = or_null(p.since);
    problems.push_back(std::move(one));
  }
  to["states"] = std::move(states);
  to["problems"] = std::move(problems);
  to["backfills"] = backfills_of(o);
  to["activity"] = hours_of(o, daemon.requests);
  to["banks"] = banks_of(o);
}

}  // namespace

std::string status_json(const daemon_facts& daemon, const mirror_view& mirror,
                        const credential_query& asked, const credential_list* list) {
  const mirror_overview* o = mirror.overview;
  json::object all{
      {"generated_at", to_string(daemon.now)},
      {"summary", object_of(summary_of(daemon, mirror))},
      {"ready", mirror.is_ready},
      {"daemon", json::object{{"version", daemon.version},
                              {"process", daemon.process},
                              {"started_at", to_string(daemon.started)},
                              {"listen", daemon.listen},
                              {"trouble", text_or_null(mirror.not_ready)},
                              {"problems", problems_of(daemon, mirror)},
                              {"provider_pause_until", or_null(daemon.paused_until)}}},
      {"database",
       json::object{
           {"up", mirror.trouble.empty()},
           {"trouble", text_or_null(mirror.trouble.empty() ? unread_text(mirror) : mirror.trouble)},
           {"hint", text_or_null(mirror.hint)},
           // Whatever is wrong with it is the operator's (sync/error_class.cpp).
           {"who_must_act", mirror.is_read() ? "nobody" : "operator"},
           {"read_at", o != nullptr ? json::value(to_string(o->read_at)) : json::value(nullptr)},
           {"postgresql", o != nullptr ? json::value(o->server) : json::value(nullptr)},
           {"schema", o != nullptr ? json::value(o->schema) : json::value(nullptr)}}}};
  if (o != nullptr) add_overview(*o, daemon, all);
  if (list != nullptr) all["credentials"] = credentials_of(asked, *list);
  all["configuration"] = cleaned(daemon.configuration, "\n");
  return json::serialize(all) + "\n";
}

}  // namespace flanks::web
