// A line of JSON for each test, for sdk_test.go.
export default async function* (events) {
  for await (const { type, data } of events) {
    if ((type !== "test:pass" && type !== "test:fail") || data.details?.type === "suite") continue;
    const error = data.details?.error;
    yield JSON.stringify({
      name: data.name,
      ok: type === "test:pass",
      skip: data.skip === undefined ? "" : String(data.skip || "skipped"),
      error: error ? String(error.cause?.stack ?? error.cause ?? error.stack ?? error).slice(0, 3000) : "",
    }) + "\n";
  }
}
