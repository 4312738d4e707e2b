import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";
import { client, model, narrowKey, provider, user } from "./client.mjs";

const speaksOpenAI = provider === "up";

test("embeddings", { skip: !speaksOpenAI && "Anthropic has none" }, async () => {
  const ask = (extra) => client().embeddings.create({ model: model("embed"), input: ["one", "two"], ...extra });
  const byDefault = await ask({}); // the client asks for base64 and unpacks it
  const floats = await ask({ encoding_format: "float" });
  const packed = await ask({ encoding_format: "base64" });
  assert.equal(floats.data.length, 2);
  assert.equal(floats.data[1].index, 1);
  assert.ok(floats.usage.prompt_tokens > 0);
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

test("embeddings of a provider that has none", { skip: speaksOpenAI && "it has them" }, async () => {
  await assert.rejects(client().embeddings.create({ model: model("embed"), input: "one" }), (err) => {
    assert.ok(err instanceof OpenAI.APIError, String(err));
    assert.ok(err.status >= 400 && err.status < 502, `status ${err.status}`);
    assert.ok(err.requestID, "the error has a request id");
    return true;
  });
});

test("models", async () => {
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
  [422, OpenAI.UnprocessableEntityError, (c) => ask(c, "fail-422")],
  [429, OpenAI.RateLimitError, (c) => ask(c, "fail-429_after-1")],
  [500, OpenAI.InternalServerError, (c) => ask(c, "fail-500")],
  [503, OpenAI.InternalServerError, (c) => ask(c, "fail-503")],
];

const ask = (c, words, extra) => c.chat.completions.create({ model: model(words), messages: user("x"), ...extra });

for (const [status, type, fault] of faults) {
  test(`error ${status}: ${fault.toString().slice(0, 60)}`, async () => {
    await assert.rejects(fault(client()), (err) => {
      assert.equal(err.status, status);
      assert.ok(err instanceof type, `${err.constructor.name} is not ${type.name}`);
      assert.ok(err.requestID, "the error has a request id");
      assert.ok(err.message, "the error has a message");
      assert.ok("code" in err && err.type, `code ${err.code}, type ${err.type}`);
      return true;
    });
  });
  if (status >= 422) {
    test(`error ${status} before a stream`, async () => {
      await assert.rejects(ask(client(), `fail-${status}`, { stream: true }), type);
    });
  }
}

test("a stream that its provider cuts is an error", async () => {
  await assert.rejects(async () => {
    const stream = await ask(client(), "chunks-20_cut-9", { stream: true });
    for await (const chunk of stream) assert.ok(chunk);
  }, OpenAI.APIError);
});
