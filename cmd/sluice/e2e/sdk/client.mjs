// What the rounds of all clients share. The gateway's address, key and the
// upstream under test come from the environment; see sdk_test.go. The name of
// a test is "feature: detail", and the feature is a column of the table that
// the Go test prints.
import assert from "node:assert/strict";

function env(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run this through go test`);
  return value;
}

export const origin = env("SLUICE_SDK_ORIGIN"); // of the gateway, without a path
export const key = env("SLUICE_SDK_KEY");
export const narrowKey = env("SLUICE_SDK_NARROW_KEY"); // may use one model alone
export const provider = env("SLUICE_SDK_PROVIDER"); // up: OpenAI-shaped, oai: that and responses, ant: Anthropic, gem: Gemini, bed: Bedrock
export const fake = env("SLUICE_SDK_FAKE"); // the upstream itself, which counts
const paths = env("SLUICE_SDK_PATHS").split(","); // which of /v1/… the gateway has

export const model = (words) => `${provider}/${words}`;

// A model whose target is cut in the middle of a text, and another goes on.
export const resumed = `resumed-${provider}`;
export const story = "one two three four five six seven eight";

// without is a reason to skip where the gateway has not a path yet.
export const without = (path) => !paths.includes(path) && `the gateway has no ${path}`;

export const noEmbeddings = provider === "ant";

// One that takes several texts at once.
export const embedModel = provider === "bed" ? "bed/cohere.embed-v4" : model("embed");

export const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const seen = `[image image/png ${pixel.length}]`; // what the fake says that it saw
export const pdf = Buffer.from("%PDF-1.4\n%%EOF\n").toString("base64");
export const read = `[file application/pdf ${pdf.length}]`;

// A model that the gateway takes for one that thinks, where the target asks.
export const thinker = {
  up: "up/small_think", oai: "oai/gpt-5_small_think", ant: "ant/claude-sonnet-4-5_small", gem: "gem/gemini-3-pro-preview_small", bed: "bed/anthropic.claude-sonnet-4-5_small",
}[provider];

export const weather = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false,
};
export const clock = { type: "object", properties: { zone: { type: "string", enum: ["UTC", "CET"] } }, required: ["zone"] };
export const label = {
  type: "object",
  properties: { label: { type: "string", enum: ["good", "bad"] }, sure: { type: "boolean" } },
  required: ["label", "sure"],
  additionalProperties: false,
};
export const labelled = { label: "good", sure: true }; // the fake's instance of it

// calls are [id, name, arguments] of the two tools above, as the fake makes them.
export function checkCalls(calls) {
  assert.equal(calls.length, 2);
  assert.notEqual(calls[0][0], calls[1][0]);
  assert.deepEqual(calls.map((c) => c[1]), ["weather", "clock"]);
  assert.deepEqual(calls[0][2], { city: "text", days: 1 });
  assert.deepEqual(calls[1][2], { zone: "UTC" });
}

async function stats() {
  return (await fetch(`${fake}/stats`)).json();
}

// last is the body of the newest request that reached the upstream.
export async function last() {
  return JSON.parse((await (await fetch(`${fake}/last`)).json())[0].body);
}

// left runs a call that its client leaves, and waits until the upstream has
// seen it go.
export async function left(leave) {
  const before = (await stats()).cancelled;
  await leave();
  for (let i = 0; i < 250; i++) {
    const now = await stats();
    if (now.cancelled > before && now.open === 0) return;
    await new Promise((done) => setTimeout(done, 20));
  }
  assert.fail("the upstream call lives on after its client has left");
}

export const endless = model("chunks-1000_pace-10");
