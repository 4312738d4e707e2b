// Package upstream is a fake provider for tests and benchmarks. It speaks
// OpenAI's API (chat completions, responses, embeddings, models), Anthropic's (messages),
// Gemini's (generateContent, streamGenerateContent, embedContent, countTokens;
// Vertex AI's paths too) and Bedrock's (converse, converse-stream as binary
// messages, invoke for embeddings), costs little CPU, and does what the name of
// the model asks:
//
//	small              a JSON answer of about 0.6 KB; also what unknown words give
//	big                about 10 KB of text
//	echo               the last user message; with chunks-N once in every chunk
//	loose              no care for a response schema: echo_loose says what it is told
//	chunks-N           a stream of N content chunks (default 60 for small and big)
//	pace-N             N milliseconds between chunks; without it all go in one write
//	each               a write for each chunk, with no pause
//	delay-N            N milliseconds before the head
//	fail-S             an error with status S; times-K: the first K calls only
//	after-N            Retry-After: N on the errors
//	silent             no answer until the peer leaves
//	hang-N             silence after N chunks
//	cut-N              the connection closes after N chunks (bytes, if not a stream)
//	in-N, out-N        the usage to report; a max_tokens of the request still bounds out
//	spent-N            says that nothing is left of a rate limit for N seconds
//	break-N            an error event after N chunks of a stream
//	garbage            bytes that are no answer, with status 200
//	context, filter,   OpenAI's errors for a context that is too long, a content
//	quota              filter and a spent quota
//	over-N             a usage that tells N percent more output, beyond any max_tokens
//	think              thoughts first
//
// Words are joined with underscores: echo_chunks-20_pace-10. A key that holds
// fail-S (sk-fail-429) makes every call with it fail with that status.
//
// Tools in the request are called (two in parallel where allowed), a response
// schema is answered with an instance of it, and images show in an echo as
// [image TYPE LENGTH].
//
// It is as strict as the providers where adapters go wrong: tool calls and
// results must pair, signatures must be its own, AWS's must be right for
// AWSSecret, Gemini takes no field that it does not know (strict.go).
//
// GET /stats tells what is open, done and cancelled by the peer, GET /last the
// requests that came last. The formats follow the providers' API references
// (platform.openai.com/docs/api-reference, docs.anthropic.com/en/api,
// ai.google.dev/api, docs.aws.amazon.com/bedrock/latest/APIReference), read
// November 2026.
package upstream
