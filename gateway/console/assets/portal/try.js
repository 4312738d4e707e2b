// Sends the form "try" to the gateway and shows the answer as it comes. What it
// says to people stands in the form's data.
const form = document.getElementById("try");
const answer = document.getElementById("answer");
const output = document.getElementById("output");
const fault = document.getElementById("fault");
const facts = document.getElementById("facts");
const stop = document.getElementById("stop");
const longest = 200_000; // characters that are shown
let running = null;

// input is the object that the fields make.
function input() {
  const body = {};
  for (const field of form.querySelectorAll("[data-name]")) {
    const { name, type } = field.dataset;
    if (field.value === "" && !field.required) continue;
    let value = field.value;
    if (type === "json") {
      try {
        value = JSON.parse(value);
      } catch {
        throw new Error(`${name || "input"} ${form.dataset.bad}`);
      }
    }
    if (name === "") return value;
    body[name] = value;
  }
  return body;
}

function request() {
  const headers = { "x-sluice-portal": form.elements.csrf.value };
  if (form.dataset.kind === "prompt") {
    headers["content-type"] = "application/json";
    headers.accept = "text/event-stream";
    return [form.dataset.path, { method: "POST", headers, body: JSON.stringify(input()) }];
  }
  const { method, path, body } = form.elements;
  const init = { method: method.value, headers };
  if (body.value && method.value !== "GET") {
    init.body = body.value;
    headers["content-type"] = /^\s*[[{]/.test(body.value) ? "application/json" : "text/plain";
  }
  return [form.dataset.path + (path.value.startsWith("/") ? "" : "/") + path.value, init];
}

function show(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  output.textContent = text.length > longest ? text.slice(0, longest) + "…" : text;
}

// tell adds what is known of the call to the line below the answer.
function tell(...parts) {
  facts.textContent = parts.filter(Boolean).join(" · ");
}

function problem(p, status) {
  const lines = [p.detail || p.title || p.error?.message || String(status)];
  for (const e of p.errors ?? []) lines.push(`${e.pointer} ${e.message}`);
  fault.textContent = lines.join("\n");
}

// event takes one event of a prompt's stream in.
function event(kind, data, id) {
  const d = JSON.parse(data);
  if (kind === "done") {
    show(d.output);
    const t = form.dataset;
    tell(`${t.cost} $${d.cost}`, `${d.usage.input_tokens} ${t.in}, ${d.usage.output_tokens} ${t.out}`, `${t.version} ${d.version}`, `${t.id} ${id}`);
  } else if (kind === "error") {
    problem(d);
  } else if (d.delta && output.textContent.length < longest) {
    output.append(d.delta);
  }
}

async function stream(res, id) {
  const reader = res.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const frames = (rest + value).split("\n\n");
    rest = frames.pop();
    for (const frame of frames) {
      let kind = "message";
      const data = [];
      for (const line of frame.split("\n")) {
        if (line.startsWith("event:")) kind = line.slice(6).trim();
        if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
      }
      if (data.length) event(kind, data.join("\n"), id);
    }
  }
}

async function send() {
  const [path, init] = request();
  running = new AbortController();
  stop.hidden = false;
  const res = await fetch(path, { ...init, signal: running.signal, redirect: "manual", credentials: "same-origin" });
  const id = res.headers.get("x-request-id") ?? "";
  const kind = res.headers.get("content-type") ?? "";
  if (kind.startsWith("text/event-stream")) return stream(res, id);
  const text = await res.text();
  const cost = res.headers.get("x-sluice-cost");
  tell(`HTTP ${res.status}`, cost && `${form.dataset.cost} $${cost}`, id && `${form.dataset.id} ${id}`);
  if (kind.includes("json")) {
    const body = JSON.parse(text);
    if (res.ok) return show(body);
    problem(body, res.status);
    return show("");
  }
  show(text);
}

form.hidden = false;
form.addEventListener("submit", async (e) => {
  e.preventDefault();
  running?.abort();
  answer.hidden = false;
  fault.textContent = output.textContent = "";
  tell(form.dataset.busy);
  try {
    await send();
  } catch (err) {
    const said = err instanceof TypeError || err instanceof SyntaxError ? form.dataset.lost : err.message;
    if (err.name === "AbortError") tell(form.dataset.left);
    else {
      fault.textContent = said;
      tell();
    }
  }
  stop.hidden = true;
});
stop.addEventListener("click", () => running?.abort());
