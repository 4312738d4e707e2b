// Package ollama is Ollama's own API, provider side: POST /api/chat, whose
// stream is a JSON value a line, and POST /api/embed.
//
// Ollama speaks OpenAI's API too; its own has what that one has not: keep_alive,
// the runtime's options (num_ctx, …), thinking that can be turned off, and the
// prompt's cached tokens. Where it says a thing in another way it is translated:
//
//   - a turn's content is one string, its pictures a list of base64 beside it;
//     text documents are told in words;
//   - arguments of calls are objects; a result names its tool;
//   - sampling and limits are options, response_format is format;
//   - tool_choice none leaves the tools out.
//
// It has no other tool_choice, no n, no logit_bias, no PDFs and no sounds: they
// are left out and named. The server fetches nothing: pictures and texts by URL are
// fetched before (Chat.NeedsBytes).
//
// Servers before 0.9 give calls no id; one is made of the answer's time and the
// call's place.
//
// Documents, read 2026-11-24: docs.ollama.com/api/{chat,embed,streaming,errors},
// docs.ollama.com/openapi.yaml, docs.ollama.com/capabilities/{thinking,
// tool-calling,structured-outputs}, and recorded traffic.
package ollama
