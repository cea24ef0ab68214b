#include <algorithm>

#include "daemon/terminal.hpp"
#include "daemon/web/pages.hpp"
#include "daemon/web/parts.hpp"
#include "sync/text.hpp"

namespace flanks::web {

namespace {

markup part(std::string_view id, std::string_view title, const markup& body) {
  return html(R"(<section id="{}" data-live aria-labelledby="{}-title">
<h2 id="{}-title">{}</h2>
{}
</section>
)",
              id, id, id, title, body);
}

markup none(std::string_view sentence) {
  return html(R"(<p class="calm">{}</p>)", sentence);
}

markup wide_table(std::string_view label, const markup& head, const markup& lines) {
  return html(
      R"(<div class="scroll" tabindex="0" role="region" aria-label="Table: {}"><table><thead><tr>{}</tr></thead><tbody>
{}</tbody></table></div>)",
      label, head, lines);
}

markup column(std::string_view title, std::string_view classes = "") {
  return html(R"(<th scope="col" class="{}">{}</th>)", classes, title);
}

markup pager(const credential_query& asked, const credential_list& list) {
  const std::int64_t pages = (list.total + asked.limit - 1) / asked.limit;
  if (pages <= 1) return {};
  const auto to = [&](int page, std::string_view text, std::string_view relation) {
    credential_query other = asked;
    other.page = page;
    return html(R"(<a href="{}" rel="{}">{}</a>)", link_of(other), relation, text);
  };
  const markup before = asked.page > 1 ? to(asked.page - 1, "Previous", "prev") : markup{};
  const markup after = asked.page < pages ? to(asked.page + 1, "Next", "next") : markup{};
  return html(
      R"(<nav class="pager" aria-label="Pages of credentials">{} <span>Page {} of {}</span> {}</nav>)",
      before, asked.page, terminal::grouped(pages), after);
}

markup detail(std::string_view name, const markup& value) {
  return html("<div><dt>{}</dt><dd>{}</dd></div>", name, value);
}

markup standing(const credential_story& s, instant now) {
  const status_row& r = s.status;
  std::optional<std::string> agreed;
  if (r.lag) agreed = to_string(now - *r.lag);
  markup facts = html(R"(<div class="next"><dt>Next</dt><dd>{}</dd></div>)", words(r.what_next));
  facts += detail("Users", users_text(r.users, 20));
  facts += detail("Who must act", html("{}", whose_turn(who_must_act_on(r))));
  if (r.error_class) facts += detail("Error class", html("<code>{}</code>", *r.error_class));
  if (s.since) facts += detail("So since", time_in_full(s.since, now));
  facts += detail("Last agreed with the provider", time_in_full(agreed, now, "never"));
  facts += detail("Last attempt", time_in_full(r.last_attempt_at, now, "never"));
  facts += detail("Last success", time_in_full(r.last_success_at, now, "never"));
  facts += detail("Last new data", time_in_full(r.last_new_data_at, now, "never"));
  facts += detail("Refreshed by the provider",
                  time_in_full(r.provider_updated_at, now, "not known yet"));
  facts += detail("Registered", time_in_full(s.registered, now));
  if (r.failures_in_a_row > 0)
    facts += detail("Failures in a row", html("{}", r.failures_in_a_row));
  if (r.history_from) facts += detail("The bank's history begins", html("{}", *r.history_from));
  return html(R"({}<dl class="facts">{}</dl>)", what_is_wrong(r), facts);
}

markup coverage(const credential_story& s, instant now) {
  if (s.coverage.empty()) return none("No window of transactions was stored yet.");
  markup all;
  for (const auto& c : s.coverage) {
    const markup days =
        c.first && c.last
            ? html("{} to {}, {}", to_string(*c.first), to_string(*c.last),
                   c.ranges == 1 ? "without a gap" : fmt::format("in {} parts", c.ranges))
            : html("no day");
    const markup unclean =
        c.unclean
            ? html(
                  R"( <span class="strong">Some days are read again until their records in quarantine are clean.</span>)")
            : markup{};
    all += html(
        R"(<div class="covered"><h3>{} <span class="muted">{}</span></h3>{}
<p class="axis" aria-hidden="true"><span>{}</span><span>{}</span></p>
<p class="muted note">Last stored {}; all history last read whole {}.{}</p></div>)",
        c.product, days, month_bar(c), c.months.empty() ? "" : c.months.front().name,
        c.months.empty() ? "" : c.months.back().name, time_or(c.last_success, now, "never"),
        time_or(c.last_sweep, now, "never"), unclean);
  }
  return html(
      R"({}<p class="legend muted"><svg class="key" viewBox="0 0 10 24" aria-hidden="true"><rect class="full" x="0" y="1" width="10" height="22"/></svg> whole month <svg class="key" viewBox="0 0 10 24" aria-hidden="true"><rect class="none" x="0" y="1" width="10" height="22"/><rect class="part" x="0" y="12" width="10" height="11"/></svg> some days <svg class="key" viewBox="0 0 10 24" aria-hidden="true"><rect class="none" x="0" y="1" width="10" height="22"/></svg> not read</p>)",
      all);
}

markup states(const credential_story& s, instant now) {
  if (s.states.empty()) return none("No change of its state is kept.");
  markup lines;
  for (const auto& h : s.states)
    lines += html(R"(<tr><td>{}</td><td>{}</td><td class="text">{}</td></tr>)"
                  "\n",
                  time_or(h.since, now, ""), state_badge(h.name),
                  h.why ? words(*h.why) : html("\u2013"));
  markup head = column("Since");
  head += column("State"), head += column("Why");
  return wide_table("History of states", head, lines);
}

std::string took(std::int64_t milliseconds) {
  return milliseconds < 1000
             ? fmt::format("{} ms", milliseconds)
             : fmt::format("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100);
}

markup runs(const credential_story& s, instant now) {
  if (s.runs.empty()) return none("No run is recorded yet.");
  markup lines;
  for (const auto& r : s.runs) {
    const markup window = r.from && r.to ? html(R"(<span class="muted">{} to {}</span>)",
                                                to_string(*r.from), to_string(*r.to))
                                         : markup{};
    markup why;
    if (r.error) why += html(R"(<p class="what">{}</p>)", words(*r.error));
    if (r.hint) why += html(R"(<p class="hint">{}</p>)", words(*r.hint));
    if (r.trace_id) why += html(R"(<p class="muted">trace_id <code>{}</code></p>)", *r.trace_id);
    lines += html(
        R"(<tr><td>{}</td><td>{} {}</td><td>{}{}</td><td class="side">{}</td><td class="num">{}</td><td class="num">{}</td><td class="num side">{}</td><td class="num side">{}</td><td class="num side">{}</td></tr>)"
        "\n",
        time_or(r.at, now, ""), r.what, window, outcome_badge(r.outcome), why, r.trigger,
        terminal::grouped(r.counts.fetched),
        terminal::grouped(r.counts.inserted + r.counts.updated),
        terminal::grouped(r.counts.removed), terminal::grouped(r.counts.quarantined),
        took(r.milliseconds));
  }
  markup head = column("Began");
  head += column("What"), head += column("Outcome"), head += column("Why it ran", "side");
  head += column("Read", "num"), head += column("Written", "num"),
      head += column("Removed", "num side");
  head += column("Quarantine", "num side"), head += column("Took", "num side");
  return wide_table("Runs", head, lines);
}

markup lists(const credential_story& s, instant now) {
  markup items;
  for (const auto& l : s.lists)
    items +=
        html(R"(<tr><th scope="row">{}</th><td>{}</td><td>{}</td><td class="text">{}</td></tr>)"
             "\n",
             l.product, outcome_badge(l.outcome), time_or(l.last_success, now, "never"),
             l.reason ? words(*l.reason) : html("\u2013"));
  markup head = column("List");
  head += column("Outcome"), head += column("Last whole"), head += column("Why not ok");
  markup body = items.empty() ? none("No list of products was read yet.")
                              : wide_table("Lists of products", head, items);
  if (s.products.empty()) return body;
  markup lines;
  for (const auto& p : s.products)
    lines += html("<li>{} {}{}{}</li>", p.product, html("<code>{}</code>", masked(p.number)),
                  p.real_account > 0
                      ? html(R"( <span class="muted">real account {}</span>)", p.real_account)
                      : markup{},
                  p.removed ? html(R"( <span class="muted">no longer shown</span>)") : markup{});
  body += html(R"(<ul class="held">{}</ul>)", lines);
  return body;
}

markup successions(const credential_story& s, instant now) {
  if (s.successions.empty()) return none("No account passed to or from another credential.");
  markup lines;
  for (const auto& x : s.successions)
    lines += html(
        R"(<tr><th scope="row" class="num">{}</th><td>{} (real account {})</td><td>{} to {}</td><td>{}</td><td class="num">{} of {}</td><td class="num">{}</td><td>{}</td></tr>)"
        "\n",
        x.id, x.product, x.real_account, credential_link(credential_id{x.from}),
        credential_link(credential_id{x.to}), x.state, terminal::grouped(x.paired),
        terminal::grouped(x.compared), terminal::grouped(x.succeeded),
        time_or(x.decided, now, "waits for a person"));
  markup head = column("Succession", "num");
  head += column("Of"), head += column("From, to"), head += column("State");
  head += column("Alike", "num"), head += column("Rows passed", "num"), head += column("Decided");
  return wide_table("Successions", head, lines);
}

bool was_read(const credential_story& s) {
  return s.status.last_success_at || !s.coverage.empty() ||
         std::any_of(s.lists.begin(), s.lists.end(),
                     [](const credential_story::listed& l) { return l.last_success.has_value(); });
}

markup quarantine(const credential_story& s, instant now) {
  if (s.quarantine.empty())
    return none(was_read(s) ? "Every record was stored as it came." : "Nothing was read yet.");
  markup lines;
  for (const auto& q : s.quarantine)
    lines += html(
        R"(<tr><th scope="row">{}</th><td>{}, {}</td><td>{}</td><td class="num">{}</td><td class="num">{}</td><td>{}</td><td class="side">{}</td></tr>)"
        "\n",
        q.reason, q.product, q.part, q.stored_anyway ? "stored with a change" : "not stored",
        terminal::grouped(q.open), terminal::grouped(q.records), time_or(q.first_seen, now, ""),
        time_or(q.last_seen, now, ""));
  markup head = column("Reason");
  head += column("Of"), head += column("What became of it"), head += column("Open", "num");
  head += column("Ever", "num"), head += column("First met"), head += column("Last met", "side");
  return html(
      R"({}<p class="muted note">The records themselves are in flanks.quarantine, where credential_id = {}.</p>)",
      wide_table("Quarantine", head, lines), s.status.id.value);
}

}  // namespace

std::string credentials_page(const daemon_facts& daemon, const mirror_view& mirror,
                             const credential_query& asked, const credential_list* list) {
  markup body = html("<h1>Credentials</h1>\n");
  body += trouble_notice(mirror);
  body += search_form(asked);
  if (!asked.bank.empty()) {
    credential_query all = asked;
    all.bank.clear(), all.page = 1;
    body +=
        html(R"(<p>Only those at <strong><bdi>{}</bdi></strong>. <a href="{}">All banks</a></p>)",
             asked.bank, link_of(all));
  }
  if (list != nullptr) {
    const bool beyond = list->rows.empty() && list->total > 0;
    credential_query first = asked;
    first.page = 1;
    markup found = html(R"(<p role="status">{}</p>)", terminal::amount(list->total, "credential"));
    if (beyond)
      found = html(R"(<p class="calm">There is no page {}. <a href="{}">To the first one</a></p>)",
                   asked.page, link_of(first));
    else if (list->rows.empty())
      found = none(
          "No credential fits. The search looks for a number of a credential, or a part of a user "
          "or bank.");
    else
      found += credential_table(*list, asked, daemon.now, true), found += pager(asked, *list);
    body += html(R"(<div id="list" data-live>{}</div>)", found);
  }
  return document("Credentials", "/credentials", body, daemon);
}

std::string credential_page(const daemon_facts& daemon, const mirror_view& mirror, credential_id id,
                            const credential_story* story) {
  markup body;
  if (story == nullptr) {
    body = html("<h1>Credential {}</h1>\n", id.value);
    body += trouble_notice(mirror);
    return document(fmt::format("Credential {}", id.value), "", body, daemon);
  }
  const credential_story& s = *story;
  const std::string bank =
      s.bank_name.empty() ? s.status.bank.value_or("a bank not known yet") : s.bank_name;
  body = html(
      R"(<div class="title" id="title" data-live><h1>Credential {} <span class="muted">at {}</span></h1>{}</div>
)",
      id.value, words(bank), state_badge(s.status.state));
  const instant now = daemon.now;
  body += part("standing", "How it stands", standing(s, now));
  body += part("coverage", "Coverage", coverage(s, now));
  body += part("states", "States", states(s, now));
  body += part("runs", "Runs", runs(s, now));
  body += part("lists", "Products", lists(s, now));
  body += part("successions", "Successions", successions(s, now));
  body += part("quarantine", "Quarantine", quarantine(s, now));
  return document(fmt::format("Credential {}", id.value), "", body, daemon);
}

std::string missing_page(const daemon_facts& daemon, std::string_view what) {
  const markup body = html(
      R"(<h1>There is no {}</h1>
<p>There is the <a href="/">status</a>, the list of <a href="/credentials">credentials</a>, and for programs <a href="/api/v1/status">/api/v1/status</a>, <a href="/metrics">/metrics</a>, <a href="/-/healthy">/-/healthy</a> and <a href="/-/ready">/-/ready</a>.</p>)",
      what);
  return document("Not found", "", body, daemon);
}

}  // namespace flanks::web
