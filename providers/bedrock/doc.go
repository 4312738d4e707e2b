// Package bedrock is the wire format of Amazon Bedrock's runtime, provider
// side: chat by Converse and ConverseStream, embeddings and ranking by
// InvokeModel, counting by CountTokens.
//
// Converse is one form for the models of many makers. What it has not is, for
// Claude, what the Messages API says of it: package anthropic writes those
// settings, and they go where Converse wants them (encode_claude.go). What
// other models can is told in models.go. What neither has is left out and
// named in Upstream.Dropped. Translated are:
//
//   - turns of one role in a row become one turn, tool results first;
//   - response_format json_schema becomes outputConfig where the model has it,
//     else one forced tool whose input is the answer, else words;
//   - cache_control marks become cachePoint blocks behind what they mark;
//   - images and documents go as bytes, or by s3:// URL: Bedrock fetches none,
//     so that those by http URL are fetched before (Chat.NeedsBytes).
//
// A caller reaches what only Bedrock has by its own names: guardrailConfig,
// performanceConfig, requestMetadata, additionalModelRequestFields,
// additionalModelResponseFieldPaths.
//
// Streams are binary messages; the last one tells the usage, after the one
// that tells why the answer stopped.
//
// Documents are at docs.aws.amazon.com/bedrock/latest. Checked on 2026-11-24
// were the fields and values of APIReference/API_runtime_{ImageBlock,
// ImageSource,DocumentBlock,VideoBlock,AudioBlock,AudioSource,CachePointBlock,
// Tool,OutputConfig,OutputFormat,OutputFormatStructure,CountTokensInput,
// TokenUsage}.html, ConverseTokensRequest of the SDKs, and of the user guide
// conversation-inference-call and structured-output. Recorded traffic shows the
// answers, the events of streams and the errors that it holds. Not checked
// against a document: which models take cache marks, for how long and where
// (userguide/prompt-caching), adaptive thinking, the settings of Nova, Titan's
// embeddings and ranking, and the list of error codes.
package bedrock
