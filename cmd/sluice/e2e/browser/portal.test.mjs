// What those who call the APIs come to the portal for, and every page of it as
// in pages.test.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as console from "./browser.mjs";
import { close, data, examine, opened, shoot, themes } from "./browser.mjs";
import { call, open, signedIn } from "./portal.mjs";

const shots = process.env.SLUICE_BROWSER_SHOTS;
let key = "";

before(async () => {
  await open();
  key = (await call("POST", "keys", { team: "t", name: "dev", budget: { usd: "5", per: "day" } })).key;
});
after(close);

test("subscribe, be approved, call it, see what it cost", async () => {
  const s = await signedIn(key);
  const { page } = s;
  await page.getByRole("link", { name: "Catalogue" }).click();
  await page.getByLabel("Search").fill("report writ");
  await page.getByRole("button", { name: "Search" }).click();
  assert.equal(await page.locator(".offers li").count(), 1);
  await page.getByRole("link", { name: "report", exact: true }).click();
  assert.ok(await page.getByText("Your team needs an approved subscription first.").isVisible());
  await page.getByLabel("Plan").selectOption("free");
  await page.getByLabel("What for").fill("our site");
  await page.getByRole("button", { name: "Subscribe" }).click();
  await page.waitForURL(data + "/portal/subscriptions?done=subscribed");
  assert.ok(await page.getByText("pending by key t/dev: our site").isVisible());
  const desk = await console.signedIn();
  await desk.page.goto(console.admin + "/subscriptions");
  const waiting = desk.page.locator("article", { hasText: "our site" });
  await waiting.getByLabel("Note to the team").fill("welcome");
  await waiting.getByRole("button", { name: "Approve t" }).click();
  await desk.page.getByText("Approved, and in force.").waitFor();
  await desk.end();
  await page.reload();
  assert.ok(await page.getByText("approved by admin: welcome").isVisible());
  await page.locator("td").getByRole("link", { name: "report" }).click();
  await page.getByLabel("topic").fill("the sea");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText(/cost \$0\.\d+ · \d+ tokens in, \d+ out/).waitFor();
  assert.ok((await page.locator("#output").textContent()).split(" ").length >= 60);
  await page.getByLabel("topic").fill("");
  await page.getByLabel("topic").evaluate((f) => (f.required = false)); // what a schema refuses is told
  s.expect(422);
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#fault").getByText("topic").waitFor();
  await page.getByRole("link", { name: "Usage" }).first().click();
  await page.locator("tr", { hasText: "report" }).first().waitFor();
  assert.equal(await page.locator(".tile .value").first().textContent().then((t) => t.trim()), "1");
  await s.end();
});

test("make a key, use it, rotate both", async () => {
  const s = await signedIn(key);
  const { page } = s;
  const secret = async () => (await page.locator("#secret").textContent()).trim();
  const chat = async (k) =>
    (await fetch(data + "/v1/chat/completions", { method: "POST", headers: { authorization: `Bearer ${k}` }, body: JSON.stringify({ model: "mock/echo", messages: [{ role: "user", content: "hi" }] }) })).status;
  await page.getByLabel("Name").fill("child");
  await page.getByLabel("Budget in dollars").fill("50");
  await page.locator("#key-per").selectOption("day");
  s.expect(403);
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.getByText("a key may give no more than it has itself").waitFor();
  await page.getByLabel("Budget in dollars").fill("1");
  await page.getByRole("button", { name: "Make the key" }).click();
  const child = await secret();
  assert.equal(await chat(child), 200);
  const row = (name) => page.locator("tr", { hasText: name }).first();
  await row("child").getByText("Rotate", { exact: true }).click();
  await row("child").locator("select").selectOption("0s");
  await page.getByRole("button", { name: "Rotate child" }).click();
  const fresh = await secret();
  assert.equal(await chat(child), 401);
  assert.equal(await chat(fresh), 200);
  // Who rotates the key of the session stays signed in, with the new one.
  await row("this one").getByText("Rotate", { exact: true }).click();
  await row("this one").locator("select").selectOption("0s");
  await page.getByRole("button", { name: "Rotate dev" }).click();
  const old = key;
  key = await secret();
  assert.equal(await chat(old), 401);
  await page.getByRole("link", { name: "Usage" }).first().click();
  assert.ok(await page.getByText("key t/dev").first().isVisible());
  await page.goto(data + "/portal/keys");
  await row("child").getByText("Revoke", { exact: true }).click();
  await page.getByRole("button", { name: "Revoke child" }).click();
  await page.getByText("The key is revoked.").waitFor();
  assert.equal(await chat(fresh), 401);
  await s.end();
});

test("sign in with OpenID Connect, make a key, try a prompt with it, go on in another team", async () => {
  const s = await opened(data, { issuer: process.env.SLUICE_BROWSER_ISSUER });
  const { page } = s;
  await page.goto(data + "/portal/keys");
  await shoot(page, "sign-in-oidc");
  await page.getByRole("link", { name: "Sign in with OpenID Connect" }).click();
  await page.waitForURL(data + "/portal/keys"); // where it was for
  assert.ok(await page.getByText("ann@example.com of").isVisible());
  assert.ok(await page.getByText("You have no key yet.").isVisible());
  await page.goto(data + "/portal/apis/sentiment");
  await page.locator("#main").getByRole("link", { name: "Make a key" }).click();
  await page.getByLabel("Name").fill("mine");
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.locator("#secret").waitFor();
  await shoot(page, "person-keys");
  await page.goto(data + "/portal/apis/sentiment");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText(/cost \$0\.\d+/).waitFor();
  await page.getByRole("link", { name: "Usage" }).first().click();
  await page.locator("tr", { hasText: "sentiment" }).first().waitFor();
  await shoot(page, "person-usage");
  for (const width of [1440, 390]) {
    await page.setViewportSize({ width, height: 900 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${width}: ${over} pixels too wide`);
  }
  await page.getByLabel("Team").selectOption("u");
  await page.getByRole("button", { name: "Change team" }).click();
  await page.waitForURL(data + "/portal");
  await page.goto(data + "/portal/usage?of=team");
  assert.ok(await page.getByText("team u").first().isVisible());
  assert.equal(await page.locator("tr", { hasText: "sentiment" }).count(), 0);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(data + "/portal/sign-in");
  await s.end();
});

test("who has no key sees what is public, and may try it", async () => {
  const s = await opened(data);
  const { page } = s;
  await page.goto(data + "/portal");
  assert.equal(await page.locator(".offers li").count(), 1);
  await page.getByRole("link", { name: "extract" }).click();
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText(/cost \$0\.\d+/).waitFor();
  await page.goto(data + "/docs");
  assert.ok(await page.getByText("POST /prompts/extract").first().isVisible());
  await s.end();
});

test("names are no markup", async () => {
  const s = await signedIn(key);
  const { page } = s;
  await page.goto(data + "/portal/apis/evil");
  assert.ok(await page.getByText("<img src=x onerror=alert(1)>").first().isVisible());
  assert.equal(await page.locator("main img").count(), 0);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText(/cost \$0\.\d+/).waitFor();
  assert.ok((await page.locator("#output").textContent()).includes("<script>"));
  assert.equal(await page.locator("#output *").count(), 0);
  await s.end();
});

const paths = ["/portal", "/portal?q=nothing+like+it", "/portal/apis/sentiment", "/portal/apis/report", "/portal/apis/extract", "/portal/apis/echo?kind=api", "/portal/apis/orders?kind=api",
  "/portal/keys", "/portal/usage", "/portal/usage?of=team", "/portal/subscriptions", "/portal/changes", "/docs"];

for (const { colorScheme, width } of themes) {
  test(`portal ${colorScheme} ${width}`, async () => {
    const s = await signedIn(key, { colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
    const out = await opened(data, { colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
    for (const [one, path] of [...paths.map((p) => [s, p]), [out, "/portal"], [out, "/portal/sign-in"], [out, "/portal/apis/extract"]]) {
      let bytes = 0;
      const weigh = async (res) => (bytes += (await res.body()).length);
      one.page.on("response", weigh);
      const res = await one.page.goto(data + path, { waitUntil: "networkidle" });
      one.page.off("response", weigh);
      assert.equal(res.status(), 200, path);
      assert.ok(bytes > 0 && bytes < 200 << 10, `${path} is ${bytes} bytes in all`);
      if (shots) {
        const name = (one === out ? "out" : "") + path.replace(/\W+/g, "-").slice(0, 40);
        await one.page.screenshot({ path: `${shots}/${name}.${colorScheme}.${width}.png`, fullPage: true });
      }
      await examine(one.page, path);
    }
    await s.end();
    await out.end();
  });
}

test("the portal works without a pointer", async () => {
  const s = await signedIn(key);
  await s.page.goto(data + "/portal");
  await s.page.keyboard.press("Tab");
  assert.equal(await s.page.evaluate(() => document.activeElement.textContent), "Skip to the page");
  for (let i = 0; i < 3; i++) await s.page.keyboard.press("Tab");
  await s.page.keyboard.press("Tab");
  assert.equal(await s.page.evaluate(() => document.activeElement.textContent), "Keys");
  await s.page.keyboard.press("Enter");
  await s.page.waitForURL(data + "/portal/keys");
  await s.end();
});
