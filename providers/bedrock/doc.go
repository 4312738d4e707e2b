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
//   - images and documents go as bytes, or by s3:// URL: Bedrock fetches none.
//
// A caller reaches what only Bedrock has by its own names: guardrailConfig,
// performanceConfig, requestMetadata, additionalModelRequestFields,
// additionalModelResponseFieldPaths.
//
// Streams are binary messages; the last one tells the usage, after the one
// that tells why the answer stopped.
//
// Documents, read 2026-11-24, at docs.aws.amazon.com/bedrock/latest:
// APIReference/API_runtime_{Converse,ConverseStream,ConverseStreamOutput,
// ContentBlock,CachePointBlock,OutputConfig,InvokeModel,CountTokens}.html,
// userguide/{structured-output,prompt-caching,claude-messages-adaptive-thinking,
// model-parameters-titan-embed-text,troubleshooting-api-error-codes}.html, and
// nova/latest/nova2-userguide/{core-inference,using-converse-api}.html.
package bedrock
