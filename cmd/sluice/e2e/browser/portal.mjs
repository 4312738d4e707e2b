// A browser with a session of the portal, with the same eye on faults.
import assert from "node:assert/strict";
import { data, open, opened } from "./browser.mjs";

export { open };

export async function signedIn(key, options = {}) {
  const s = await opened(data, options);
  await s.page.goto(data + "/portal/keys");
  await s.page.getByLabel("API key").fill(key);
  await s.page.getByRole("button", { name: "Sign in" }).click();
  await s.page.waitForURL(data + "/portal/keys");
  return s;
}

// call makes a request to the admin API.
export async function call(method, path, body) {
  const res = await fetch(`${process.env.SLUICE_BROWSER_ADMIN}/admin/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${process.env.SLUICE_BROWSER_TOKEN}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.ok(res.ok, `${method} ${path}: ${res.status} ${await res.clone().text()}`);
  return res.status === 204 ? null : res.json();
}
