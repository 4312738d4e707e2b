// An answer and a stream with Anthropic's package for Node.js.
//
//   npm install @anthropic-ai/sdk
//   SLUICE_URL=http://127.0.0.1:8080 SLUICE_KEY=sk-… node examples/clients/messages.mjs
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.env.SLUICE_URL, apiKey: process.env.SLUICE_KEY, maxRetries: 0 }); // Sluice retries already
const messages = [{ role: "user", content: "Hello from Node" }];

const answer = await client.messages.create({ model: "mock/echo", max_tokens: 1000, messages });
console.log(answer.content[0].text, answer.usage.input_tokens + answer.usage.output_tokens);

const stream = client.messages.stream({ model: "mock/echo", max_tokens: 1000, messages });
stream.on("text", (text) => process.stdout.write(text));
const { usage } = await stream.finalMessage();
console.log(` (${usage.input_tokens + usage.output_tokens} tokens)`);

try {
  await client.messages.create({ model: "mock/fail-429", max_tokens: 1000, messages });
} catch (e) {
  console.log(e.status, e.error.error.type, e.requestID);
}
