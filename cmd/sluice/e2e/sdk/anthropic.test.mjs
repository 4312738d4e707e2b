// Anthropic's own client.
import assert from "node:assert/strict";
import test from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { checkCalls, clock, endless, key, label, labelled, left, model, narrowKey, origin, pdf, pixel, read, resumed, seen, story, thinker, weather } from "./client.mjs";

const client = (apiKey = key) => new Anthropic({ apiKey, baseURL: origin, maxRetries: 0, timeout: 20_000 });
const user = (content) => [{ role: "user", content }];
const ask = (c, words, extra) => c.messages.create({ model: model(words), max_tokens: 1000, messages: user("x"), ...extra });
const tools = [
  { name: "weather", description: "The weather of a city", input_schema: weather },
  { name: "clock", input_schema: clock, cache_control: { type: "ephemeral" } },
];
const triple = (b) => [b.id, b.name, b.input];
const textOf = (m) => m.content.filter((b) => b.type === "text").map((b) => b.text).join("");

test("chat: message", async () => {
  const answer = await ask(client(), "echo_in-7", {
    system: [{ type: "text", text: "Repeat.", cache_control: { type: "ephemeral" } }], messages: user("hello there"), temperature: 0,
  });
  assert.equal(answer.type, "message");
  assert.equal(answer.role, "assistant");
  assert.equal(textOf(answer), "hello there");
  assert.equal(answer.stop_reason, "end_turn");
  assert.equal(answer.usage.input_tokens, 7);
  assert.equal(answer.usage.output_tokens, 2);
  assert.ok(answer._request_id, "the answer has a request id");
});

test("chat: cut by max_tokens", async () => {
  const answer = await ask(client(), "echo", { max_tokens: 2, messages: user("one two three four") });
  assert.equal(answer.stop_reason, "max_tokens");
  assert.equal(answer.usage.output_tokens, 2);
});

test("stream: through the client's own accumulator", async () => {
  const stream = client().messages.stream({ model: model("echo_in-7_pace-1"), max_tokens: 100, messages: user("one two three") });
  const events = [];
  let text = "";
  stream.on("streamEvent", (e) => events.push(e.type));
  stream.on("text", (t) => (text += t));
  const final = await stream.finalMessage();
  assert.equal(text, "one two three");
  assert.equal(textOf(final), text);
  assert.equal(final.stop_reason, "end_turn");
  assert.equal(final.usage.output_tokens, 3);
  assert.equal(final.usage.input_tokens, 7);
  assert.equal(events[0], "message_start");
  assert.deepEqual(events.slice(-3), ["content_block_stop", "message_delta", "message_stop"]);
});

test("stream: gone on with by another target", async () => {
  const stream = client().messages.stream({ model: resumed, max_tokens: 100, messages: user(story) });
  const events = [];
  stream.on("streamEvent", (e) => events.push(e.type));
  const final = await stream.finalMessage();
  assert.equal(textOf(final), story);
  assert.equal(final.stop_reason, "end_turn");
  assert.ok(final.usage.output_tokens >= 8, `${final.usage.output_tokens} tokens`);
  for (const once of ["message_start", "message_delta", "message_stop"]) assert.equal(events.filter((e) => e === once).length, 1, once);
});

test("stream: cut by its provider is an error", async () => {
  await assert.rejects(async () => {
    for await (const event of await ask(client(), "chunks-20_cut-9", { stream: true })) assert.ok(event.type);
  }, Anthropic.APIError);
});

test("tools: parallel calls, streamed, and their results", async () => {
  const messages = user("weather and time?");
  const first = await client().messages.stream({ model: model("small"), max_tokens: 1000, messages, tools }).finalMessage();
  assert.equal(first.stop_reason, "tool_use");
  const calls = first.content.filter((b) => b.type === "tool_use");
  checkCalls(calls.map(triple));
  const answer = await ask(client(), "small", {
    tools,
    messages: [...messages, { role: "assistant", content: first.content }, ...user([
      { type: "tool_result", tool_use_id: calls[0].id, content: "sunny" },
      { type: "tool_result", tool_use_id: calls[1].id, content: [{ type: "text", text: "noon" }], is_error: false },
    ])],
  });
  assert.match(textOf(answer), /noon/);
  assert.equal(answer.stop_reason, "end_turn");
});

test("tools: the one that is chosen", async () => {
  const answer = await ask(client(), "small", { tools, tool_choice: { type: "tool", name: "clock", disable_parallel_tool_use: true } });
  assert.deepEqual(answer.content.filter((b) => b.type === "tool_use").map((b) => b.name), ["clock"]);
});

test("tools: thoughts come back signed, and go with the results", async () => {
  const ask = { model: thinker, max_tokens: 4000, thinking: { type: "enabled", budget_tokens: 2000 }, tools };
  const messages = user("weather and time?");
  for (const round of ["first", "second"]) {
    const m = await client().messages.stream({ ...ask, messages }).finalMessage();
    assert.equal(m.content[0].type, "thinking", round);
    assert.match(m.content[0].thinking, /thinks about it/);
    const calls = m.content.filter((b) => b.type === "tool_use");
    checkCalls(calls.map(triple));
    messages.push({ role: "assistant", content: m.content });
    const answer = await client().messages.create({
      ...ask, messages: [...messages, ...user(calls.map((c) => ({ type: "tool_result", tool_use_id: c.id, content: "noon" })))],
    });
    assert.match(textOf(answer), /noon/);
    messages.push(...user(calls.map((c) => ({ type: "tool_result", tool_use_id: c.id, content: "noon" }))));
    messages.push({ role: "assistant", content: answer.content }, ...user("and again?"));
  }
});

test("structured: output_config", async () => {
  const answer = await ask(client(), "small", { output_config: { format: { type: "json_schema", schema: label } } });
  assert.deepEqual(JSON.parse(textOf(answer)), labelled);
  assert.equal(answer.stop_reason, "end_turn");
});

test("structured: the client's own parser, streamed and whole", async () => {
  const output_config = { format: { type: "json_schema", schema: label, parse: JSON.parse } };
  const params = { model: model("small"), max_tokens: 1000, messages: user("x"), output_config };
  assert.deepEqual((await client().messages.parse(params)).parsed_output, labelled);
  const streamed = await client().messages.stream({ ...params, output_config: { format: { type: "json_schema", schema: label } } }).finalMessage();
  assert.deepEqual(JSON.parse(textOf(streamed)), labelled);
});

test("vision: an image and a document", async () => {
  const answer = await ask(client(), "echo", {
    messages: user([
      { type: "text", text: "what is this?" },
      { type: "image", source: { type: "base64", media_type: "image/png", data: pixel } },
      { type: "document", source: { type: "base64", media_type: "application/pdf", data: pdf } },
    ]),
  });
  assert.ok(textOf(answer).includes(`what is this?`), textOf(answer));
  assert.ok(textOf(answer).includes(seen) && textOf(answer).includes(read), textOf(answer));
});

test("vision: an image in a tool's result", async () => {
  const calls = (await ask(client(), "small", { tools })).content.filter((b) => b.type === "tool_use");
  const answer = await ask(client(), "echo", {
    tools,
    messages: [...user("x"), { role: "assistant", content: calls }, ...user(calls.map((c) => ({
      type: "tool_result", tool_use_id: c.id,
      content: [{ type: "text", text: "look" }, { type: "image", source: { type: "base64", media_type: "image/png", data: pixel } }],
    })))],
  });
  assert.ok(textOf(answer).includes(seen), textOf(answer));
});

test("count: tokens", async () => {
  const n = await client().messages.countTokens({ model: model("small"), messages: user("one two three four"), tools });
  assert.ok(n.input_tokens >= 4, `${n.input_tokens}`);
});

test("models: list and one", async () => {
  const ids = [];
  for await (const m of client().models.list({ limit: 1000 })) {
    assert.equal(m.type, "model");
    ids.push(m.id);
  }
  assert.ok(ids.includes("named"), `named is not among ${ids.length} models`);
  assert.equal((await client().models.retrieve("named")).id, "named");
});

const faults = [
  [400, Anthropic.BadRequestError, "invalid_request_error", (c) => ask(c, "fail-400")],
  [400, Anthropic.BadRequestError, "invalid_request_error", (c) => ask(c, "small", { messages: "no list" })],
  [401, Anthropic.AuthenticationError, "authentication_error", () => ask(client("sk-nobody"), "small")],
  [403, Anthropic.PermissionDeniedError, "permission_error", () => ask(client(narrowKey), "small")],
  [404, Anthropic.NotFoundError, "not_found_error", (c) => c.messages.create({ model: "no-such-model", max_tokens: 9, messages: user("x") })],
  [404, Anthropic.NotFoundError, "not_found_error", (c) => c.models.retrieve("no-such-model")],
  [429, Anthropic.RateLimitError, "rate_limit_error", (c) => ask(c, "fail-429_after-1")],
  [500, Anthropic.InternalServerError, "api_error", (c) => ask(c, "fail-500")],
];

for (const [status, type, word, fault] of faults) {
  test(`errors: ${status} ${fault.toString().slice(0, 60)}`, async () => {
    await assert.rejects(fault(client()), (err) => {
      assert.equal(err.status, status);
      assert.ok(err instanceof type, `${err.constructor.name} is not ${type.name}`);
      assert.equal(err.error?.error?.type, word);
      assert.ok(err.requestID, "the error has a request id");
      if (status === 429) assert.equal(err.headers.get("retry-after"), "1");
      return true;
    });
  });
  if (status >= 429) {
    test(`errors: ${status} before a stream`, async () => {
      await assert.rejects(ask(client(), `fail-${status}`, { stream: true }), type);
    });
  }
}

test("abort: a stream that is left", async () => {
  await left(async () => {
    const stream = client().messages.stream({ model: endless, max_tokens: 5000, messages: user("x") });
    await assert.rejects(async () => {
      for await (const event of stream) if (event.type === "content_block_delta") stream.abort();
    }, Anthropic.APIUserAbortError);
  });
});
