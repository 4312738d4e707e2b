// Package gemini is the wire format of Gemini's generateContent API, provider
// side, client side and raw side; Vertex AI's Gemini speaks it on other paths
// (New, VertexPath).
//
// What is told elsewhere than in other dialects:
//
//   - the model and the streaming stand in the path, not in the body;
//   - a stream has no terminal event: it is whole once every candidate has a
//     finish reason and the transport ended properly (dialect.Ender);
//   - JSON names may be in camelCase or snake_case, a list of one may be bare;
//   - thoughts are counted beside the candidates' tokens, the prompts of
//     server-side tools beside the prompt (usage.go adds them up).
//
// Signatures. Models sign their thoughts, and from Gemini 3 on refuse a
// conversation whose function calls come back unsigned. The signature of a
// function call travels in the call's id (wire.SignCall), which every client
// sends back; one that got lost is replaced by the value that the API takes
// for it (signature.go). The signature of a text travels as that of a thinking
// part, marked as Gemini's so that no other model is shown it as its own, and
// the other way round.
//
// What the API has not is named in Upstream.Dropped, by OpenAI's names.
//
// Documents, read 2026-11-24: ai.google.dev/api/{generate-content,embeddings,
// tokens,caching}, ai.google.dev/gemini-api/docs/{thinking,thought-signatures,
// function-calling,structured-output,priority-inference,gemini-3},
// docs.cloud.google.com/vertex-ai/docs/reference/rest/v1/GenerateContentResponse
// and …/vertex-ai/generative-ai/docs/{thinking,thought-signatures,model-reference/
// text-embeddings-api}; and recorded answers of both hosts. Media by URL: see
// needsBytes.
package gemini
