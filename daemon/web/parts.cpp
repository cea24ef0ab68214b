#include "daemon/web/parts.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "daemon/terminal.hpp"
#include "daemon/web/embedded_web.hpp"
#include "sync/text.hpp"

namespace flanks::web {

namespace {

namespace chr = std::chrono;

constexpr std::array<std::string_view, 10> state_names{
    "ok",   "stale",   "error", "blocked", "action_required",
    "gone", "pending", "new",   "paused",  "removed"};

// A state's family decides colour and sign: good, bad, wait, rest.
struct look {
  std::string_view family, sign;
};
look look_of(std::string_view state) {
  if (state == "ok") return {"good", "\u2713"};
  if (state == "stale" || state == "error" || state == "failed" || state == "gone")
    return {"bad", "\u2715"};
  if (state == "blocked" || state == "action_required" || state == "suspicious" ||
      state == "partial")
    return {"warn", "!"};
  if (state == "pending" || state == "new") return {"wait", "\u2026"};
  return {"rest", "\u2013"};
}

// action_required -> action required
std::string spaced(std::string_view word) {
  std::string text(word);
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

std::string relative(chr::seconds ahead) {
  const std::string span = terminal::rough(ahead < chr::seconds{0} ? -ahead : ahead);
  if (span == "just now") return ahead < chr::seconds{0} ? "just now" : "now";
  return ahead < chr::seconds{0} ? span + " ago" : "in " + span;
}

const char* name_of(credential_query::order by) {
  switch (by) {
    case credential_query::order::bank:
      return "bank";
    case credential_query::order::state:
      return "state";
    case credential_query::order::agreed:
      return "agreed";
    case credential_query::order::next:
      return "next";
    case credential_query::order::id:
      break;
  }
  return "id";
}

markup heading(std::string_view title, std::optional<credential_query::order> by,
               const credential_query& asked, bool sortable, std::string_view classes) {
  if (!sortable || !by) return html(R"(<th scope="col" class="{}">{}</th>)", classes, title);
  credential_query other = asked;
  other.page = 1;
  other.by = *by;
  const bool now = asked.by == *by;
  other.descending = now && !asked.descending;
  const std::string_view sort =
      now ? (asked.descending ? "descending" : "ascending") : std::string_view("none");
  const std::string_view arrow =
      now ? (asked.descending ? " \u2193" : " \u2191") : std::string_view();
  return html(
      R"(<th scope="col" class="{}" aria-sort="{}"><a href="{}">{}<span aria-hidden="true">{}</span></a></th>)",
      classes, sort, link_of(other), title, arrow);
}

markup credential_line(const status_row& r, instant now) {
  std::optional<std::string> agreed;
  if (r.lag) agreed = to_string(now - *r.lag);
  markup next = r.running ? html("running") : time_or(r.next_run_at, now, "never");
  return html(
      R"(<tr><th scope="row" class="num">{}</th><td class="who">{}</td><td class="side who">{}</td><td>{}</td><td>{}</td><td class="side">{}</td><td class="side">{}</td></tr>)"
      "\n",
      credential_link(r.id), users_text(r.users, 3), words(r.bank.value_or("\u2013")),
      state_badge(r.state), time_or(agreed, now, "never"), next,
      html("{}", who_must_act_on(r) == "nobody" ? "\u2013" : spaced(r.who_must_act)));
}

markup option(std::string_view value, std::string_view text, std::string_view chosen) {
  return html(R"(<option value="{}"{}>{}</option>)", value,
              markup{value == chosen ? " selected" : ""}, text);
}

}  // namespace

std::optional<instant> instant_from(std::string_view t) {
  if (t.size() != 20 || t[10] != 'T' || t[19] != 'Z') return std::nullopt;
  const auto part = [&](std::size_t at, std::size_t length, int& into) {
    const auto [end, error] = std::from_chars(t.data() + at, t.data() + at + length, into);
    return error == std::errc{} && end == t.data() + at + length;
  };
  int y = 0, m = 0, d = 0, hour = 0, minute = 0, second = 0;
  if (!part(0, 4, y) || !part(5, 2, m) || !part(8, 2, d) || !part(11, 2, hour) ||
      !part(14, 2, minute) || !part(17, 2, second))
    return std::nullopt;
  const chr::year_month_day date{chr::year{y}, chr::month{static_cast<unsigned>(m)},
                                 chr::day{static_cast<unsigned>(d)}};
  if (!date.ok()) return std::nullopt;
  return instant{chr::sys_days{date}} + chr::hours{hour} + chr::minutes{minute} +
         chr::seconds{second};
}

std::string clock_text(instant t) {
  const std::string text = to_string(t);  // YYYY-MM-DDTHH:MM:SSZ
  return text.substr(0, 10) + " " + text.substr(11, 5) + " UTC";
}

markup time_text(instant t, instant now) {
  return html(R"(<time datetime="{}" title="{}">{}</time>)", to_string(t), clock_text(t),
              relative(t - now));
}

markup time_or(const std::optional<std::string>& at, instant now, std::string_view missing) {
  const auto t = at ? instant_from(*at) : std::nullopt;
  return t ? time_text(*t, now) : html("{}", missing);
}

markup time_in_full(const std::optional<std::string>& at, instant now, std::string_view missing) {
  const auto t = at ? instant_from(*at) : std::nullopt;
  if (!t) return html("{}", missing);
  return html(R"({} <span class="muted">({})</span>)", time_text(*t, now), clock_text(*t));
}

markup state_badge(std::string_view state) {
  const look l = look_of(state);
  return html(R"(<span class="badge {}"><span aria-hidden="true">{}</span> {}</span>)", l.family,
              l.sign, spaced(state));
}

markup problem_badge(std::string_view state) {
  if (state != "ok") return state_badge(state);
  return html(R"(<span class="badge warn"><span aria-hidden="true">!</span> ok, but look</span>)");
}

markup outcome_badge(std::string_view outcome) {
  return state_badge(outcome);
}

markup credential_link(credential_id id) {
  return html(R"(<a href="/credentials/{}">{}</a>)", id.value, id.value);
}

markup users_text(const std::vector<user_id>& users, std::size_t most) {
  if (users.empty()) return html("nobody");
  markup text;
  for (std::size_t i = 0; i < users.size() && i < most; ++i)
    text += html("{}<bdi>{}</bdi>", i == 0 ? "" : ", ", users[i].value);
  if (users.size() > most) text += html(" and {} more", users.size() - most);
  return text;
}

markup words(std::string_view text) {
  return html("<bdi>{}</bdi>", masked(text));
}

markup sparkline(std::span<const std::optional<std::int64_t>> values,
                 std::span<const std::string> titles, std::string_view label) {
  constexpr std::int64_t height = 56, step = 10, width = 8;
  std::int64_t most = 1;
  for (const auto& v : values)
    most = std::max(most, v.value_or(0));
  const auto whole = static_cast<std::int64_t>(values.size()) * step;
  markup bars;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto x = static_cast<std::int64_t>(i) * step + 1;
    const std::int64_t value = values[i].value_or(0);
    // What is not nothing can be seen.
    const std::int64_t tall = value == 0 ? 0 : std::max<std::int64_t>(2, value * height / most);
    const char* kind = !values[i] ? "unknown" : value == 0 ? "zero" : "bar";
    const std::int64_t shown = tall == 0 ? 1 : tall;
    bars +=
        html(R"(<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>)",
             kind, x, height - shown, width, shown, titles[i]);
  }
  return html(
      R"(<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>)",
      whole, height, label, bars);
}

markup month_bar(const credential_story::covered& c) {
  constexpr std::int64_t step = 12, width = 10, height = 24;
  markup cells;
  std::int64_t x = 1;
  int full = 0;
  for (const auto& m : c.months) {
    const bool whole = m.days >= m.of;
    full += whole ? 1 : 0;
    const char* kind = whole ? "full" : m.days > 0 ? "part" : "none";
    const std::string title = fmt::format("{}: {} of {} days", m.name, m.days, m.of);
    cells +=
        html(R"(<rect class="none" x="{}" y="1" width="{}" height="{}"><title>{}</title></rect>)",
             x, width, height - 2, title);
    if (m.days > 0) {
      const std::int64_t tall = whole ? height - 2 : std::max(3, m.days * 22 / std::max(m.of, 1));
      cells +=
          html(R"(<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>)",
               kind, x, height - 1 - tall, width, tall, title);
    }
    x += step;
  }
  const std::string label = fmt::format(
      "{}: {} of {} covered whole, {} to {}", c.product, full,
      counted(static_cast<std::int64_t>(c.months.size()), "month"),
      c.months.empty() ? "" : c.months.front().name, c.months.empty() ? "" : c.months.back().name);
  return html(
      R"(<svg class="months" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>)",
      x, height, label, cells);
}

std::string link_of(const credential_query& asked) {
  std::string query;
  const auto add = [&](std::string_view name, const std::string& value) {
    query += fmt::format("{}{}={}", query.empty() ? '?' : '&', name, url_encoded(value));
  };
  if (!asked.text.empty()) add("q", asked.text);
  if (!asked.bank.empty()) add("bank", asked.bank);
  if (!asked.state.empty()) add("state", asked.state);
  if (asked.by != credential_query::order::id || asked.descending)
    add("sort", (asked.descending ? "-" : "") + std::string(name_of(asked.by)));
  if (asked.page > 1) add("page", std::to_string(asked.page));
  return "/credentials" + query;
}

markup what_is_wrong(const status_row& row) {
  markup said;
  if (row.last_error) said += html(R"(<p class="what">{}</p>)", words(*row.last_error));
  if (row.reviews > 0) {
    said += html(
        R"(<p class="what">So many rows vanished at once that none was removed ({} to decide).</p><p class="hint"><code>flanks-sync removals list</code></p>)",
        row.reviews);
  }
  if (row.state == "paused")
    said += html(
        R"(<p class="what">An operator has paused it. To resume it: <code>flanks-sync credentials resume {}</code></p>)",
        row.id.value);
  else if (row.last_error_hint)
    said += html(R"(<p class="hint">{}</p>)", words(*row.last_error_hint));
  return said;
}

markup credential_table(const credential_list& list, const credential_query& asked, instant now,
                        bool sortable) {
  using order = credential_query::order;
  markup head = heading("Credential", order::id, asked, sortable, "num");
  head += heading("Users", std::nullopt, asked, sortable, "");
  head += heading("Bank", order::bank, asked, sortable, "side");
  head += heading("State", order::state, asked, sortable, "");
  head += heading("Agreed", order::agreed, asked, sortable, "");
  head += heading("Next", order::next, asked, sortable, "side");
  head += heading("Who must act", std::nullopt, asked, sortable, "side");
  markup lines;
  for (const status_row& r : list.rows)
    lines += credential_line(r, now);
  return html(
      R"(<div class="scroll" tabindex="0" role="region" aria-label="Table of credentials"><table><thead><tr>{}</tr></thead><tbody>
{}</tbody></table></div>)",
      head, lines);
}

markup search_form(const credential_query& asked) {
  markup states = option("", "any state", asked.state);
  states += option("problem", "with a problem", asked.state);
  for (const std::string_view name : state_names)
    states += option(name, spaced(name), asked.state);
  markup kept;
  if (!asked.bank.empty())
    kept += html(R"(<input type="hidden" name="bank" value="{}">)", asked.bank);
  if (asked.by != credential_query::order::id || asked.descending)
    kept += html(R"(<input type="hidden" name="sort" value="{}{}">)", asked.descending ? "-" : "",
                 name_of(asked.by));
  return html(
      R"(<form class="search" role="search" action="/credentials" method="get">
<div><label for="q">Credential, user or bank</label><input id="q" name="q" type="search" value="{}" maxlength="200" autocomplete="off" spellcheck="false"></div>
<div><label for="state">State</label><select id="state" name="state">{}</select></div>{}
<button type="submit">Search</button>
</form>)",
      asked.text, states, kept);
}

std::string document(std::string_view title, std::string_view active, const markup& body,
                     const daemon_facts& daemon) {
  const auto link = [&](std::string_view to, std::string_view text) {
    return html(R"(<a href="{}"{}>{}</a>)", to,
                markup{active == to ? R"( aria-current="page")" : ""}, text);
  };
  const markup navigation = html("{} {}", link("/", "Status"), link("/credentials", "Credentials"));
  return html(R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{} - flanks-sync</title>
<link rel="icon" type="image/svg+xml" href="/icon.svg">
<link rel="stylesheet" href="/page.css">
<script src="/page.js" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<div class="wide"><a class="name" href="/">flanks-sync</a><nav aria-label="Pages">{}</nav><p class="now">As of <time id="now" datetime="{}">{}</time></p></div>
</header>
<main id="main" class="wide" tabindex="-1">
{}
</main>
<footer class="wide"><p>flanks-sync {} on <bdi>{}</bdi>, up since {}. Times are UTC.</p></footer>
</body>
</html>
)",
              title, navigation, to_string(daemon.now), clock_text(daemon.now), body,
              daemon.version, daemon.process, time_text(daemon.started, daemon.now))
      .text;
}

}  // namespace flanks::web
