// What the tests share. The gateway's address, key and the provider under test
// come from the environment; see sdk_test.go.
import OpenAI from "openai";

function env(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run this through go test`);
  return value;
}

export const provider = env("SLUICE_SDK_PROVIDER"); // up: OpenAI-shaped, ant: Anthropic
export const narrowKey = env("SLUICE_SDK_NARROW_KEY"); // may use one model alone

// A retry would hide an error.
export function client(apiKey = env("SLUICE_SDK_KEY")) {
  return new OpenAI({ apiKey, baseURL: env("SLUICE_SDK_URL"), maxRetries: 0, timeout: 20_000 });
}

export const model = (words) => `${provider}/${words}`;

export const user = (content) => [{ role: "user", content }];

export const tools = [
  {
    type: "function",
    function: {
      name: "weather",
      description: "The weather of a city",
      parameters: {
        type: "object",
        properties: { city: { type: "string" }, days: { type: "integer" } },
        required: ["city", "days"],
        additionalProperties: false,
      },
    },
  },
  {
    type: "function",
    function: {
      name: "clock",
      parameters: { type: "object", properties: { zone: { type: "string", enum: ["UTC", "CET"] } }, required: ["zone"] },
    },
  },
];
