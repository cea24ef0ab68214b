#include <algorithm>

#include "daemon/terminal.hpp"
#include "daemon/web/pages.hpp"
#include "daemon/web/parts.hpp"
#include "sync/text.hpp"

namespace flanks::web {

namespace {

namespace chr = std::chrono;

std::string number(std::int64_t n) {
  return terminal::grouped(n);
}

markup section(std::string_view id, std::string_view title, const markup& body) {
  return html(R"(<section id="{}" data-live aria-labelledby="{}-title">
<h2 id="{}-title">{}</h2>
{}
</section>
)",
              id, id, id, title, body);
}

markup headline(const summary& s, const daemon_facts& daemon, const mirror_overview* known) {
  const char* word = s.all_current()                 ? "Current"
                     : s.how == summary::level::well ? "Up"
                     : s.how == summary::level::look ? "Look"
                                                     : "Not ready";
  const char* sign = s.all_current()                 ? "\u2713"
                     : s.how == summary::level::well ? "\u2191"
                     : s.how == summary::level::look ? "!"
                                                     : "\u2715";
  markup states;
  if (known != nullptr) {
    for (const auto& state : known->states)
      states +=
          html(R"(<li><a href="/credentials?state={}">{}</a> <span class="num">{}</span></li>)",
               state.name, state_badge(state.name), number(state.credentials));
  }
  const markup list =
      states.empty()
          ? markup{}
          : html(R"(<ul class="states" aria-label="Credentials by state">{}</ul>)", states);
  const markup read =
      known != nullptr && known->read_at + chr::seconds{30} < daemon.now
          ? html(R"(<p class="muted">What follows was read from the database {}.</p>)",
                 time_text(known->read_at, daemon.now))
          : markup{};
  return html(
      R"(<section id="summary" class="summary {}" data-live aria-labelledby="summary-title">
<p class="verdict" aria-hidden="true"><span>{}</span> {}</p>
<h1 id="summary-title">{}</h1>
{}{}
</section>
)",
      word_for(s.how), sign, word, words(s.sentence), read, list);
}

markup fact(std::string_view name, const markup& value) {
  return html("<div><dt>{}</dt><dd>{}</dd></div>", name, value);
}

markup problem(const mirror_overview::problem& p, instant now) {
  const status_row& s = p.status;
  markup facts = html(R"(<div class="next"><dt>Next</dt><dd>{}</dd></div>)", words(s.what_next));
  facts += fact("Who must act", html("{}", whose_turn(who_must_act_on(s))));
  if (s.error_class) facts += fact("Error class", html("<code>{}</code>", *s.error_class));
  facts += fact("Since", time_in_full(p.since, now));
  std::optional<std::string> agreed;
  if (s.lag) agreed = to_string(now - *s.lag);
  facts += fact("Last agreed", time_or(agreed, now, "never"));
  if (s.failures_in_a_row > 0) facts += fact("Failures in a row", html("{}", s.failures_in_a_row));
  return html(
      R"(<li class="problem"><article>
<h3>Credential {} <span class="muted">of {} at {}</span> {}</h3>
{}<dl>{}</dl>
</article></li>
)",
      credential_link(s.id), users_text(s.users, 5), words(s.bank.value_or("a bank not known yet")),
      problem_badge(s.state), what_is_wrong(s), facts);
}

markup problems(const mirror_overview& o, bool all_work, instant now) {
  if (o.problem_count == 0)
    return all_work
               ? html(R"(<p class="calm">Nothing fails, and nobody has to act.</p>)")
               : html(
                     R"(<p class="calm">No credential has a problem of its own; what is told above concerns all of them.</p>)");
  markup items;
  for (const auto& p : o.problems)
    items += problem(p, now);
  const auto shown = static_cast<std::int64_t>(o.problems.size());
  const markup more =
      o.problem_count > shown
          ? html(
                R"(<p><a href="/credentials?state=problem">All {} credentials with a problem</a>; these are the first {}.</p>)",
                number(o.problem_count), shown)
          : markup{};
  return html(R"(<ol class="problems">
{}</ol>{})",
              items, more);
}

markup backfill(const mirror_overview::backfill& b, instant now) {
  const auto left = time_left(b);
  const std::int64_t percent = b.items == 0 ? 100 : b.items_done * 100 / b.items;
  const markup pace =
      left ? html("about {} left, at the pace of the last {}", terminal::rough(*left),
                  terminal::rough(b.lately))
           : html(
                 "no window ended in the last 10 minutes: when nobody runs it, start the same "
                 "<code>flanks-sync backfill</code> again and it goes on");
  const markup failed =
      b.items_failed > 0
          ? html(R"(<p class="what">{} failed so far and {} left for the next start: {}</p>)",
                 counted(b.items_failed, "window"), plural(b.items_failed, "is", "are"),
                 words(b.last_error))
          : markup{};
  return html(
      R"(<div class="backfill"><h3 id="backfill-{}">Backfill {} <span class="muted">begun {}, {} to {}</span></h3>
<progress max="{}" value="{}" aria-labelledby="backfill-{}">{} %</progress>
<p><strong>{} %</strong>: {} of {} windows of {} done; {}.</p>{}</div>)",
      b.id, b.id, time_text(b.begun, now), to_string(b.days.from), to_string(b.days.to),
      std::max<std::int64_t>(b.items, 1), b.items_done, b.id, percent, percent,
      number(b.items_done), number(b.items), terminal::amount(b.credentials, "credential"), pace,
      failed);
}

markup backfills(const mirror_overview& o, instant now) {
  if (o.backfills.empty()) return html(R"(<p class="calm">No backfill is under way.</p>)");
  markup all;
  for (const auto& b : o.backfills)
    all += backfill(b, now);
  return all;
}

std::string hour_text(instant begin) {
  return to_string(begin).substr(11, 5);
}

struct series {
  std::vector<std::optional<std::int64_t>> values;
  std::vector<std::string> titles;
  std::int64_t sum = 0;
};

markup chart(std::string_view title, std::string_view unit, const series& s,
             const mirror_overview& o, std::string_view note) {
  std::int64_t most = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < s.values.size(); ++i)
    if (s.values[i].value_or(0) > most) most = *s.values[i], at = i;
  const std::string peak =
      most > 0 ? fmt::format(", most at {} with {}", hour_text(o.hours[at].begin), number(most))
               : "";
  const std::string label =
      fmt::format("{} by hour over the last day: {} {}{}", title, number(s.sum), unit, peak);
  return html(
      R"(<figure><figcaption><span>{}</span> <strong class="num">{}</strong></figcaption>
{}
<p class="axis" aria-hidden="true"><span>{}</span><span>now</span></p><p class="muted note">{}</p></figure>)",
      title, number(s.sum), sparkline(s.values, s.titles, label), hour_text(o.hours.front().begin),
      note);
}

series of_hours(const mirror_overview& o, std::int64_t mirror_overview::hour::*member,
                std::string_view unit) {
  series s;
  for (const auto& h : o.hours) {
    s.values.emplace_back(h.*member);
    s.sum += h.*member;
    s.titles.push_back(fmt::format("{} UTC: {} {}", hour_text(h.begin), number(h.*member), unit));
  }
  return s;
}

series of_requests(const mirror_overview& o, const hourly_counts& counts) {
  series s;
  for (const auto& h : o.hours) {
    const auto n = counts.in(chr::floor<chr::hours>(h.begin));
    s.values.push_back(n);
    s.sum += n.value_or(0);
    s.titles.push_back(n ? fmt::format("{} UTC: {} requests", hour_text(h.begin), number(*n))
                         : fmt::format("{} UTC: this daemon did not run", hour_text(h.begin)));
  }
  return s;
}

markup activity(const mirror_overview& o, const daemon_facts& daemon) {
  if (o.hours.empty()) return {};
  const series fetched = of_hours(o, &mirror_overview::hour::fetched, "rows");
  const series written = of_hours(o, &mirror_overview::hour::written, "rows");
  markup charts = chart("Rows read", "rows", fetched, o,
                        "Operations that the provider showed, by all daemons and commands.");
  charts += chart("Rows written", "rows", written, o,
                  "Of them, those that were new, changed or removed.");
  series requests;
  if (daemon.requests != nullptr) {
    requests = of_requests(o, *daemon.requests);
    charts += chart(
        "Requests", "requests", requests, o,
        "To the provider by this daemon since it started, status calls and retries included.");
  }
  markup lines;
  for (std::size_t i = o.hours.size(); i-- > 0;) {
    const auto& h = o.hours[i];
    const markup asked = i < requests.values.size() && requests.values[i]
                             ? html("{}", number(*requests.values[i]))
                             : html("\u2013");
    lines += html(
        R"(<tr><th scope="row">{}</th><td class="num">{}</td><td class="num">{}</td><td class="num">{}</td><td class="num">{}</td><td class="num">{}</td></tr>)",
        hour_text(h.begin), number(h.windows), number(h.failed), number(h.fetched),
        number(h.written), asked);
  }
  return html(
      R"(<div class="charts">{}</div>
<details id="hours"><summary>Hour by hour</summary><div class="scroll" tabindex="0" role="region" aria-label="Table of activity by hour"><table><thead><tr><th scope="col">Hour (UTC)</th><th scope="col" class="num">Windows</th><th scope="col" class="num">Failed</th><th scope="col" class="num">Rows read</th><th scope="col" class="num">Written</th><th scope="col" class="num">Requests</th></tr></thead><tbody>{}</tbody></table></div></details>)",
      charts, lines);
}

markup banks(const mirror_overview& o, instant now) {
  if (o.banks.empty()) return html(R"(<p class="calm">No bank yet.</p>)");
  markup lines;
  for (const auto& b : o.banks) {
    const std::string name = b.name.empty() ? b.id : b.name;
    credential_query of_it;
    of_it.bank = b.id;
    const markup label = b.id.empty() ? html("not known yet")
                                      : html(R"(<a href="{}">{}</a>)", link_of(of_it), words(name));
    // Tenths of a percent, rounded up: one failure of a million is not none.
    const std::int64_t rate = b.windows == 0 ? 0 : (b.failed * 1000 + b.windows - 1) / b.windows;
    const markup errors = b.windows == 0 ? html("\u2013") : html("{}.{} %", rate / 10, rate % 10);
    lines += html(
        R"(<tr><th scope="row" class="who">{}</th><td class="num">{}</td><td class="num">{}</td><td class="num {}">{}</td><td class="num side">{} of {}</td><td class="num">{}</td><td>{}</td></tr>)"
        "\n",
        label, number(b.credentials), number(b.problems), b.failed > 0 ? "strong" : "", errors,
        number(b.failed), number(b.windows), number(b.stale),
        b.oldest_refresh ? time_text(*b.oldest_refresh, now) : html("never"));
  }
  return html(
      R"(<div class="scroll" tabindex="0" role="region" aria-label="Table of banks"><table><thead><tr><th scope="col">Bank</th><th scope="col" class="num">Credentials</th><th scope="col" class="num">Problems</th><th scope="col" class="num">Errors, 24 h</th><th scope="col" class="num side">Failed windows</th><th scope="col" class="num">Stale</th><th scope="col">Oldest refresh</th></tr></thead><tbody>
{}</tbody></table></div>)",
      lines);
}

markup first_credentials(const credential_list* list, instant now) {
  credential_query first;
  if (list == nullptr) return search_form(first);
  markup body = search_form(first);
  if (list->rows.empty())
    return html(
        R"({}<p class="calm">No credential is registered. <code>flanks-sync credentials add --help</code> says how.</p>)",
        body);
  body += credential_table(*list, first, now, true);
  const auto shown = static_cast<std::int64_t>(list->rows.size());
  if (list->total > shown)
    body += html(R"(<p><a href="/credentials">All {}</a>; these are the first {}.</p>)",
                 terminal::amount(list->total, "credential"), shown);
  return body;
}

markup configuration(const daemon_facts& daemon, const mirror_overview* known) {
  markup facts = fact("flanks-sync", html("{}", daemon.version));
  facts += fact("Process",
                html("{}, up since {}", daemon.process, time_text(daemon.started, daemon.now)));
  facts += fact("Listens at", html("{}", daemon.listen));
  if (known != nullptr) {
    facts += fact("PostgreSQL", html("{}", known->server));
    facts += fact("Schema", html("{}", known->schema));
  }
  markup lines;
  std::string_view rest = daemon.configuration;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    lines += html("{}\n", rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return html(
      R"(<dl class="facts">{}</dl>
<details id="settings"><summary>Configuration in effect</summary><p class="muted">As <code>flanks-sync config show</code> prints it: names of secret files, no secrets.</p><pre tabindex="0">{}</pre></details>)",
      facts, lines);
}

// A box above everything else: what keeps the whole mirror from its work.
markup notice(std::string_view id, std::string_view title, std::string_view says,
              std::string_view hint, const markup& facts) {
  markup lines;
  for (std::size_t begin = 0; begin <= says.size();) {
    const std::size_t end = std::min(says.find('\n', begin), says.size());
    lines += html(R"(<p class="said">{}</p>)", words(says.substr(begin, end - begin)));
    begin = end + 1;
  }
  if (!hint.empty()) lines += html(R"(<p class="hint">{}</p>)", words(hint));
  return html(
      R"(<section class="notice" data-live id="{}" aria-labelledby="{}-title"><h2 id="{}-title">{}</h2>{}<dl>{}</dl></section>
)",
      id, id, id, title, lines, facts);
}

markup who_must_act_fact(std::string_view who) {
  return fact("Who must act", html("{}", whose_turn(who)));
}

markup trouble_of_all(const mirror_trouble& t, std::size_t number, instant now) {
  markup facts;
  if (!t.what_next.empty())
    facts += html(R"(<div class="next"><dt>Next</dt><dd>{}</dd></div>)", words(t.what_next));
  facts += who_must_act_fact(who_must_act(t.found));
  if (!t.found.error_class.empty())
    facts += fact("Error class", html("<code>{}</code>", t.found.error_class));
  if (t.since) facts += fact("Since", time_in_full(t.since, now));
  facts += fact("Told by", html("<bdi>{}</bdi>", t.process));
  return notice(fmt::format("mirror-{}", number), title_of(t.which), t.found.says, t.found.hint,
                facts);
}

}  // namespace

markup trouble_notice(const mirror_view& mirror) {
  if (mirror.is_read()) return {};
  if (mirror.trouble.empty())
    return notice("trouble", "This page could not be read", mirror.unread, mirror.hint,
                  who_must_act_fact("operator"));
  return notice("trouble", "The database cannot be asked", mirror.trouble, mirror.hint,
                who_must_act_fact("operator"));
}

std::string overview_page(const daemon_facts& daemon, const mirror_view& mirror,
                          const credential_list* list) {
  const summary s = summary_of(daemon, mirror);
  const mirror_overview* o = mirror.overview;
  markup body = headline(s, daemon, o);
  const std::vector<mirror_trouble> troubles = troubles_of(daemon, mirror);
  for (std::size_t i = 0; i < troubles.size(); ++i)
    body += trouble_of_all(troubles[i], i + 1, daemon.now);
  body += trouble_notice(mirror);
  if (o != nullptr) {
    body += section("problems", "What fails, and who must act",
                    problems(*o, troubles.empty(), daemon.now));
    body += section("backfills", "Backfill", backfills(*o, daemon.now));
    body += section("activity", "The last day", activity(*o, daemon));
    body += section("banks", "Banks", banks(*o, daemon.now));
  }
  body += section("credentials", "Credentials", first_credentials(list, daemon.now));
  body += section("configuration", "Versions and configuration", configuration(daemon, o));
  return document("Status", "/", body, daemon);
}

}  // namespace flanks::web
