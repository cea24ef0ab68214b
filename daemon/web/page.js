// Only enhances: reads the page again every 15 seconds, and tells times in the reader's own zone.
"use strict";

const PERIOD = 15000;

function tellLocalTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      time.title = at.toLocaleString(undefined, {dateStyle: "full", timeStyle: "long"});
    }
  }
}

function rememberOpen(from, to) {
  for (const details of from.querySelectorAll("details[id][open]")) {
    const same = to.querySelector("#" + CSS.escape(details.id));
    if (same) {
      same.open = true;
    }
  }
}

// A part that holds the focus or a selection stays as it is until the reader has left it.
function isInUse(part) {
  const selection = document.getSelection();
  const selected = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  return selected || part.contains(document.activeElement);
}

function exchange(fresh) {
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const next = fresh.getElementById(part.id);
    if (!next || isInUse(part)) {
      continue;
    }
    tellLocalTimes(next);
    rememberOpen(part, next);
    if (next.outerHTML !== part.outerHTML) {
      const places = [...part.querySelectorAll(".scroll")].map((s) => s.scrollLeft);
      part.replaceWith(next);
      next.querySelectorAll(".scroll").forEach((s, i) => { s.scrollLeft = places[i] || 0; });
    }
  }
  // What came or went as a whole (a notice, a section that could not be read before).
  const names = (of) => [...of.querySelectorAll("[data-live][id]")].map((p) => p.id).join(" ");
  if (names(document) !== names(fresh) && !isInUse(document.getElementById("main"))) {
    document.getElementById("main").innerHTML = fresh.getElementById("main").innerHTML;
    tellLocalTimes(document);
  }
  const now = fresh.getElementById("now");
  const shown = document.getElementById("now");
  if (now && shown) {
    shown.dateTime = now.dateTime;
    shown.textContent = now.textContent;
    tellLocalTimes(shown.parentNode);
  }
}

// Behind the time of what is shown, in place of what was said there before.
function tellSilence(why) {
  const shown = document.getElementById("now");
  if (shown) {
    shown.textContent = shown.textContent.replace(/ \(.*/, "") + " (" + why + ")";
  }
}

async function refresh() {
  if (document.hidden) {
    return;
  }
  try {
    const answer = await fetch(location.href, {cache: "no-store", credentials: "same-origin"});
    const type = answer.headers.get("Content-Type") || "";
    if (type.startsWith("text/html")) {
      exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } else {
      tellSilence("not read again since then: " + answer.status);
    }
  } catch (error) {
    tellSilence("the daemon does not answer since then");
  }
}

tellLocalTimes(document);
setInterval(refresh, PERIOD);
document.addEventListener("visibilitychange", refresh);
