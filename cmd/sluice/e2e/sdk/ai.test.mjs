// Vercel's AI SDK with its OpenAI provider: by chat completions, and by
// responses, which are its default.
import assert from "node:assert/strict";
import test from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import { checkCalls, clock, embedModel, endless, key, label, labelled, left, model, narrowKey, noEmbeddings, origin, pdf, pixel, read, seen, weather, without } from "./client.mjs";

const openai = (apiKey = key) => createOpenAI({ apiKey, baseURL: `${origin}/v1` });
const apis = {
  chat: { of: (words, k) => openai(k).chat(model(words)), skip: false },
  responses: { of: (words, k) => openai(k).responses(model(words)), skip: without("responses") },
};
const tools = (ran) => ({
  weather: tool({ description: "The weather of a city", inputSchema: jsonSchema(weather), execute: async (input) => (ran.push(["w", "weather", input]), "sunny") }),
  clock: tool({ inputSchema: jsonSchema(clock), execute: async (input) => (ran.push(["c", "clock", input]), "noon") }),
});
const once = { maxRetries: 0 };

for (const [api, { of, skip }] of Object.entries(apis)) {
  const by = (feature, body) => test(`${feature}: by ${api}`, { skip }, body);

  by("chat", async () => {
    const answer = await generateText({ ...once, model: of("echo_in-7"), system: "Repeat.", prompt: "hello there" });
    assert.equal(answer.text, "hello there");
    assert.equal(answer.finishReason, "stop");
    assert.equal(answer.usage.inputTokens, 7);
    assert.equal(answer.usage.outputTokens, 2);
    const cut = await generateText({ ...once, model: of("echo"), prompt: "one two three four", maxOutputTokens: 2 });
    assert.equal(cut.finishReason, "length");
  });

  by("stream", async () => {
    const result = streamText({ ...once, model: of("echo_in-7_pace-1"), prompt: "one two three" });
    const pieces = [];
    for await (const piece of result.textStream) pieces.push(piece);
    assert.equal(pieces.join(""), "one two three");
    assert.ok(pieces.length > 1);
    assert.equal(await result.finishReason, "stop");
    assert.equal((await result.usage).inputTokens, 7);
    assert.equal((await result.usage).outputTokens, 3);
  });

  by("tools", async () => {
    const ran = [];
    const answer = await generateText({ ...once, model: of("small"), prompt: "weather and time?", tools: tools(ran), stopWhen: stepCountIs(3) });
    checkCalls(ran);
    assert.equal(answer.steps.length, 2);
    assert.match(answer.text, /noon/);
    const streamed = [];
    const result = streamText({ ...once, model: of("small"), prompt: "weather and time?", tools: tools(streamed), stopWhen: stepCountIs(3) });
    assert.match(await result.text, /noon/);
    checkCalls(streamed);
  });

  by("structured", async () => {
    const answer = await generateText({ ...once, model: of("small"), prompt: "label it", output: Output.object({ schema: jsonSchema(label) }) });
    assert.deepEqual(answer.output, labelled);
  });

  by("vision", async () => {
    const answer = await generateText({
      ...once, model: of("echo"),
      messages: [{ role: "user", content: [
        { type: "text", text: "what is this?" },
        { type: "image", image: Buffer.from(pixel, "base64"), mediaType: "image/png" },
        { type: "file", data: Buffer.from(pdf, "base64"), mediaType: "application/pdf", filename: "a.pdf" },
      ] }],
    });
    assert.ok(answer.text.includes(seen) && answer.text.includes(read), answer.text);
  });

  for (const [status, fault] of [
    [400, () => of("fail-400")], [401, () => of("small", "sk-nobody")], [403, () => of("small", narrowKey)],
    [429, () => of("fail-429")], [500, () => of("fail-500")], [503, () => of("fail-503")],
  ]) {
    test(`errors: ${status} by ${api}`, { skip }, async () => {
      await assert.rejects(generateText({ ...once, model: fault(), prompt: "x" }), (err) => {
        assert.ok(APICallError.isInstance(err), String(err));
        assert.equal(err.statusCode, status);
        assert.equal(err.isRetryable, status >= 429);
        assert.ok(err.data?.error?.message, "the error is not in OpenAI's shape");
        return true;
      });
    });
  }

  by("abort", async () => {
    await left(async () => {
      const stop = new AbortController();
      const [, words] = endless.split("/");
      const result = streamText({ ...once, model: of(words), prompt: "x", abortSignal: stop.signal, onError() {} });
      for await (const piece of result.textStream) {
        assert.ok(piece);
        stop.abort();
      }
    });
  });
}

test("embeddings: several", { skip: noEmbeddings && "Anthropic has none" }, async () => {
  const { embeddings } = await embedMany({ ...once, model: openai().embedding(embedModel), values: ["one", "two"] });
  assert.equal(embeddings.length, 2);
  assert.equal(embeddings[0].length, 8);
  assert.notDeepEqual(embeddings[0], embeddings[1]);
});
