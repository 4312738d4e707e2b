// Google's own client.
import assert from "node:assert/strict";
import test from "node:test";
import { ApiError, FunctionCallingConfigMode, GoogleGenAI, Type } from "@google/genai";
import { checkCalls, clock, embedModel, endless, key, label, labelled, left, model, narrowKey, noEmbeddings, origin, pdf, pixel, read, resumed, seen, story, thinker, weather } from "./client.mjs";

const client = (apiKey = key) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: origin, timeout: 20_000, retryOptions: { attempts: 1 } } });
const ask = (c, words, contents, config) => c.models.generateContent({ model: model(words), contents, config });
const tools = [{
  functionDeclarations: [
    { name: "weather", description: "The weather of a city", parametersJsonSchema: weather },
    { name: "clock", parameters: { type: Type.OBJECT, properties: { zone: { type: Type.STRING, enum: ["UTC", "CET"] } }, required: ["zone"] } },
  ],
}];
const triple = (c, i) => [c.id ?? i, c.name, c.args];
const results = (calls, output) => ({ role: "user", parts: calls.map((c) => ({ functionResponse: { id: c.id, name: c.name, response: { output } } })) });

test("chat: generateContent", async () => {
  const answer = await ask(client(), "echo_in-7", "hello there", { systemInstruction: "Repeat.", temperature: 0 });
  assert.equal(answer.text, "hello there");
  assert.equal(answer.candidates[0].content.role, "model");
  assert.equal(answer.candidates[0].finishReason, "STOP");
  assert.equal(answer.usageMetadata.promptTokenCount, 7);
  assert.equal(answer.usageMetadata.candidatesTokenCount, 2);
  assert.equal(answer.usageMetadata.totalTokenCount, 9);
});

test("chat: cut by maxOutputTokens", async () => {
  const answer = await ask(client(), "echo", "one two three four", { maxOutputTokens: 2 });
  assert.equal(answer.candidates[0].finishReason, "MAX_TOKENS");
  assert.equal(answer.usageMetadata.candidatesTokenCount, 2);
});

test("chat: the client's own conversation", async () => {
  const chat = client().chats.create({ model: model("echo") });
  assert.equal((await chat.sendMessage({ message: "first" })).text, "first");
  assert.equal((await chat.sendMessage({ message: "second" })).text, "second");
  assert.equal(chat.getHistory().length, 4);
});

test("stream: with usage", async () => {
  let text = "", finish, usage, chunks = 0;
  for await (const chunk of await client().models.generateContentStream({ model: model("echo_in-7_pace-1"), contents: "one two three" })) {
    chunks++;
    text += chunk.text ?? "";
    finish = chunk.candidates?.[0]?.finishReason ?? finish;
    usage = chunk.usageMetadata ?? usage;
  }
  assert.equal(text, "one two three");
  assert.equal(finish, "STOP");
  assert.equal(usage.promptTokenCount, 7);
  assert.equal(usage.candidatesTokenCount, 3);
  assert.ok(chunks >= 3, `${chunks} chunks`);
});

test("stream: gone on with by another target", async () => {
  let text = "", usage;
  const finishes = [];
  for await (const chunk of await client().models.generateContentStream({ model: resumed, contents: story })) {
    text += chunk.text ?? "";
    if (chunk.candidates?.[0]?.finishReason) finishes.push(chunk.candidates[0].finishReason);
    usage = chunk.usageMetadata ?? usage;
  }
  assert.equal(text, story);
  assert.deepEqual(finishes, ["STOP"]);
  assert.ok(usage.candidatesTokenCount >= 8, `${usage.candidatesTokenCount} tokens`);
});

test("stream: cut by its provider is an error", async () => {
  await assert.rejects(async () => {
    for await (const chunk of await client().models.generateContentStream({ model: model("chunks-20_cut-9"), contents: "x" })) assert.ok(chunk);
  });
});

test("tools: parallel calls, streamed, and their results", async () => {
  const question = { role: "user", parts: [{ text: "weather and time?" }] };
  const parts = [];
  for await (const chunk of await client().models.generateContentStream({ model: model("small"), contents: [question], config: { tools } })) {
    parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
  }
  const calls = parts.filter((p) => p.functionCall).map((p) => p.functionCall);
  checkCalls(calls.map(triple));
  const answer = await ask(client(), "small", [question, { role: "model", parts }, results(calls, "noon")], { tools });
  assert.match(answer.text, /noon/);
});

test("tools: the one that is chosen", async () => {
  const answer = await ask(client(), "small", "?", {
    tools, toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ["clock"] } },
  });
  assert.deepEqual(answer.functionCalls.map((c) => [c.name, c.args]), [["clock", { zone: "UTC" }]]);
});

test("tools: thoughts, and the results after them", async () => {
  const ask = (contents) => client().models.generateContent({ model: thinker, contents, config: { tools, maxOutputTokens: 4000, thinkingConfig: { includeThoughts: true, thinkingBudget: 2000 } } });
  const contents = [{ role: "user", parts: [{ text: "weather and time?" }] }];
  for (const round of ["first", "second"]) {
    const m = await ask(contents);
    const thought = m.candidates[0].content.parts.find((p) => p.thought);
    assert.match(thought?.text ?? "", /thinks about it/, round);
    checkCalls(m.functionCalls.map(triple));
    contents.push(m.candidates[0].content, results(m.functionCalls, "noon"));
    const answer = await ask(contents);
    assert.match(answer.text, /noon/);
    contents.push(answer.candidates[0].content, { role: "user", parts: [{ text: "and again?" }] });
  }
});

test("structured: responseJsonSchema and responseSchema", async () => {
  const json = await ask(client(), "small", "label it", { responseMimeType: "application/json", responseJsonSchema: label });
  assert.deepEqual(JSON.parse(json.text), labelled);
  const own = await ask(client(), "small", "label it", {
    responseMimeType: "application/json",
    responseSchema: { type: Type.OBJECT, properties: { label: { type: Type.STRING, enum: ["good", "bad"] }, sure: { type: Type.BOOLEAN } }, required: ["label", "sure"] },
  });
  assert.deepEqual(JSON.parse(own.text), labelled);
});

test("vision: an image and a document", async () => {
  const answer = await ask(client(), "echo", [
    { role: "user", parts: [{ text: "what is this?" }, { inlineData: { mimeType: "image/png", data: pixel } }, { inlineData: { mimeType: "application/pdf", data: pdf } }] },
  ]);
  assert.ok(answer.text.includes(seen) && answer.text.includes(read), answer.text);
});

test("embeddings: one and several", { skip: noEmbeddings && "Anthropic has none" }, async () => {
  const answer = await client().models.embedContent({ model: embedModel, contents: ["one", "two"], config: { outputDimensionality: 3 } });
  assert.equal(answer.embeddings.length, 2);
  assert.equal(answer.embeddings[0].values.length, 3);
  assert.notDeepEqual(answer.embeddings[0].values, answer.embeddings[1].values);
});

test("count: tokens", async () => {
  const n = await client().models.countTokens({ model: model("small"), contents: "one two three four" });
  assert.ok(n.totalTokens >= 4, `${n.totalTokens}`);
});

test("models: list and one", async () => {
  const names = [];
  for await (const m of await client().models.list({ config: { pageSize: 1000 } })) names.push(m.name);
  assert.ok(names.includes("models/named"), `named is not among ${names.length} models`);
  assert.equal((await client().models.get({ model: "named" })).name, "models/named");
});

const faults = [
  [400, (c) => ask(c, "fail-400", "x")],
  [401, () => ask(client("sk-nobody"), "small", "x")],
  [403, () => ask(client(narrowKey), "small", "x")],
  [404, (c) => c.models.generateContent({ model: "no-such-model", contents: "x" })],
  [429, (c) => ask(c, "fail-429", "x")],
  [500, (c) => ask(c, "fail-500", "x")],
  [503, (c) => ask(c, "fail-503", "x")],
];
const words = { 400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE" };

for (const [status, fault] of faults) {
  test(`errors: ${status}`, async () => {
    await assert.rejects(fault(client()), (err) => {
      assert.ok(err instanceof ApiError, String(err));
      assert.equal(err.status, status);
      const { error } = JSON.parse(err.message);
      assert.deepEqual([error.code, error.status], [status, words[status]]);
      return true;
    });
  });
  if (status >= 429) {
    test(`errors: ${status} before a stream`, async () => {
      await assert.rejects(client().models.generateContentStream({ model: model(`fail-${status}`), contents: "x" }), (err) => err.status === status);
    });
  }
}

test("abort: a stream that is left", async () => {
  await left(async () => {
    const stop = new AbortController();
    await assert.rejects(async () => {
      const stream = await client().models.generateContentStream({ model: endless, contents: "x", config: { abortSignal: stop.signal } });
      for await (const chunk of stream) {
        assert.ok(chunk);
        stop.abort();
      }
      throw new Error("the stream ended");
    });
  });
});
