// What an operator comes for, from the first click to the figure.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { admin, api, chat, close, data, open, signedIn } from "./browser.mjs";

before(open);
after(close);

const key = /sk-sl-[0-9A-Za-z]{12}-[0-9A-Za-z]{38}/;

async function shownKey(page) {
  const text = await page.locator("#secret").textContent();
  assert.match(text, key);
  return text.trim();
}

test("make a team, a budget and a key, use it, see its spend", async () => {
  const s = await signedIn();
  const { page } = s;
  await page.getByRole("link", { name: "Teams", exact: true }).click();
  await page.getByText("Make a team").click();
  await page.getByLabel("Name").fill("new team");
  await page.getByLabel("Budget in dollars").fill("5");
  s.expect(400);
  await page.getByRole("button", { name: "Make the team" }).click();
  assert.match(await page.getByRole("alert").textContent(), /must be 1 to 64 letters/);
  assert.equal(await page.getByLabel("Budget in dollars").inputValue(), "5");
  await page.getByLabel("Name").fill("newteam");
  await page.getByRole("button", { name: "Make the team" }).click();
  await page.waitForURL(admin + "/teams/newteam?done=team");
  await page.getByLabel("Name").fill("app");
  await page.getByRole("button", { name: "Make the key" }).click();
  const secret = await shownKey(page);
  const answer = await chat(secret, "mock/lorem-500", "hello");
  assert.equal(answer.status, 200);
  const cost = answer.headers.get("x-sluice-cost");
  await page.goto(admin + "/teams/newteam");
  assert.ok(!(await page.content()).includes(secret), "the key is shown twice");
  assert.equal(await page.locator("td", { hasText: /^\$0\.00/ }).first().getAttribute("title"), `${cost} dollars`);
  await page.getByText("Set a budget").click();
  await page.getByLabel("Dollars", { exact: true }).fill("0.0001");
  await page.getByRole("button", { name: "Set the budget" }).click();
  await page.getByText("Saved, and in force.").waitFor();
  assert.equal((await chat(secret, "mock/lorem-500", "hello")).status, 429);
  await page.goto(admin + "/");
  assert.ok(await page.getByText("The budget of newteam is spent").isVisible());
  await s.end();
});

test("find a failed call and read why", async () => {
  const s = await signedIn();
  const { page } = s;
  const res = await chat(process.env.SLUICE_BROWSER_KEY, "broken", "hello");
  assert.equal(res.status, 502);
  await page.getByRole("link", { name: "Requests", exact: true }).click();
  await page.getByLabel("Status").fill("502");
  await page.getByLabel("Model").fill("broken");
  await page.getByRole("button", { name: "Search" }).click();
  await page.locator("tbody a").first().click();
  await page.getByText("The provider failed (upstream_error). Every target that was tried failed").waitFor();
  assert.ok(await page.getByText(res.headers.get("x-request-id")).first().isVisible());
  assert.ok((await page.locator(".took.bad").count()) >= 1);
  await s.end();
});

test("rotate a key, then revoke it", async () => {
  const s = await signedIn();
  const { page } = s;
  await page.goto(admin + "/teams/rotating");
  await page.getByLabel("Name").fill("app");
  await page.getByRole("button", { name: "Make the key" }).click();
  const old = await shownKey(page);
  await page.getByText("Rotate", { exact: true }).click();
  await page.getByRole("button", { name: "Rotate app" }).click();
  const fresh = await shownKey(page);
  assert.notEqual(fresh, old);
  for (const one of [old, fresh]) assert.equal((await chat(one, "mock/echo", "hi")).status, 200, "both work within the grace");
  await page.goto(admin + "/teams/rotating");
  for (const one of [old, fresh]) {
    await page.locator("tr", { hasText: one.slice(0, 18) }).getByText("Revoke", { exact: true }).click();
    await page.locator("tr", { hasText: one.slice(0, 18) }).getByRole("button", { name: "Revoke app" }).click();
    await page.getByText("The key is revoked.").waitFor();
    assert.equal((await chat(one, "mock/echo", "hi")).status, 401);
  }
  await s.end();
});

test("a report whose sum is the ledger's", async () => {
  const s = await signedIn();
  const { page } = s;
  await page.getByRole("link", { name: "Reports" }).click();
  await page.getByLabel("By", { exact: true }).selectOption("model");
  await page.getByLabel("Time").selectOption("last month");
  await page.getByRole("button", { name: "Report" }).click();
  const shown = await page.locator("#total-usd").getAttribute("title");
  const now = new Date();
  const day = (m) => new Date(Date.UTC(now.getUTCFullYear(), m, 1)).toISOString().slice(0, 10);
  const ledger = await api(`usage?from=${day(now.getUTCMonth() - 1)}&to=${day(now.getUTCMonth())}`);
  assert.ok(Number(ledger.total.usd) > 0);
  assert.equal(shown, `${ledger.total.usd} dollars`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
  assert.equal(download.suggestedFilename(), "sluice-report.csv");
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  const lines = Buffer.concat(chunks).toString().trim().split("\n").map((l) => l.split(","));
  const usd = lines[0].indexOf("usd");
  const nano = (text) => BigInt(Math.round(Number(text) * 1e9));
  assert.equal(lines.slice(1).reduce((sum, l) => sum + nano(l[usd]), 0n), nano(ledger.total.usd));
  await page.getByRole("button", { name: "Prove the sums" }).click();
  await page.getByText(/Every sum of the ledger is that of its/).waitFor();
  await s.end();
});

// served is the version of a prompt that answers.
async function served(name) {
  const res = await fetch(`${data}/prompts/${name}`, { method: "POST", headers: { authorization: `Bearer ${process.env.SLUICE_BROWSER_KEY}` }, body: '{"text": "Ada"}' });
  assert.equal(res.status, 200);
  return res.headers.get("x-sluice-prompt");
}

test("write, test, publish, roll back and split a prompt", async () => {
  const s = await signedIn();
  const { page } = s;
  await page.getByRole("link", { name: "Prompts", exact: true }).click();
  await page.getByRole("link", { name: "New prompt" }).click();
  await page.getByLabel("Name").fill("fresh");
  await page.getByRole("button", { name: "Write it" }).click();
  await page.getByRole("button", { name: "Check and run its tests" }).click();
  await page.getByText("1 passed, 0 failed").waitFor();
  await page.getByRole("button", { name: "Publish" }).click();
  await page.getByText("Published.").waitFor();
  const source = await page.getByLabel("Source").inputValue();
  await page.getByLabel("Source").fill(source.replace("one sentence", "two sentences"));
  await page.getByLabel("Message").fill("longer");
  await page.getByRole("button", { name: "Publish" }).click();
  await page.getByText("Published.").waitFor();
  await page.getByRole("link", { name: "what changed" }).click();
  assert.match(await page.locator(".diff .plus").last().textContent(), /two sentences/);
  await page.getByLabel("to version").fill("1");
  await page.getByRole("button", { name: "Set the label" }).click();
  await page.getByText("Saved, and in force.").waitFor();
  assert.equal((await api("prompts/fresh")).version, 1);
  assert.equal(await served("fresh"), "fresh@1");
  for (const [split, shown] of [["2: 100", "share 100"], ["1: 50, 2: 50", "share 50"]]) {
    await page.getByLabel("Share the calls").fill(split);
    await page.getByRole("button", { name: "Set the split" }).click();
    await page.getByText(shown).first().waitFor();
    assert.match(await served("fresh"), split === "2: 100" ? /^fresh@2$/ : /^fresh@[12]$/);
  }
  await page.getByLabel("Input, JSON").fill('{"text": "Ada"}');
  await page.getByRole("button", { name: "Render" }).click();
  await page.getByText("You answer in one sentence.").first().waitFor();
  await s.end();
});

test("open a breaker, try a model, purge the cache", async () => {
  const s = await signedIn();
  const { page } = s;
  await page.getByRole("link", { name: "Models", exact: true }).click();
  const row = page.locator("tr", { hasText: "play/lorem-40" }).last();
  await row.getByRole("button", { name: "Open" }).click();
  await page.getByText("The breaker is set.").waitFor();
  assert.match(await page.locator("tr", { hasText: "play/lorem-40" }).last().textContent(), /open/);
  await page.locator("tr", { hasText: "play/lorem-40" }).last().getByRole("button", { name: "Auto" }).click();
  await page.getByLabel("Model", { exact: true }).fill("mock/echo");
  await page.getByLabel("Key", { exact: true }).fill(process.env.SLUICE_BROWSER_KEY);
  await page.getByLabel("Text").fill("tell me");
  await page.getByRole("button", { name: "Send" }).click();
  assert.equal(await page.locator(".said").textContent(), "tell me");
  await page.getByRole("link", { name: "The call" }).click();
  await page.getByText("It was answered.").waitFor();
  await page.getByRole("link", { name: "Cache", exact: true }).click();
  await page.getByRole("button", { name: "Purge everything" }).click();
  await page.getByText(/answers? purged\./).waitFor();
  await s.end();
});

test("approve and reject subscriptions, revoke one", async () => {
  const s = await signedIn();
  const { page } = s;
  const { id } = await api("subscriptions", { prompt: "members", team: "newcomers", plan: "free", note: "for our site" });
  await page.goto(admin + "/");
  await page.getByRole("link", { name: /wait/ }).click();
  const waiting = page.locator("article", { hasText: "for our site" });
  await waiting.getByLabel("Note to the team").fill("welcome");
  await waiting.getByRole("button", { name: "Approve newcomers" }).click();
  await page.getByText("Approved, and in force.").waitFor();
  const approved = await api(`subscriptions/${id}`);
  assert.equal(approved.status, "approved");
  assert.equal(approved.history[1].note, "welcome");
  const row = page.locator("tr", { hasText: "newcomers" });
  await row.getByText("Revoke", { exact: true }).click();
  await row.getByRole("button", { name: "Revoke newcomers" }).click();
  await page.getByText("The subscription is revoked.").waitFor();
  const again = await api("subscriptions", { prompt: "members", team: "newcomers" });
  await page.goto(admin + "/subscriptions");
  await page.locator("article", { hasText: "newcomers" }).getByRole("button", { name: "Reject newcomers" }).click();
  await page.getByText("Rejected.", { exact: true }).waitFor();
  assert.equal((await api(`subscriptions/${again.id}`)).status, "rejected");
  await s.end();
});

test("read who changed what, and that the chain is whole", async () => {
  const s = await signedIn();
  const { page } = s;
  await api("teams", { name: "watched" });
  await page.getByRole("link", { name: "Audit", exact: true }).click();
  assert.match(await page.locator("#verified").textContent(), /Verified: all \d+ records/);
  await page.getByLabel("Resource").fill("teams/watched");
  await page.getByRole("button", { name: "Search" }).click();
  const row = page.locator("tbody tr");
  assert.equal(await row.count(), 1);
  assert.match(await row.textContent(), /admin\.token.*team\.create.*teams\/watched.*201/);
  await row.locator("summary").click();
  assert.ok(await row.getByText('"name": "watched"').isVisible());
  await page.getByRole("link", { name: "All records" }).click();
  await page.getByRole("link", { name: "sign-in" }).first().click();
  await page.waitForURL(/action=sign-in/);
  await s.end();
});

test("new calls come in while the list is live", async () => {
  const s = await signedIn();
  const { page } = s;
  await page.goto(admin + "/requests");
  await page.getByLabel("live").check();
  const res = await chat(process.env.SLUICE_BROWSER_KEY, "mock/echo", "hi");
  const { call } = await api(`requests/${res.headers.get("x-request-id")}`);
  await page.locator(`a[href="/requests/${call}"]`).waitFor({ timeout: 10_000 });
  await s.end();
});
