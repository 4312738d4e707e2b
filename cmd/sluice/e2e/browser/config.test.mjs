// The configuration on its page, of a gateway whose store leads it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { admin, api, chat, close, examineStates, open, signedIn } from "./browser.mjs";

before(open);
after(close);

test("change the configuration, look back, go back", async () => {
  const s = await signedIn({ bypassCSP: true });
  const { page } = s;
  const call = async () => (await chat(process.env.SLUICE_BROWSER_KEY, "answering", "hello")).status;
  await page.getByRole("link", { name: "Configuration" }).click();
  await page.getByText("Show all of it").click();
  const effective = JSON.parse(await page.locator("#effective pre").textContent());
  assert.deepEqual(Object.keys(effective.models), ["answering"]);
  assert.equal(effective.config.keep, 50);
  assert.ok(!(await page.content()).includes(process.env.SLUICE_BROWSER_TOKEN), "a secret is shown");
  await page.goBack();
  const text = page.getByLabel("Configuration, YAML or JSON");
  const was = await text.inputValue();

  await text.fill(was.replace("per: month", "per: fortnight").replace("mock/echo", "mock/lorem-9"));
  s.expect(422);
  await page.getByRole("button", { name: "Show what changes" }).click();
  const fault = page.getByRole("alert");
  assert.match(await fault.textContent(), /line \d+: teams\.t\.budget\.per: want hour, day/);
  assert.match(await fault.textContent(), /→ .*per: fortnight/);
  assert.equal(await text.getAttribute("aria-invalid"), "true");
  assert.match(await text.inputValue(), /per: fortnight/); // nothing that was typed is lost
  assert.equal(await page.getByRole("button", { name: "Put it in force" }).count(), 0);
  await examineStates(page, "config-fault");

  await text.fill(was.replace("mock/echo", "mock/fail-503").replace("usd: 20", "usd: 30"));
  await page.getByRole("button", { name: "Show what changes" }).click();
  const changes = page.locator("#changes tbody tr");
  assert.match(await changes.filter({ hasText: "models/answering" }).textContent(), /mock\/echo.*mock\/fail-503/s);
  assert.match(await changes.filter({ hasText: "teams/t" }).textContent(), /20.*30/s);
  assert.equal(await changes.count(), 2);
  assert.equal(await call(), 200, "what is only shown is not in force");
  await page.getByLabel("What the change is for").fill("the provider rests");
  await examineStates(page, "config-changes");
  await page.getByRole("button", { name: "Put it in force" }).click();
  await page.getByText("Saved, and in force.").waitFor();
  assert.equal(await call(), 503);

  const rows = page.locator("tr", { hasText: "the provider rests" });
  assert.match(await rows.textContent(), /in force.*admin/s);
  await page.getByRole("link", { name: "Look at it, or go back to revision 1" }).click();
  assert.match(await page.locator("#revision tbody").textContent(), /mock\/fail-503.*mock\/echo/s);
  await examineStates(page, "config-revision");
  await page.getByRole("button", { name: "Put revision 1 in force" }).click();
  await page.getByText("Saved, and in force.").waitFor();
  assert.equal(await call(), 200);
  assert.equal(await text.inputValue(), was);
  assert.ok(await page.getByRole("cell", { name: "back to revision 1", exact: true }).isVisible());
  assert.deepEqual((await api("audit?action=config")).data.map((a) => a.action).filter((a) => a !== "config.reload"), ["config.rollback", "config.put"]);
  await s.end();
});

test("nobody's change is lost", async () => {
  const mine = await signedIn();
  const theirs = await signedIn();
  for (const [s, usd] of [[mine, "40"], [theirs, "50"]]) {
    await s.page.goto(admin + "/config");
    const text = s.page.getByLabel("Configuration, YAML or JSON");
    await text.fill((await text.inputValue()).replace(/usd: \d+/, `usd: ${usd}`));
    await s.page.getByRole("button", { name: "Show what changes" }).click();
  }
  await theirs.page.getByRole("button", { name: "Put it in force" }).click();
  await theirs.page.getByText("Saved, and in force.").waitFor();
  mine.expect(412);
  await mine.page.getByRole("button", { name: "Put it in force" }).click();
  await mine.page.getByText("Somebody has changed the configuration meanwhile.").waitFor();
  assert.match(await mine.page.locator("#changes tbody").textContent(), /50.*40/s);
  await mine.page.getByRole("button", { name: "Put it in force" }).click();
  await mine.page.getByText("Saved, and in force.").waitFor();
  await mine.end();
  await theirs.end();
});

test("who may only read sees no form", async () => {
  const s = await signedIn({}, process.env.SLUICE_BROWSER_VIEWER);
  await s.page.goto(admin + "/config?revision=1");
  assert.ok(await s.page.getByRole("heading", { name: "Revision 1" }).isVisible());
  assert.equal(await s.page.locator("main form").count(), 0);
  await s.end();
});
