// Package anthropic is Anthropic's Messages API, the side that a provider speaks
// and the side that a client speaks.
//
// Provider side: unified requests go out as POST /v1/messages and
// /v1/messages/count_tokens, answers, streams and errors come back unified.
// What the API has not, or not for the model asked, is left out and named in
// Upstream.Dropped; nothing that the caller said is lost in silence. Where the
// API says a thing in another way (system turns, tool results, JSON answers,
// thinking) it is translated:
//
//   - system and developer messages become top-level system blocks;
//   - turns of one role in a row become one turn, tool results first;
//   - response_format json_schema becomes output_config.format where the model
//     has it, else one forced tool (AnswerTool) whose input is the answer;
//   - reasoning effort becomes adaptive thinking with output_config.effort on
//     models that have it, else a thinking budget below max_tokens.
//
// Client side: a turn of the user becomes the results of tools and what the user
// says; blocks of the API's own tools and all fields that the unified form has no
// word for are kept verbatim, for providers of this dialect. Streams are written
// block after block, whatever order a provider's deltas come in (writer.go).
//
// Raw side: a body goes on with model and limit replaced (head.go), and its
// answer is read as it passes (scan.go).
//
// Which model has what is told in models.go. Documents, read 2026-11-24:
// platform.claude.com/docs/en/api/messages, …/api/errors,
// …/build-with-claude/{structured-outputs,adaptive-thinking,effort,
// extended-thinking,prompt-caching,streaming,files,pdf-support} and
// docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-adaptive-thinking.html.
// The client side is held to the types and the stream reader of npm's
// @anthropic-ai/sdk 1.13.0, read 2026-11-24.
package anthropic
