// Package cohere is the wire format of Cohere's API v2, provider side: chat,
// embeddings and rerank.
//
// Chat goes to POST /v2/chat. Where the API says a thing in another way it is
// translated:
//
//   - the plan that a model makes before it calls tools (tool_plan) is
//     thinking, and goes back as tool_plan with the calls that it led to;
//   - a forced function becomes that one tool and tool_choice REQUIRED;
//   - tools that are all strict become strict_tools;
//   - pictures in a tool's result follow the results in a turn of the user;
//   - text documents in a turn become entries of documents, which the model
//     cites.
//
// What the API has not is left out and named in Upstream.Dropped: n,
// logit_bias, top_logprobs, min_p and the like, PDFs, sounds, a response_format
// beside tools or documents. Fields of Cohere's own (documents, safety_mode,
// citation_options, …) pass from a client's body.
//
// Usage is in the model's tokens (usage.tokens), which count the API's own
// preamble and of which usage.cached_tokens are a part; usage.billed_units
// stand in where there are none. They are what is charged for. Rerank is billed by searches, which no count
// of tokens can tell: price it by the request.
//
// Documents, checked on 2026-11-24: docs.cohere.com/reference/chat and chat-stream
// (path, messages, tools), docs.cohere.com/docs/image-inputs, and the fields of
// a request as Oracle's SDK names them. Recorded traffic shows answers, streams
// and usage. Not checked against a document: the list of errors, what may not
// stand beside response_format, and the limits of rerank.
package cohere
