import assert from "node:assert/strict";
import test from "node:test";
import { client, model, tools, user } from "./client.mjs";

test("completion", async () => {
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

test("completion cut by max_tokens", async () => {
  const answer = await client().chat.completions.create({
    model: model("echo"), max_tokens: 2, messages: user("one two three four"),
  });
  assert.equal(answer.choices[0].finish_reason, "length");
  assert.equal(answer.usage.completion_tokens, 2);
});

test("stream with usage", async () => {
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

test("stream without usage", async () => {
  const stream = await client().chat.completions.create({ model: model("echo"), messages: user("one two"), stream: true });
  for await (const chunk of stream) {
    assert.equal(chunk.usage ?? null, null);
    assert.equal(chunk.choices.length, 1);
  }
});

test("stream through the client's own accumulator", async () => {
  const runner = client().chat.completions.stream({ model: model("echo"), messages: user("all of it") });
  const final = await runner.finalChatCompletion();
  assert.equal(final.choices[0].message.content, "all of it");
});

test("a stream that is left", async () => {
  const stream = await client().chat.completions.create({ model: model("chunks-1000_pace-10"), messages: user("x"), stream: true });
  for await (const chunk of stream) {
    assert.ok(chunk.id);
    break;
  }
});

test("parallel tool calls, streamed, and their results", async () => {
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
  checkCalls(calls);
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

test("parallel tool calls in one answer", async () => {
  const answer = await client().chat.completions.create({ model: model("small"), messages: user("?"), tools });
  assert.equal(answer.choices[0].finish_reason, "tool_calls");
  checkCalls(answer.choices[0].message.tool_calls);
});

test("one tool call where parallel ones are not wanted", async () => {
  const answer = await client().chat.completions.create({
    model: model("small"), messages: user("?"), tools, parallel_tool_calls: false,
    tool_choice: { type: "function", function: { name: "clock" } },
  });
  const calls = answer.choices[0].message.tool_calls;
  assert.equal(calls.length, 1);
  assert.deepEqual([calls[0].function.name, JSON.parse(calls[0].function.arguments)], ["clock", { zone: "UTC" }]);
});

function checkCalls(calls) {
  assert.equal(calls.length, 2);
  assert.notEqual(calls[0].id, calls[1].id);
  assert.deepEqual(calls.map((c) => c.function.name), ["weather", "clock"]);
  assert.deepEqual(JSON.parse(calls[0].function.arguments), { city: "text", days: 1 });
  assert.deepEqual(JSON.parse(calls[1].function.arguments), { zone: "UTC" });
}

test("structured output", async () => {
  const response_format = {
    type: "json_schema",
    json_schema: {
      name: "label",
      strict: true,
      schema: {
        type: "object",
        properties: { label: { type: "string", enum: ["good", "bad"] }, sure: { type: "boolean" } },
        required: ["label", "sure"],
        additionalProperties: false,
      },
    },
  };
  const answer = await client().chat.completions.create({ model: model("small"), messages: user("label it"), response_format });
  assert.deepEqual(JSON.parse(answer.choices[0].message.content), { label: "good", sure: true });
  const parsed = await client().chat.completions.parse({ model: model("small"), messages: user("label it"), response_format });
  assert.equal(parsed.choices[0].finish_reason, "stop");
});

test("vision", async () => {
  const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const answer = await client().chat.completions.create({
    model: model("echo"),
    messages: user([
      { type: "text", text: "what is this?" },
      { type: "image_url", image_url: { url: `data:image/png;base64,${pixel}` } },
    ]),
  });
  assert.equal(answer.choices[0].message.content, `what is this? [image image/png ${pixel.length}]`);
});
