// An answer and a stream with OpenAI's package for Node.js.
//
//   npm install openai
//   OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=sk-… node examples/clients/chat.mjs
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 }); // reads both variables; Sluice retries already
const messages = [{ role: "user", content: "Hello from Node" }];

const answer = await client.chat.completions.create({ model: "mock/echo", messages });
console.log(answer.choices[0].message.content, answer.usage.total_tokens);

const stream = await client.chat.completions.create({
  model: "mock/echo", messages, stream: true, stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
  if (chunk.usage) console.log(` (${chunk.usage.total_tokens} tokens)`);
}

try {
  await client.chat.completions.create({ model: "mock/fail-429", messages });
} catch (e) {
  console.log(e.status, e.code, e.requestID);
}
