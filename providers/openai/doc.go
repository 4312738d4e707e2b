// Package openai is OpenAI's Chat Completions and Embeddings API, the side
// that a provider speaks and the side that a client speaks.
//
// Most hosts of open models speak it too, each with a few words of its own;
// what they add is read wherever they put it, and what they lack is a quirk
// (New). The facts are from OpenAI's API reference
// (platform.openai.com/docs/api-reference/chat, read November 2026), the
// references of DeepSeek, Groq, Mistral, OpenRouter and xAI, and recorded
// answers of fourteen hosts.
//
// Two of the extensions are LiteLLM's (docs.litellm.ai/docs/reasoning_content):
// reasoning_content and thinking_blocks in messages, so that a client of this
// dialect can carry a model's signed thinking from turn to turn. cache_control
// on parts and tools is Anthropic's mark, as OpenRouter and LiteLLM take it.
//
// Beside it stand the older text completions (Completions), and what goes
// through as it is (pass.go): pictures, speech, transcripts, moderations, files,
// batches and realtime sessions, of which only the usage is read.
//
// The raw side (head, splice, scan) is the hot path: it walks the bytes once,
// edits a copy, and allocates next to nothing.
package openai
