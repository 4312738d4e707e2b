// Package mistral is the wire format of Mistral's API, provider side: OpenAI's
// chat completions and embeddings with words of Mistral's own. It wraps
// package openai and changes only what differs:
//
//   - seed is random_seed, tool_choice required is any, dimensions are
//     output_dimension, and the output's limit is max_tokens;
//   - ids of tool calls are nine letters and digits: others are hashed to that
//     form, the same id always to the same;
//   - thinking is a part of the content ({"type":"thinking","thinking":[…]}),
//     in answers and, sent back, in messages; documents are document_url;
//   - tools' results may hold pictures, and a turn of the user must not follow
//     one at once: a blank turn of the model is put between;
//   - a last turn of the model is a prefix to go on from;
//   - reasoning_effort is high or none, for models that have it, and the API
//     refuses fields that it does not know (422, extra_forbidden): what is not
//     its own is left out and named.
//
// There is no raw side. A body of OpenAI's cannot go through unread, for most
// programs set a field that is refused; and an answer cannot, for the content
// of a thinking model's is a list where OpenAI's clients read a string. Who
// wants the bytes to pass declares the provider as openai-compatible.
//
// Documents, checked on 2026-11-24: docs.mistral.ai/capabilities/vision (pictures
// by URL or as data), and the fields of a request in clients made from Mistral's
// OpenAPI description. Recorded traffic shows answers, thinking, ids of calls and
// what is refused. Not checked against a document: document_url, the values of
// reasoning_effort, and the order of roles.
package mistral
