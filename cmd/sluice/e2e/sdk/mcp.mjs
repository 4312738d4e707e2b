// The Model Context Protocol's official client in TypeScript against /mcp: see
// clients_test.go. It checks structured content against the tool's schema itself.
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const { SLUICE_SDK_ORIGIN: origin, SLUICE_SDK_KEY: key, SLUICE_SDK_NARROW_KEY: narrowKey } = process.env;

async function connect(key) {
  const client = new Client({ name: "sluice-tests", version: "1" });
  const headers = { Authorization: `Bearer ${key}` };
  await client.connect(new StreamableHTTPClientTransport(new URL("/mcp", origin), { requestInit: { headers } }));
  return client;
}

const client = await connect(key);
assert.equal(client.getServerVersion().name, "sluice");
const { tools } = await client.listTools();
const tool = Object.fromEntries(tools.map((t) => [t.name, t]));
assert.ok(tool.classify && tool.sql && tool.rewrite && tool.tree, "tools are missing");
assert.ok(!tool.closed, "a tool is listed that the key may not use");
assert.deepEqual(tool.classify.inputSchema.required, ["text"]);
assert.ok(tool.classify.outputSchema.properties.sentiment && !tool.rewrite.outputSchema);

const sorted = await client.callTool({ name: "classify", arguments: { text: "My parcel never came." } });
assert.deepEqual(sorted.structuredContent, { sentiment: "positive", confidence: 1, reasoning: "reasoning" });
assert.deepEqual(JSON.parse(sorted.content[0].text), sorted.structuredContent);
assert.equal(sorted._meta["sluice/prompt"], "classify@1");

const node = { name: "a", next: { name: "b" } };
const found = await client.callTool({ name: "tree", arguments: { node } });
assert.equal(found.structuredContent.kind, "x");

const text = await client.callTool({ name: "rewrite", arguments: { text: "so it is", tone: "formal" } });
assert.equal(text.content[0].text, "so it is");
assert.equal(text.structuredContent, undefined);

const wrong = await client.callTool({ name: "rewrite", arguments: { text: "x", tone: "loud" } });
assert.ok(wrong.isError && wrong.content[0].text.includes("/tone"), JSON.stringify(wrong));
await assert.rejects(client.callTool({ name: "closed", arguments: { text: "x" } }), /closed/);

const { prompts } = await client.listPrompts();
assert.ok(prompts.some((p) => p.name === "translate") && !prompts.some((p) => p.name === "closed"));
const shown = await client.getPrompt({ name: "translation", arguments: { text: "Good morning", to: "French" } });
assert.equal(shown.messages.at(-1).content.text, "Good morning");
await client.close();

const narrow = await connect(narrowKey);
assert.deepEqual((await narrow.listTools()).tools.map((t) => t.name), ["closed"]);
const opened = await narrow.callTool({ name: "closed", arguments: { text: "x" } });
assert.deepEqual(opened.structuredContent, { label: "label" });
await assert.rejects(narrow.callTool({ name: "classify", arguments: { text: "x" } }), /classify/);
await narrow.close();
await assert.rejects(connect("sk-nobody"), /401|key/);

console.log("all is well");
