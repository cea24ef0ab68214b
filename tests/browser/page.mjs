// Looks at the status page in a real browser: node page.mjs FOLDER-WITH-NODE_MODULES '{"url", "chromium", "shots", "who", ...}'.
// Prints what was checked; the first thing that is wrong ends it with exit 1.
import assert from "node:assert/strict";
import {createRequire} from "node:module";
import {readFileSync} from "node:fs";
import path from "node:path";

const [folder, text] = process.argv.slice(2);
const require = createRequire(path.join(folder, "package.json"));
const {chromium} = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const order = JSON.parse(text);
const PAGES = {
  overview: "/",
  credentials: "/credentials",
  search: "/credentials?q=o%27hara&sort=-agreed",
  credential: `/credentials/${order.who.error}`,
  quarantined: `/credentials/${order.who.quarantined}`,
  missing: "/credentials/999999",
};
const WIDTHS = [375, 768, 1280];
const THEMES = ["light", "dark"];

const browser = await chromium.launch({executablePath: order.chromium, args: ["--no-sandbox", "--disable-gpu"]});

// A context whose pages write down what they say on the console and whom they ask.
async function visit(options = {}) {
  const context = await browser.newContext({timezoneId: "America/New_York", locale: "en-US", ...options});
  const page = await context.newPage();
  const heard = [];
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) heard.push(m.text()); });
  page.on("pageerror", (e) => heard.push(String(e)));
  page.on("request", (r) => { if (!r.url().startsWith(order.url + "/")) heard.push("asks " + r.url()); });
  page.on("requestfailed", (r) => heard.push("failed " + r.url()));
  return {context, page, heard};
}

// Not waitForFunction: the page's policy forbids the eval that it needs, and its clock may stand still.
async function until(page, true_in_page) {
  for (let tries = 0; tries < 1200; ++tries) {
    if (await page.evaluate(true_in_page)) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail("waited in vain until " + true_in_page);
}

// The console tells of the status of a page that does not exist.
const expected = (lines) => lines.filter((l) => !l.includes("404 (Not Found)"));

async function looks() {
  for (const theme of THEMES) {
    for (const width of WIDTHS) {
      const {context, page, heard} = await visit({colorScheme: theme, viewport: {width, height: 900}});
      for (const [name, where] of Object.entries(PAGES)) {
        await page.goto(order.url + where);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(wide <= 0, `${name} is ${wide} px wider than ${width}`);
        await page.screenshot({path: path.join(order.shots, `${name}-${width}-${theme}.png`), fullPage: true});
        await page.evaluate(axe + ";0").catch(() => {});
        const found = await page.evaluate(() => window.axe && window.axe.run(document, {resultTypes: ["violations"]}));
        assert.ok(found, "axe ran");
        const wrong = found.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html).join(" | ")}`);
        assert.deepEqual(wrong, [], `${name} at ${width} px, ${theme}`);
      }
      assert.deepEqual(expected(heard), [], `what ${width} px, ${theme} said`);
      await context.close();
    }
  }
  console.log(`${Object.keys(PAGES).length} pages, ${WIDTHS.length} widths, ${THEMES.length} themes: no violation, no word on the console, nobody else asked`);
}

async function keyboard() {
  const {context, page} = await visit({viewport: {width: 1280, height: 900}});
  await page.goto(order.url + "/");
  const focused = () => page.evaluate(() => {
    const e = document.activeElement;
    const style = getComputedStyle(e);
    const box = e.getBoundingClientRect();
    return {
      tag: e.tagName, text: (e.textContent || "").trim().slice(0, 40), id: e.id, href: e.getAttribute("href"),
      outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
      y: box.top + scrollY,
    };
  });
  const way = [];
  await page.keyboard.press("Tab");
  const skip = await focused();
  assert.equal(skip.href, "#main");
  assert.ok(skip.seen && skip.outline, "the skip link is seen when it has the focus");
  await page.keyboard.press("Enter");
  assert.equal((await focused()).id, "main");
  await page.reload();
  for (let i = 0; i < 200; ++i) {
    await page.keyboard.press("Tab");
    const at = await focused();
    if (at.tag === "BODY" || (at.href === "#main" && i > 0)) break;
    assert.ok(at.outline, `the focus is seen on ${at.tag} ${at.text}`);
    assert.ok(at.seen, `${at.tag} ${at.text} is in sight when it has the focus`);
    way.push(at);
  }
  const places = way.map((w) => w.href || w.id || w.tag);
  for (const wanted of ["/credentials", "q", "state", "BUTTON", "SUMMARY"]) assert.ok(places.includes(wanted), wanted);
  assert.ok(places.indexOf("q") < places.indexOf("state"));
  for (let i = 1; i < way.length; ++i) assert.ok(way[i].y > way[i - 1].y - 60, "the focus goes down the page");
  await page.locator("#q").focus();
  await page.keyboard.type("O'Hara");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/credentials?q=O%27Hara*");
  assert.equal(await page.locator("tbody tr").count(), 1);
  assert.ok((await page.locator("tbody tr").innerText()).includes(order.user));
  await context.close();
  console.log(`keyboard: ${way.length} stops, each in sight, in the order of the page`);
}

async function without_script() {
  const {context, page, heard} = await visit({javaScriptEnabled: false, viewport: {width: 1280, height: 900}});
  await page.goto(order.url + "/");
  assert.match(await page.locator("h1").innerText(), /Up, but 6 of 8 credentials have a problem/);
  await page.locator("#q").fill(order.user);
  await page.locator("button").click();
  assert.equal(await page.locator("tbody tr").count(), 1);
  await page.locator("tbody th a").click();
  assert.match(await page.locator("h1").innerText(), /O'Hara & "Sons" <bank>/);
  await page.goto(order.url + "/credentials");
  await page.locator("thead a", {hasText: "State"}).click();
  assert.equal(await page.locator("th[aria-sort=ascending]").innerText(), "State ↑");
  await page.goto(order.url + "/");
  await page.locator("#hours summary").click();
  assert.equal(await page.locator("#hours tbody tr").count(), 24);
  assert.deepEqual(heard, []);
  await context.close();
  console.log("without JavaScript: read, searched, sorted, opened");
}

// The daemon's answer is exchanged for one that a test can tell; time is the page's own.
async function refreshing() {
  const {context, page, heard} = await visit({viewport: {width: 1280, height: 900}});
  await page.clock.install();
  await page.goto(order.url + "/");
  assert.match(await page.locator("#problems time").first().getAttribute("title"), /GMT-[45]|E[SD]T|Eastern/);
  await page.locator("#hours summary").click();
  await page.locator("#q").focus();
  await page.keyboard.type("half a wo");
  const changed = async (route) => {
    const answer = await route.fetch();
    const body = (await answer.text()).replace("Up, but 6 of 8", "Up, but 5 of 8").replaceAll("Search</button>", "Changed</button>")
      .replaceAll(">Hour (UTC)<", ">Hour of now<");
    await route.fulfill({response: answer, body});
  };
  await page.route(order.url + "/", changed);
  await page.clock.runFor(16000);
  await until(page, () => document.querySelector("h1").textContent.includes("5 of 8"));
  assert.equal(await page.locator("#q").inputValue(), "half a wo");
  assert.equal(await page.evaluate(() => document.activeElement.id), "q");
  assert.equal(await page.locator("#credentials button").innerText(), "Search", "where the focus is, nothing changes");
  assert.ok(await page.evaluate(() => document.getElementById("hours").open), "what was open stays open");
  await page.unroute(order.url + "/", changed);
  await page.route(order.url + "/", (route) => route.abort());
  await page.clock.runFor(16000);
  await until(page, () => document.getElementById("now").textContent.includes("does not answer"));
  await context.close();
  const others = heard.filter((l) => !l.includes("ERR_FAILED") && !l.startsWith("failed "));
  assert.deepEqual(others, []);
  console.log("every 15 s the page is read again; focus, search and what is open stay");
}

let code = 0;
try {
  await looks();
  await keyboard();
  await without_script();
  await refreshing();
} catch (error) {
  console.error(error);
  code = 1;
}
await browser.close();
process.exit(code);
