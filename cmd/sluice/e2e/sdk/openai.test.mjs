// OpenAI's own client: chat completions, embeddings, models. Its other
// endpoints are in responses.test.mjs.
import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";
import { checkCalls, clock, embedModel, endless, key, label, labelled, last, left, model, narrowKey, noEmbeddings, origin, pdf, pixel, provider, read, resumed, seen, story, weather } from "./client.mjs";

// A retry would hide an error.
const client = (apiKey = key) => new OpenAI({ apiKey, baseURL: `${origin}/v1`, maxRetries: 0, timeout: 20_000 });
const user = (content) => [{ role: "user", content }];
const ask = (c, words, extra) => c.chat.completions.create({ model: model(words), messages: user("x"), ...extra });
const tools = [
  { type: "function", function: { name: "weather", description: "The weather of a city", parameters: weather } },
  { type: "function", function: { name: "clock", parameters: clock } },
];
const triple = (c) => [c.id, c.function.name, JSON.parse(c.function.arguments)];

test("chat: completion", async () => {
  const answer = await client().chat.completions.create({
    model: model("echo_in-7"),
    max_tokens: 100,
    temperature: 0,
    messages: [{ role: "system", content: "Repeat." }, ...user("hello there")],
  });
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.choices[0].message.role, "assistant");
  assert.equal(answer.choices[0].message.content, "hello there");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.usage.prompt_tokens, 7);
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.ok(answer._request_id, "the answer has a request id");
});

test("chat: cut by max_tokens", async () => {
  const answer = await client().chat.completions.create({
    model: model("echo"), max_tokens: 2, messages: user("one two three four"),
  });
  assert.equal(answer.choices[0].finish_reason, "length");
  assert.equal(answer.usage.completion_tokens, 2);
});

test("chat: roles and turns arrive", async () => {
  await client().chat.completions.create({
    model: model("small"), stop: ["END"], top_p: 0.5,
    messages: [{ role: "developer", content: "Be brief." }, ...user("first"), { role: "assistant", content: "second" }, ...user("third")],
  });
  const sent = JSON.stringify(await last());
  const places = ["Be brief.", "first", "second", "third"].map((word) => sent.indexOf(word));
  assert.ok(places.every((p) => p >= 0), sent);
  assert.ok(places[1] < places[2] && places[2] < places[3], sent);
  assert.ok(sent.includes("END") && sent.includes("0.5"), sent);
});

test("stream: with usage", async () => {
  const stream = await client().chat.completions.create({
    model: model("echo_in-7_pace-1"), messages: user("one two three"), stream: true, stream_options: { include_usage: true },
  });
  let text = "", finish = null, usage = null, chunks = 0;
  for await (const chunk of stream) {
    chunks++;
    assert.equal(chunk.object, "chat.completion.chunk");
    text += chunk.choices[0]?.delta?.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    if (chunk.usage) {
      assert.equal(usage, null, "usage comes once");
      assert.deepEqual(chunk.choices, []);
      usage = chunk.usage;
    }
  }
  assert.equal(text, "one two three");
  assert.equal(finish, "stop");
  assert.equal(usage.prompt_tokens, 7);
  assert.equal(usage.completion_tokens, 3);
  assert.ok(chunks >= 4, `${chunks} chunks`);
});

test("stream: gone on with by another target", async () => {
  const stream = client().chat.completions.stream({ model: resumed, messages: user(story), stream_options: { include_usage: true } });
  const ids = new Set(), pieces = [];
  for await (const chunk of stream) {
    ids.add(chunk.id);
    pieces.push(chunk.choices[0]?.delta?.content ?? "");
  }
  const whole = await stream.finalChatCompletion();
  assert.equal(pieces.join(""), story);
  assert.equal(whole.choices[0].message.content, story);
  assert.equal(whole.choices[0].finish_reason, "stop");
  assert.equal(ids.size, 1);
  assert.ok(whole.usage.completion_tokens >= 8, `${whole.usage.completion_tokens} tokens`);
});

test("stream: without usage", async () => {
  const stream = await client().chat.completions.create({ model: model("echo"), messages: user("one two"), stream: true });
  for await (const chunk of stream) {
    assert.equal(chunk.usage ?? null, null);
    assert.equal(chunk.choices.length, 1);
  }
});

test("stream: through the client's own accumulator", async () => {
  const runner = client().chat.completions.stream({ model: model("echo"), messages: user("all of it") });
  const final = await runner.finalChatCompletion();
  assert.equal(final.choices[0].message.content, "all of it");
});

test("stream: cut by its provider is an error", async () => {
  await assert.rejects(async () => {
    const stream = await ask(client(), "chunks-20_cut-9", { stream: true });
    for await (const chunk of stream) assert.ok(chunk);
  }, OpenAI.APIError);
});

test("tools: parallel calls, streamed, and their results", async () => {
  const stream = await client().chat.completions.create({ model: model("small"), messages: user("weather and time?"), tools, stream: true });
  const calls = [];
  let finish = null;
  for await (const chunk of stream) {
    finish = chunk.choices[0]?.finish_reason ?? finish;
    for (const delta of chunk.choices[0]?.delta?.tool_calls ?? []) {
      const call = (calls[delta.index] ??= { id: "", type: "function", function: { name: "", arguments: "" } });
      call.id += delta.id ?? "";
      call.function.name += delta.function?.name ?? "";
      call.function.arguments += delta.function?.arguments ?? "";
    }
  }
  assert.equal(finish, "tool_calls");
  checkCalls(calls.map(triple));
  const answer = await client().chat.completions.create({
    model: model("small"),
    tools,
    messages: [
      ...user("weather and time?"),
      { role: "assistant", content: null, tool_calls: calls },
      { role: "tool", tool_call_id: calls[0].id, content: "sunny" },
      { role: "tool", tool_call_id: calls[1].id, content: "noon" },
    ],
  });
  assert.match(answer.choices[0].message.content, /noon/);
  assert.equal(answer.choices[0].finish_reason, "stop");
});

test("tools: parallel calls in one answer", async () => {
  const answer = await client().chat.completions.create({ model: model("small"), messages: user("?"), tools });
  assert.equal(answer.choices[0].finish_reason, "tool_calls");
  checkCalls(answer.choices[0].message.tool_calls.map(triple));
});

test("tools: one call where parallel ones are not wanted", async () => {
  const answer = await client().chat.completions.create({
    model: model("small"), messages: user("?"), tools, parallel_tool_calls: false,
    tool_choice: { type: "function", function: { name: "clock" } },
  });
  const calls = answer.choices[0].message.tool_calls;
  assert.equal(calls.length, 1);
  assert.deepEqual([calls[0].function.name, JSON.parse(calls[0].function.arguments)], ["clock", { zone: "UTC" }]);
});

test("tools: none wanted", async () => {
  const answer = await client().chat.completions.create({ model: model("small"), messages: user("?"), tools, tool_choice: "none" });
  assert.equal(answer.choices[0].finish_reason, "stop");
});

test("tools: the client's own loop", async () => {
  const runner = client().chat.completions.runTools({
    model: model("small"), messages: user("weather and time?"),
    tools: [
      { type: "function", function: { name: "weather", parameters: weather, parse: JSON.parse, function: ({ city }) => `${city} is sunny` } },
      { type: "function", function: { name: "clock", parameters: clock, parse: JSON.parse, function: () => "noon" } },
    ],
  });
  assert.match(await runner.finalContent(), /noon/);
});

test("structured: json_schema", async () => {
  const response_format = { type: "json_schema", json_schema: { name: "label", strict: true, schema: label } };
  const answer = await client().chat.completions.create({ model: model("small"), messages: user("label it"), response_format });
  assert.deepEqual(JSON.parse(answer.choices[0].message.content), labelled);
  const parsed = await client().chat.completions.parse({ model: model("small"), messages: user("label it"), response_format });
  assert.equal(parsed.choices[0].finish_reason, "stop");
});

test("structured: streamed", async () => {
  const response_format = { type: "json_schema", json_schema: { name: "label", strict: true, schema: label } };
  const runner = client().chat.completions.stream({ model: model("small"), messages: user("label it"), response_format });
  const final = await runner.finalChatCompletion();
  assert.deepEqual(JSON.parse(final.choices[0].message.content), labelled);
  assert.equal(final.choices[0].finish_reason, "stop");
});

test("vision: an image as data", async () => {
  const answer = await client().chat.completions.create({
    model: model("echo"),
    messages: user([
      { type: "text", text: "what is this?" },
      { type: "image_url", image_url: { url: `data:image/png;base64,${pixel}` } },
    ]),
  });
  assert.equal(answer.choices[0].message.content, `what is this? ${seen}`);
});

test("vision: a document", async () => {
  const answer = await client().chat.completions.create({
    model: model("echo"),
    messages: user([
      { type: "text", text: "what is this?" },
      { type: "file", file: { filename: "a.pdf", file_data: `data:application/pdf;base64,${pdf}` } },
    ]),
  });
  assert.ok(answer.choices[0].message.content.includes(read), answer.choices[0].message.content);
});

test("embeddings: floats and base64", { skip: noEmbeddings && "Anthropic has none" }, async () => {
  const ask = (extra) => client().embeddings.create({ model: embedModel, input: ["one", "two"], ...extra });
  const byDefault = await ask({}); // the client asks for base64 and unpacks it
  const floats = await ask({ encoding_format: "float" });
  const packed = await ask({ encoding_format: "base64" });
  assert.equal(floats.data.length, 2);
  assert.equal(floats.data[1].index, 1);
  assert.notDeepEqual(floats.data[0].embedding, floats.data[1].embedding);
  if (provider === "up" || provider === "oai") assert.ok(floats.usage.prompt_tokens > 0);
  for (const [i, { embedding }] of floats.data.entries()) {
    assert.equal(embedding.length, 8);
    const bytes = Buffer.from(packed.data[i].embedding, "base64");
    const unpacked = Array.from({ length: 8 }, (_, n) => bytes.readFloatLE(4 * n));
    assert.deepEqual(unpacked, embedding);
    assert.deepEqual(Array.from(byDefault.data[i].embedding), embedding);
  }
  const short = await ask({ dimensions: 3, encoding_format: "float" });
  assert.equal(short.data[0].embedding.length, 3);
});

test("embeddings: of a provider that has none", { skip: !noEmbeddings && "it has them" }, async () => {
  await assert.rejects(client().embeddings.create({ model: model("embed"), input: "one" }), (err) => {
    assert.ok(err instanceof OpenAI.APIError, String(err));
    assert.ok(err.status >= 400 && err.status < 502, `status ${err.status}`);
    assert.ok(err.requestID, "the error has a request id");
    return true;
  });
});

test("models: list and one", async () => {
  const ids = [];
  for await (const m of client().models.list()) {
    assert.equal(m.object, "model");
    ids.push(m.id);
  }
  assert.ok(ids.includes("named"), `named is not among ${ids.length} models`);
  const one = await client().models.retrieve("named");
  assert.equal(one.id, "named");
});

const faults = [
  [400, OpenAI.BadRequestError, (c) => ask(c, "fail-400")],
  [400, OpenAI.BadRequestError, (c) => c.chat.completions.create({ model: model("small"), messages: "no list" })],
  [401, OpenAI.AuthenticationError, () => ask(client("sk-nobody"), "small")],
  [403, OpenAI.PermissionDeniedError, () => ask(client(narrowKey), "small")],
  [404, OpenAI.NotFoundError, (c) => c.chat.completions.create({ model: "no-such-model", messages: user("x") })],
  [404, OpenAI.NotFoundError, (c) => c.models.retrieve("no-such-model")],
  [404, OpenAI.NotFoundError, (c) => ask(c, "fail-404")],
  ...(provider === "bed" ? [] : [[422, OpenAI.UnprocessableEntityError, (c) => ask(c, "fail-422")]]), // AWS has no such status
  [429, OpenAI.RateLimitError, (c) => ask(c, "fail-429_after-1")],
  [500, OpenAI.InternalServerError, (c) => ask(c, "fail-500")],
  [503, OpenAI.InternalServerError, (c) => ask(c, "fail-503")],
];

for (const [status, type, fault] of faults) {
  test(`errors: ${status} ${fault.toString().slice(0, 60)}`, async () => {
    await assert.rejects(fault(client()), (err) => {
      assert.equal(err.status, status);
      assert.ok(err instanceof type, `${err.constructor.name} is not ${type.name}`);
      assert.ok(err.requestID, "the error has a request id");
      assert.ok(err.message, "the error has a message");
      assert.ok("code" in err && err.type, `code ${err.code}, type ${err.type}`);
      if (status === 429) assert.equal(err.headers.get("retry-after"), "1");
      return true;
    });
  });
  if (status >= 422) {
    test(`errors: ${status} before a stream`, async () => {
      await assert.rejects(ask(client(), `fail-${status}`, { stream: true }), type);
    });
  }
}

test("abort: a stream that is left", async () => {
  await left(async () => {
    const stream = await client().chat.completions.create({ model: endless, messages: user("x"), stream: true });
    for await (const chunk of stream) {
      assert.ok(chunk.id);
      break;
    }
  });
});

test("abort: by a signal, before the answer", async () => {
  await left(async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 200);
    await assert.rejects(client().chat.completions.create({ model: model("silent"), messages: user("x") }, { signal: stop.signal }), OpenAI.APIUserAbortError);
  });
});
