// A browser with a session of the console, which fails the test at whatever a
// page must not do: log an error, or ask anything but the gateway.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

export const admin = process.env.SLUICE_BROWSER_ADMIN;
export const data = process.env.SLUICE_BROWSER_DATA;
const token = process.env.SLUICE_BROWSER_TOKEN;

let browser;

export async function open() {
  browser = await chromium.launch({ executablePath: process.env.SLUICE_CHROMIUM, args: ["--no-sandbox"] });
}

export async function close() {
  await browser?.close();
}

// signedIn is a page of a new session of the console.
export async function signedIn(options = {}, as = token) {
  const s = await opened(admin, options);
  await s.page.goto(admin + "/sign-in");
  await s.page.getByLabel("Admin token").fill(as);
  await s.page.getByRole("button", { name: "Sign in" }).click();
  await s.page.waitForURL(admin + "/");
  return s;
}

// opened is a page that may ask one origin alone, and another one that people
// sign in with; faults are what it must not have done.
export async function opened(origin, { issuer = origin, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const faults = [];
  let expected = 0; // a refused form is an error in the browser's log too
  page.on("console", (m) => {
    if (m.type() === "error" && !(expected && m.text().includes(String(expected)))) faults.push(`console: ${m.text()}`);
  });
  page.on("pageerror", (e) => faults.push(`script: ${e}`));
  page.on("request", (r) => {
    if (!r.url().startsWith(origin + "/") && !r.url().startsWith(issuer + "/")) faults.push(`request to ${r.url()}`);
  });
  return {
    page,
    expect: (status) => (expected = status),
    faults,
    async end() {
      await context.close();
      assert.deepEqual(faults, []);
    },
  };
}

// api asks the admin API; with a body it is a POST.
export async function api(path, body) {
  const res = await fetch(`${admin}/admin/v1/${path}`, { method: body ? "POST" : "GET", body: body && JSON.stringify(body), headers: { authorization: `Bearer ${token}` } });
  assert.ok(res.status < 300, `${path}: ${res.status}`);
  return res.json();
}

const shots = process.env.SLUICE_BROWSER_SHOTS;

// shoot takes pictures of a page as it is, light and dark, wide and narrow, if
// they are wanted.
export async function shoot(page, name) {
  if (!shots) return;
  const was = page.viewportSize();
  for (const { colorScheme, width } of themes) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await page.screenshot({ path: `${shots}/${name}.${colorScheme}.${width}.png`, fullPage: true });
  }
  await page.setViewportSize(was);
}

// themes are what every page is looked at in.
export const themes = ["light", "dark"].flatMap((colorScheme) => [1440, 390].map((width) => ({ colorScheme, width })));

// examine looks at a page as it is for what no page may have: more than one
// heading, more width than the window, a serious fault of accessibility. The
// page's policy must be bypassed: what examines it comes into it.
export async function examine(page, name) {
  assert.equal(await page.locator("h1").count(), 1, `${name}: one heading`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(over <= 0, `${name} is ${over} pixels too wide`);
  await page.evaluate(() => document.querySelectorAll("details, #answer").forEach((d) => ((d.open = true), (d.hidden = false))));
  if (!(await page.evaluate(() => "axe" in window))) await page.addScriptTag({ path: "node_modules/axe-core/axe.min.js" });
  const found = await page.evaluate(async () =>
    (await axe.run({ resultTypes: ["violations"] })).violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => `${v.id}: ${v.nodes[0].html}`));
  assert.deepEqual(found, [], name);
}

// examineStates is examine in every theme, with pictures: for what a page
// becomes once something was done on it.
export async function examineStates(page, name) {
  await shoot(page, name);
  const was = page.viewportSize();
  for (const { colorScheme, width } of themes) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await examine(page, `${name} ${colorScheme} ${width}`);
  }
  await page.setViewportSize(was);
}

// chat makes a call with a key.
export function chat(key, model, text) {
  return fetch(`${data}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, messages: [{ role: "user", content: text }] }),
  });
}
