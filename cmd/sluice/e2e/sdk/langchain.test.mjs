// LangChain's OpenAI integration.
import assert from "node:assert/strict";
import test from "node:test";
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { checkCalls, clock, embedModel, endless, key, label, labelled, left, model, narrowKey, noEmbeddings, origin, pixel, seen, weather, without } from "./client.mjs";

const options = (apiKey) => ({ apiKey, maxRetries: 0, configuration: { baseURL: `${origin}/v1` } });
const tools = [
  { type: "function", function: { name: "weather", description: "The weather of a city", parameters: weather } },
  { type: "function", function: { name: "clock", parameters: clock } },
];
const apis = { chat: false, responses: without("responses") };

for (const [api, skip] of Object.entries(apis)) {
  const of = (words, apiKey = key) => new ChatOpenAI({ ...options(apiKey), model: model(words), useResponsesApi: api === "responses" });
  const by = (feature, body) => test(`${feature}: by ${api}`, { skip }, body);

  by("chat", async () => {
    const answer = await of("echo_in-7").invoke([new SystemMessage("Repeat."), new HumanMessage("hello there")]);
    assert.equal(answer.text, "hello there");
    assert.equal(answer.usage_metadata.input_tokens, 7);
    assert.equal(answer.usage_metadata.output_tokens, 2);
  });

  by("stream", async () => {
    let all;
    for await (const chunk of await of("echo_in-7_pace-1").stream("one two three")) all = all ? all.concat(chunk) : chunk;
    assert.equal(all.text, "one two three");
    assert.equal(all.usage_metadata.input_tokens, 7);
    assert.equal(all.usage_metadata.output_tokens, 3);
  });

  by("tools", async () => {
    const llm = of("small").bindTools(tools);
    const question = new HumanMessage("weather and time?");
    let first;
    for await (const chunk of await llm.stream([question])) first = first ? first.concat(chunk) : chunk;
    checkCalls(first.tool_calls.map((c) => [c.id, c.name, c.args]));
    const whole = await llm.invoke([question]);
    checkCalls(whole.tool_calls.map((c) => [c.id, c.name, c.args]));
    assert.ok(whole instanceof AIMessage);
    const answer = await llm.invoke([question, whole, ...whole.tool_calls.map((c) => new ToolMessage({ tool_call_id: c.id, content: "noon" }))]);
    assert.match(answer.text, /noon/);
  });

  by("structured", async () => {
    const schema = { title: "label", ...label };
    for (const method of ["jsonSchema", "functionCalling"]) {
      const answer = await of("small").withStructuredOutput(schema, { name: "label", method }).invoke("label it");
      assert.deepEqual(answer, labelled, method);
    }
  });

  by("vision", async () => {
    const answer = await of("echo").invoke([new HumanMessage({
      content: [{ type: "text", text: "what is this?" }, { type: "image_url", image_url: { url: `data:image/png;base64,${pixel}` } }],
    })]);
    assert.ok(answer.text.includes(seen), answer.text);
  });

  for (const [status, fault] of [
    [400, () => of("fail-400")], [401, () => of("small", "sk-nobody")], [403, () => of("small", narrowKey)], [404, () => of("fail-404")],
    [429, () => of("fail-429")], [500, () => of("fail-500")], [503, () => of("fail-503")],
  ]) {
    test(`errors: ${status} by ${api}`, { skip }, async () => {
      await assert.rejects(fault().invoke("x"), (err) => {
        assert.equal(err.status, status, String(err));
        return true;
      });
    });
  }

  by("abort", async () => {
    await left(async () => {
      const stop = new AbortController();
      const [, words] = endless.split("/");
      await assert.rejects(async () => {
        for await (const chunk of await of(words).stream("x", { signal: stop.signal })) {
          if (chunk.text) stop.abort();
        }
        throw new Error("the stream ended");
      }, (err) => err.message !== "the stream ended");
    });
  });
}

test("embeddings: several and one", { skip: noEmbeddings && "Anthropic has none" }, async () => {
  const embeddings = new OpenAIEmbeddings({ ...options(key), model: embedModel });
  const [one, two] = await embeddings.embedDocuments(["one", "two"]);
  assert.equal(one.length, 8);
  assert.notDeepEqual(one, two);
  assert.deepEqual(await embeddings.embedQuery("one"), one);
});
