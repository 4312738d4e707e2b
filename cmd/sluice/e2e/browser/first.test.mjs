// What a newcomer does on a gateway that nobody has called: from no key to an
// answered call, and to one of a prompt of one's own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { admin, api, close, open, shoot, signedIn } from "./browser.mjs";

before(open);
after(close);

const key = /sk-sl-[0-9A-Za-z]{12}-[0-9A-Za-z]{38}/;

test("first steps by keyboard and without a script", async () => {
  const s = await signedIn({ javaScriptEnabled: false });
  const { page } = s;
  await page.getByRole("link", { name: "I have a key" }).click();
  await page.getByText("I have one").click();
  await page.getByLabel("Key").fill("no key at all");
  s.expect(400);
  await page.keyboard.press("Enter");
  assert.match(await page.getByRole("alert").textContent(), /paste one/);
  assert.equal(await page.getByRole("button", { name: "Copy" }).count(), 0);
  await s.end();
});

test("from no key to an answered call and a published prompt", async () => {
  const s = await signedIn({ permissions: ["clipboard-read", "clipboard-write"] });
  const { page } = s;
  await page.getByText("Nothing was called yet").waitFor();
  await page.getByRole("button", { name: "Make a key and begin" }).click();
  const secret = (await page.locator("#secret").textContent()).trim();
  assert.match(secret, key);
  await page.locator("#step-call").getByRole("button", { name: "Copy" }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /^curl http/);
  assert.ok(copied.includes(`Bearer ${secret}`));
  assert.ok(!copied.includes("$SLUICE_KEY"));
  await page.getByLabel("Text").fill("hello from a newcomer");
  await page.getByRole("button", { name: "Send it from here" }).click();
  assert.equal(await page.locator("#step-call .said").textContent(), "hello from a newcomer");
  await page.getByLabel("Name").fill("greeting");
  await page.getByRole("button", { name: "Publish" }).click();
  await page.getByText("Version 1 is served at /prompts/greeting.").waitFor();
  await page.getByRole("button", { name: "Call it" }).click();
  assert.match(await page.locator("#step-ask .said").textContent(), /Hello, Sluice!/);
  await page.getByText("That is all.").waitFor();
  await shoot(page, "first-run-done");
  assert.ok((await page.content()).includes(secret), "the forms carry the key");
  const calls = await api("requests");
  assert.deepEqual([...new Set(calls.data.map((c) => c.status))], [200]); // the test that publishing runs is a call too
  assert.equal(calls.data[0].prompt, "greeting");
  assert.equal((await api("audit?action=prompt.publish")).data[0].resource, "prompts/greeting/publish");
  await page.goto(admin + "/first-run");
  assert.ok(!(await page.content()).includes(secret), "the gateway keeps no key");
  await page.getByRole("link", { name: "Overview", exact: true }).click();
  assert.equal(await page.getByText("Nothing was called yet").count(), 0);
  await s.end();
});
