// A client of the gateway's prompts in TypeScript, whose types openapi-typescript
// made of /openapi.json: see clients_test.go. That it compiles is half of the
// test: lines that must not compile say so.
import createClient from "openapi-fetch";
import type { components, paths } from "./openapi.js";

declare const process: { env: Record<string, string | undefined> };

const client = createClient<paths, "application/json">({
  baseUrl: process.env.SLUICE_SDK_ORIGIN ?? "",
  headers: { Authorization: `Bearer ${process.env.SLUICE_SDK_KEY}` },
});

function check(ok: boolean, what: string, saw: unknown): void {
  if (!ok) throw new Error(`${what}: ${JSON.stringify(saw)}`);
}

// An output is an object with the fields of its schema.
const sorted = await client.POST("/classify", { body: { text: "My parcel never came." } });
const sentiment: "positive" | "negative" | "neutral" | undefined = sorted.data?.sentiment;
check(sentiment === "positive" && sorted.data?.confidence === 1, "classify", sorted);
check(sorted.response.headers.get("x-sluice-prompt") === "classify@1", "the version", [...sorted.response.headers]);

// Lists of objects go in and out; what has a default need not be sent.
const query = await client.POST("/sql", {
  body: { question: "How many orders were late?", tables: [{ name: "orders", columns: ["due_on", "sent_on"] }] },
});
check(query.data?.query === "query", "sql", query);
const cv = await client.POST("/extract", { body: { text: "Ada King, analyst" } });
const year: number | null | undefined = cv.data?.education[0]?.year;
check(year === 1 && cv.data?.experience[0]?.company === "company", "extract", cv);

// A schema that refers to itself is a type that does.
const tree: components["schemas"]["TreeInput"] = { node: { name: "a", next: { name: "b", next: { name: "c" } } } };
const found = await client.POST("/prompts/tree", { body: tree, params: { header: { "X-Prompt-Version": 1 } } });
const kind: "x" | "y" | undefined = found.data?.kind;
check(kind === "x" && Array.isArray(found.data?.found), "tree", found);

// An output that is text is text.
const rewritten = await client.POST("/rewrite", { body: { text: "so it is", tone: "formal" }, parseAs: "text" });
check(String(rewritten.data) === "so it is", "rewrite", rewritten);

// What is wrong is told, field by field, in a type of its own.
// @ts-expect-error there is no such tone
const wrong = await client.POST("/rewrite", { body: { text: "x", tone: "loud" } });
const problem = wrong.error as components["schemas"]["InvalidInputProblem"] | undefined;
check(wrong.response.status === 422 && problem?.errors[0]?.pointer === "/tone", "422", wrong);
// @ts-expect-error a field is missing
const missing = await client.POST("/translate", { body: { text: "x" } });
check(missing.response.status === 422, "422", missing.error);
// @ts-expect-error this key may not call it, so it is not described
const closed = await client.POST("/prompts/closed", { body: { text: "x" } });
check(closed.response.status === 403, "403", closed);
const future = await client.POST("/classify", { body: { text: "x" }, params: { header: { "X-Prompt-Version": 9 } } });
check(future.response.status === 404, "404", future);

console.log("all is well");
