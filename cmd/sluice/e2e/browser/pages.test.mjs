// Every page, light and dark, wide and narrow, with thirty days of traffic: no
// error, no request to elsewhere, nothing too wide or too heavy, no serious
// fault of accessibility. Screenshots go to SLUICE_BROWSER_SHOTS, if that is set.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { admin, api, close, data, examine, open, opened, signedIn, themes } from "./browser.mjs";

const shots = process.env.SLUICE_BROWSER_SHOTS;

before(open);
after(close);

// failedCall is the newest call that failed; a page of the list may be empty
// although there are older ones.
async function failedCall() {
  let after = "";
  for (;;) {
    const page = await api(`requests?status=502&limit=1${after}`);
    if (page.data.length) return page.data[0];
    assert.ok(page.next, "no call failed");
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}

// pages are all of them, a line each; what a word in braces stands for is in
// names.
const pages = [
  "/",
  "/?span=30d",
  "/requests",
  "/requests/{failed}",
  "/requests/{fallback}",
  "/requests/{routed}",
  "/teams",
  "/teams/team-00",
  "/teams/t",
  "/models",
  "/models?explain=fast",
  "/prompts",
  "/prompts/mood",
  "/prompts/mood?from=1&to=2",
  "/prompts-new?name=fresh",
  "/reports",
  "/reports?by=model&across=day&period=last+7+days",
  "/invoices/team-00",
  "/invoices/team-00?by=user,day",
  "/cache",
  "/guards",
  "/routes",
  "/alerts",
  "/subscriptions",
  "/audit",
  "/audit?action=key",
  "/first-run",
  "/config",
  "/config?revision=1",
  "/config?view=effective",
  "/settings",
];

async function paths() {
  const names = { failed: (await failedCall()).call, fallback: (await fallback()).call, routed: await routed() };
  return pages.map((path) => path.replace(/{(\w+)}/, (_, name) => names[name]));
}

// fallback is a call that a second target answered.
async function fallback() {
  for (let after = ""; ; ) {
    const page = await api(`requests?status=200&limit=1000${after}`);
    const found = page.data.find((c) => c.attempts?.length > 1);
    if (found) return found;
    assert.ok(page.next, "no call fell back");
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}

// routed is a request that a route answered: the last ones are kept.
async function routed() {
  const res = await fetch(`${data}/hello`);
  assert.ok(res.ok, `the route answers ${res.status}`);
  return res.headers.get("x-request-id");
}

for (const { colorScheme, width } of themes) {
  test(`pages ${colorScheme} ${width}`, async () => {
    const s = await signedIn({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
    const out = await opened(admin, { colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
    for (const [one, path] of [...(await paths()).map((p) => [s, p]), [out, "/sign-in"]]) {
      const res = await one.page.goto(admin + path);
      assert.equal(res.status(), 200, path);
      assert.ok((await res.body()).length < 200 << 10, `${path} is ${(await res.body()).length} bytes`);
      if (shots) {
        const name = path.replace(/\W+/g, "-").slice(0, 40);
        await one.page.screenshot({ path: `${shots}/${name}.${colorScheme}.${width}.png`, fullPage: true });
      }
      await examine(one.page, path);
    }
    await s.end();
    await out.end();
  });
}

test("pages work without a pointer", async () => {
  const s = await signedIn();
  await s.page.keyboard.press("Tab");
  assert.equal(await s.page.evaluate(() => document.activeElement.textContent), "Skip to the page");
  await s.page.keyboard.press("Tab");
  await s.page.keyboard.press("Tab");
  await s.page.keyboard.press("Tab");
  await s.page.keyboard.press("Tab");
  assert.equal(await s.page.evaluate(() => document.activeElement.textContent), "Requests");
  await s.page.keyboard.press("Enter");
  await s.page.waitForURL(admin + "/requests");
  await s.end();
});

test("pages work without a script", async () => {
  const s = await signedIn({ javaScriptEnabled: false });
  await s.page.goto(admin + "/requests");
  assert.equal(await s.page.locator("#live").isVisible(), false);
  await s.page.getByRole("link", { name: "Older" }).click();
  assert.ok(await s.page.getByRole("link", { name: "Newest" }).isVisible());
  await s.end();
});
