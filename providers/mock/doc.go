// Package mock is a provider without a network: it answers in the process, at
// once or at a set pace, and needs no account. It is what a first call, a test
// and a load test talk to.
//
// Models:
//
//	echo         the last user message's text
//	verbatim     the same, whatever tools and schema are asked for
//	lorem-N      N words
//	fail-STATUS  the error that a provider's answer of that status becomes
//	embed        a deterministic unit vector; texts that share words are near
//	image        pictures of one pixel, as base64
//	speech       a WAV of silence, a tenth of a second for each word
//	transcribe   how many bytes it heard
//	moderate     flags what speaks of killing
//
// verbatim is for prompts whose template is all of the answer, such as one that
// puts together what its steps brought; it is no stand-in for another model, and
// the catalogue has it for nothing.
//
// Otherwise a request with tools gets a call of the first one (or of the one that
// tool_choice names) with arguments that fit its schema; after a tool's result
// the answer is the result's text. A request with a response schema gets an
// instance of it. max_tokens, stop and n are honoured. Tokens are counted with
// the counter given, so that usage is as exact as the gateway's own.
//
// All that is answered is a function of the request, but for the ids.
package mock
