// An answer and a stream with Google's package for Node.js.
//
//   npm install @google/genai
//   SLUICE_URL=http://127.0.0.1:8080 SLUICE_KEY=sk-… node examples/clients/generate.mjs
import { GoogleGenAI } from "@google/genai";

const client = new GoogleGenAI({ apiKey: process.env.SLUICE_KEY, httpOptions: { baseUrl: process.env.SLUICE_URL } });
const contents = "Hello from Node";

const answer = await client.models.generateContent({ model: "mock/echo", contents });
console.log(answer.text, answer.usageMetadata.totalTokenCount);

for await (const chunk of await client.models.generateContentStream({ model: "mock/echo", contents })) {
  process.stdout.write(chunk.text ?? "");
  if (chunk.usageMetadata) console.log(` (${chunk.usageMetadata.totalTokenCount} tokens)`);
}

try {
  await client.models.generateContent({ model: "mock/fail-429", contents });
} catch (e) {
  const { status } = JSON.parse(e.message).error;
  console.log(e.status, status);
}
