// Package responses is OpenAI's Responses API, the side that a provider speaks
// and the side that a client speaks.
//
// The facts are from OpenAI's API reference (developers.openai.com/api/reference,
// resources responses and responses/streaming-events), its guides on reasoning,
// conversation state and migration from Chat Completions, the specification at
// www.openresponses.org/reference, all read 2026-11-24, and recorded answers of
// OpenAI, Azure, xAI, DeepSeek, OpenRouter and Bedrock's OpenAI endpoint.
//
// What a conversation is made of differs from the unified form, where a turn is
// one message: here it is a list of items. The assistant's items that stand
// together (reasoning, message, calls) are one message there, and one message
// becomes several items here. Items of OpenAI's own tools are kept verbatim, as
// raw parts; calls of custom tools are calls with the argument input.
//
// Reasoning travels as thinking parts. Its encrypted_content is the part's
// signature, marked as OpenAI's; the other way round, the signature of another
// provider's thinking stands in encrypted_content behind a mark of ours, so that
// a client that sends its items back carries it from turn to turn (reasoning.go).
//
// The API keeps state: previous_response_id and prompt name what an earlier
// call or a person stored. This package is pure and only shows them (stored.go,
// prompt.go).
package responses
