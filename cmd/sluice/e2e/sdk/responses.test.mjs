// OpenAI's own client: responses, with functions, reasoning that is carried
// along encrypted, and answers that go on from stored ones.
import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";
import { checkCalls, clock, endless, key, label, labelled, left, model, narrowKey, origin, pixel, seen, thinker, weather, without } from "./client.mjs";

const client = (apiKey = key) => new OpenAI({ apiKey, baseURL: `${origin}/v1`, maxRetries: 0, timeout: 20_000 });
const skip = without("responses");
const by = (name, body) => test(name, { skip }, body);
const ask = (words, input, extra) => client().responses.create({ model: model(words), input, ...extra });
const tools = [
  { type: "function", name: "weather", description: "The weather of a city", parameters: weather, strict: true },
  { type: "function", name: "clock", parameters: clock, strict: false },
];
const callsOf = (r) => r.output.filter((o) => o.type === "function_call");
const triple = (c) => [c.call_id, c.name, JSON.parse(c.arguments)];
const results = (calls, output) => calls.map((c) => ({ type: "function_call_output", call_id: c.call_id, output }));

by("chat: response", async () => {
  const r = await ask("echo_in-7", "hello there", { instructions: "Repeat.", temperature: 0, metadata: { a: "b" } });
  assert.equal(r.object, "response");
  assert.equal(r.status, "completed");
  assert.equal(r.output_text, "hello there");
  assert.equal(r.output[0].role, "assistant");
  assert.equal(r.usage.input_tokens, 7);
  assert.equal(r.usage.output_tokens, 2);
  assert.equal(r.usage.total_tokens, 9);
  assert.deepEqual(r.metadata, { a: "b" });
});

by("chat: cut by max_output_tokens", async () => {
  const r = await ask("echo", "one two three four", { max_output_tokens: 2 });
  assert.equal(r.status, "incomplete");
  assert.equal(r.incomplete_details.reason, "max_output_tokens");
});

by("chat: goes on from a stored response", async () => {
  const first = await ask("echo", "first");
  const second = await ask("echo", "second", { previous_response_id: first.id });
  assert.equal(second.output_text, "second");
  assert.notEqual(second.id, first.id);
  assert.equal((await client().responses.retrieve(first.id)).output_text, "first");
});

by("stream: events in their order", async () => {
  const stream = await ask("echo_in-7_pace-1", "one two three", { stream: true });
  const types = [];
  let text = "", number = -1, final;
  for await (const e of stream) {
    assert.ok(e.sequence_number > number, `${e.type} is ${e.sequence_number} after ${number}`);
    number = e.sequence_number;
    types.push(e.type);
    if (e.type === "response.output_text.delta") text += e.delta;
    if (e.type === "response.completed") final = e.response;
  }
  assert.equal(text, "one two three");
  assert.equal(types[0], "response.created");
  assert.equal(types.at(-1), "response.completed");
  for (const type of ["response.output_item.added", "response.content_part.added", "response.output_text.done", "response.content_part.done", "response.output_item.done"]) {
    assert.ok(types.includes(type), `${type} is not in ${types}`);
  }
  assert.equal(final.usage.output_tokens, 3);
  assert.equal(final.output[0].content[0].text, text);
});

by("stream: through the client's own accumulator", async () => {
  const final = await client().responses.stream({ model: model("echo"), input: "all of it" }).finalResponse();
  assert.equal(final.output_text, "all of it");
});

by("tools: parallel calls, streamed, and their results", async () => {
  const input = [{ role: "user", content: "weather and time?" }];
  const first = await client().responses.stream({ model: model("small"), input, tools, store: false }).finalResponse();
  checkCalls(callsOf(first).map(triple));
  const answer = await ask("small", [...input, ...first.output.map(bare), ...results(callsOf(first), "noon")], { tools, store: false });
  assert.match(answer.output_text, /noon/);
});

by("tools: results to a stored response", async () => {
  const first = await ask("small", "weather and time?", { tools });
  checkCalls(callsOf(first).map(triple));
  const answer = await ask("small", results(callsOf(first), "noon"), { tools, previous_response_id: first.id });
  assert.match(answer.output_text, /noon/);
});

by("tools: the one that is chosen", async () => {
  const r = await ask("small", "?", { tools, tool_choice: { type: "function", name: "clock" }, parallel_tool_calls: false });
  assert.deepEqual(callsOf(r).map((c) => c.name), ["clock"]);
});

// What Codex does: nothing is stored, thoughts travel encrypted.
by("tools: encrypted reasoning is replayed", async () => {
  const extra = { model: thinker, tools, store: false, include: ["reasoning.encrypted_content"], reasoning: { effort: "medium", summary: "auto" }, max_output_tokens: 8000 };
  const input = [{ type: "message", role: "user", content: [{ type: "input_text", text: "weather and time?" }] }];
  for (const round of ["first", "second"]) {
    const r = await client().responses.stream({ ...extra, input, parallel_tool_calls: true, prompt_cache_key: "k" }).finalResponse();
    const reasoning = r.output.find((o) => o.type === "reasoning");
    assert.ok(reasoning, `no reasoning in the ${round} round`);
    checkCalls(callsOf(r).map(triple));
    input.push(...r.output.map(bare), ...results(callsOf(r), "noon"));
    const answer = await client().responses.create({ ...extra, input });
    assert.match(answer.output_text, /noon/);
    input.push(...answer.output.map(bare), { role: "user", content: "and again?" });
  }
});

by("structured: text.format", async () => {
  const text = { format: { type: "json_schema", name: "label", strict: true, schema: label } };
  assert.deepEqual(JSON.parse((await ask("small", "label it", { text })).output_text), labelled);
  const parsed = await client().responses.parse({ model: model("small"), input: "label it", text });
  assert.equal(parsed.status, "completed");
});

by("vision: an image as data", async () => {
  const r = await ask("echo", [{ role: "user", content: [
    { type: "input_text", text: "what is this?" }, { type: "input_image", image_url: `data:image/png;base64,${pixel}`, detail: "auto" },
  ] }]);
  assert.equal(r.output_text, `what is this? ${seen}`);
});

for (const [status, type, fault] of [
  [400, OpenAI.BadRequestError, () => ask("fail-400", "x")],
  [401, OpenAI.AuthenticationError, () => client("sk-nobody").responses.create({ model: model("small"), input: "x" })],
  [403, OpenAI.PermissionDeniedError, () => client(narrowKey).responses.create({ model: model("small"), input: "x" })],
  [404, OpenAI.NotFoundError, () => client().responses.create({ model: "no-such-model", input: "x" })],
  [429, OpenAI.RateLimitError, () => ask("fail-429_after-1", "x")],
  [500, OpenAI.InternalServerError, () => ask("fail-500", "x")],
  [503, OpenAI.InternalServerError, () => ask("fail-503", "x", { stream: true })],
]) {
  by(`errors: ${status}`, async () => {
    await assert.rejects(fault(), (err) => {
      assert.equal(err.status, status, String(err));
      assert.ok(err instanceof type && err.message && err.requestID, String(err));
      return true;
    });
  });
}

by("errors: a stream that its provider cuts", async () => {
  await assert.rejects(async () => {
    for await (const e of await ask("chunks-20_cut-9", "x", { stream: true })) {
      if (e.type === "response.failed" || e.type === "error") throw new Error("failed");
    }
  });
});

by("abort: a stream that is left", async () => {
  await left(async () => {
    for await (const e of await client().responses.create({ model: endless, input: "x", stream: true })) {
      if (e.type === "response.output_text.delta") break;
    }
  });
});

// bare is an output item as a program sends it back: without what the client adds.
function bare({ parsed_arguments, ...item }) {
  return item;
}
