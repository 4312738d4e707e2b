package main

import (
	"os"
	"strings"
	"testing"

	"sluice/billing"
	"sluice/providers/anthropic"
	"sluice/providers/bedrock"
	"sluice/providers/catalog"
	"sluice/providers/cohere"
	"sluice/providers/dialect"
	"sluice/providers/gemini"
	"sluice/providers/mistral"
	"sluice/providers/openai"
	"sluice/providers/providertest"
	"sluice/providers/responses"
)

// The price pages, as the catalogue has them: their days are in its files.
const (
	openaiPage    = "https://developers.openai.com/api/docs/pricing"
	anthropicPage = "https://platform.claude.com/docs/en/about-claude/pricing"
	fastPage      = "https://platform.claude.com/docs/en/build-with-claude/fast-mode"
	geminiPage    = "https://ai.google.dev/gemini-api/docs/pricing"
	vertexPage    = "https://cloud.google.com/vertex-ai/generative-ai/pricing"
	bedrockPage   = "https://aws.amazon.com/bedrock/pricing/"
	coherePage    = "https://cohere.com/pricing"
	mistralPage   = "https://mistral.ai/pricing"
	deepseekPage  = "https://api-docs.deepseek.com/quick_start/pricing"
	xaiPage       = "https://docs.x.ai/docs/models"
)

// priceRow is an answer of a provider and what its price page says that it
// costs. The sum is worked out by hand, in millionths of a dollar.
type priceRow struct {
	name, provider, model string
	page, sum, want       string

	wire     string // a recording's id, and its endpoint
	endpoint string
	body     string // or an answer as the provider documents it
	stream   bool
}

var recordedPrices = []priceRow{
	{name: "OpenAI, cached", provider: "openai", model: "gpt-4o-mini", page: openaiPage, wire: "openai-chat-cached_tokens_non_ascii", endpoint: "chat",
		sum: "89*0.15 + 1408*0.075 + 1037*0.6", want: "0.00074115"},
	{name: "OpenAI Responses, cached", provider: "openai", model: "gpt-5", page: openaiPage, wire: "openai-responses-cached_tokens_tool_result", endpoint: "responses",
		sum: "39*1.25 + 2048*0.125 + 124*10", want: "0.00154475"},
	{name: "OpenAI Responses, cached, streamed", provider: "openai", model: "gpt-4o", page: openaiPage, wire: "openai-responses-stream-cached_tokens", endpoint: "responses", stream: true,
		sum: "125*2.5 + 1390*1.25 + 8*10", want: "0.00213"},
	{name: "OpenAI Responses, reasoning, streamed", provider: "openai", model: "gpt-5-nano", page: openaiPage, wire: "openai-responses-stream-encrypted_reasoning_reasoning", endpoint: "responses", stream: true,
		sum: "13*0.05 + 284*0.4", want: "0.00011425"},
	{name: "OpenAI, audio heard", provider: "openai", model: "gpt-4o-audio-preview", page: openaiPage, wire: "openai-chat-audio_input.2", endpoint: "chat",
		sum: "20*2.5 + 44*40 + 9*10", want: "0.0019"},
	{name: "OpenAI, audio heard by a small model", provider: "openai", model: "gpt-audio-mini", page: openaiPage, wire: "openai-chat-audio_input", endpoint: "chat",
		sum: "16*0.6 + 37*10 + 123*2.4", want: "0.0006748"},
	{name: "Anthropic, cache read and written", provider: "anthropic", model: "claude-sonnet-4-5", page: anthropicPage, wire: "anthropic-messages-cache_write_cached_tokens", endpoint: "messages",
		sum: "10*3 + 1*0.3 + 2*3.75 + 21*15", want: "0.0003528"},
	{name: "Anthropic, cache read, streamed", provider: "anthropic", model: "claude-sonnet-4-20250514", page: anthropicPage, wire: "anthropic-messages-stream-cache_request_cached_tokens_truncated", endpoint: "messages", stream: true,
		sum: "11*3 + 1031*0.3 + 100*15", want: "0.0018423"},
	{name: "Gemini, cached and thinking", provider: "gemini", model: "gemini-2.5-flash", page: geminiPage, wire: "gemini-generate-cache_request_cached_tokens_reasoning", endpoint: "generate",
		sum: "13*0.3 + 9609*0.03 + (35+136)*2.5", want: "0.00071967"},
	{name: "Vertex, thinking, streamed, flex without a price of its own", provider: "vertex", model: "gemini-3-flash-preview", page: vertexPage, wire: "vertex-generate-stream-reasoning_signature", endpoint: "generate", stream: true,
		sum: "5*0.5 + (1+100)*3", want: "0.0003055"},
	{name: "Bedrock, cache written", provider: "bedrock", model: "us.anthropic.claude-haiku-4-5-20251001-v1:0", page: bedrockPage, wire: "bedrock-converse-cache_request_cache_write", endpoint: "converse",
		sum: "10*1.1 + 7351*1.375 + 4*5.5", want: "0.010140625"},
	{name: "Bedrock, cache read", provider: "bedrock", model: "us.anthropic.claude-haiku-4-5-20251001-v1:0", page: bedrockPage, wire: "bedrock-converse-cache_request_cached_tokens", endpoint: "converse",
		sum: "10*1.1 + 7351*0.11 + 4*5.5", want: "0.00084161"},
	{name: "Cohere, billed units", provider: "cohere", model: "command-a-03-2025", page: coherePage, wire: "cohere-chat-cached_tokens_structured", endpoint: "chat",
		sum: "5*2.5 + 10*10", want: "0.0001125"},
	{name: "Cohere, billed units, streamed", provider: "cohere", model: "command-a-03-2025", page: coherePage, wire: "cohere-chat-stream-cached_tokens_tool_result", endpoint: "chat", stream: true,
		sum: "71*2.5 + 8*10", want: "0.0002575"},
	{name: "Mistral, whose cached tokens have no price of their own", provider: "mistral", model: "mistral-small-latest", page: mistralPage, wire: "mistral-chat-cached_tokens", endpoint: "chat",
		sum: "93*0.06 + 29*0.18", want: "0.0000108"},
	{name: "DeepSeek, cache hits", provider: "deepseek", model: "deepseek-v4-flash", page: deepseekPage, wire: "deepseek-chat-cached_tokens_tool_call", endpoint: "chat",
		sum: "87*0.14 + 256*0.0028 + 58*0.28 = 29.1368, rounded to a billionth", want: "0.000029137"},
	{name: "xAI, cached and reasoning", provider: "xai", model: "grok-4.3", page: xaiPage, wire: "xai-responses-cached_tokens_encrypted_reasoning_reasoning_tool", endpoint: "responses",
		sum: "415*1.25 + 192*0.2 + 104*2.5", want: "0.00081715"},
}

const (
	chatHead   = `{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],`
	chatStream = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}\n\ndata: {\"id\":\"c\",\"choices\":[],"
	chatEnd    = "}\n\ndata: [DONE]\n\n"
	// 1000 tokens in, 400 of them cached, 500 out, most of them reasoning.
	cachedUsage = `"usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500,"prompt_tokens_details":{"cached_tokens":400,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":384,"audio_tokens":0}}`
	response    = `"id":"r","object":"response","status":"completed","model":"m","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ok"}]}],
"usage":{"input_tokens":1000,"input_tokens_details":{"cached_tokens":400},"output_tokens":500,"output_tokens_details":{"reasoning_tokens":384},"total_tokens":1500}`
	messageHead = `{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn",`
	// 100 fresh, 2000 read from the cache, 1000 written for five minutes and 500 for an hour, 300 out.
	claudeUsage = `"input_tokens":100,"cache_read_input_tokens":2000,"cache_creation_input_tokens":1500,"cache_creation":{"ephemeral_5m_input_tokens":1000,"ephemeral_1h_input_tokens":500},"output_tokens":300`
	geminiHead  = `{"candidates":[{"content":{"role":"model","parts":[{"text":"ok"}]},"finishReason":"STOP","index":0}],"usageMetadata":`
)

var documentedPrices = []priceRow{
	{name: "OpenAI, reasoning", provider: "openai", model: "o3", page: openaiPage, body: chatHead + cachedUsage + `,"service_tier":"default"}`,
		sum: "600*2 + 400*0.5 + 500*8", want: "0.0054"},
	{name: "OpenAI, audio heard and spoken", provider: "openai", model: "gpt-4o-audio-preview", page: openaiPage,
		body: chatHead + `"usage":{"prompt_tokens":60,"completion_tokens":110,"total_tokens":170,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":40,"text_tokens":20},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":85,"text_tokens":25}}}`,
		sum:  "20*2.5 + 40*40 + 25*10 + 85*80", want: "0.0087"},
	{name: "OpenAI, flex", provider: "openai", model: "gpt-5", page: openaiPage, body: chatHead + `"service_tier":"flex",` + cachedUsage + `}`,
		sum: "600*0.625 + 400*0.0625 + 500*5", want: "0.0029"},
	{name: "OpenAI, flex, streamed", provider: "openai", model: "gpt-5", page: openaiPage, body: chatStream + cachedUsage + `,"service_tier":"flex"` + chatEnd, stream: true,
		sum: "600*0.625 + 400*0.0625 + 500*5", want: "0.0029"},
	{name: "OpenAI, priority", provider: "openai", model: "gpt-5", page: openaiPage, body: chatHead + cachedUsage + `,"service_tier":"priority"}`,
		sum: "600*2.5 + 400*0.25 + 500*20", want: "0.0116"},
	{name: "OpenAI, priority by its new name, streamed", provider: "openai", model: "gpt-5", page: openaiPage, body: chatStream + `"service_tier":"fast",` + cachedUsage + chatEnd, stream: true,
		sum: "600*2.5 + 400*0.25 + 500*20", want: "0.0116"},
	{name: "OpenAI, batch", provider: "openai", model: "gpt-4o", page: openaiPage,
		body: chatHead + `"service_tier":"batch","usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}`,
		sum:  "1000*1.25 + 100*5", want: "0.00175"},
	{name: "OpenAI Responses, priority", provider: "openai", model: "o4-mini", page: openaiPage, body: `{` + response + `,"service_tier":"priority"}`,
		sum: "600*2 + 400*0.5 + 500*8", want: "0.0054"},
	{name: "OpenAI Responses, flex, streamed", provider: "openai", model: "o4-mini", page: openaiPage, stream: true,
		body: "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"service_tier\":\"flex\"," + oneLine(response) + "}}\n\n",
		sum:  "600*0.55 + 400*0.1375 + 500*2.2", want: "0.001485"},

	{name: "Anthropic, cache of both ages", provider: "anthropic", model: "claude-opus-4-5", page: anthropicPage, body: messageHead + `"usage":{` + claudeUsage + `,"service_tier":"standard"}}`,
		sum: "100*5 + 2000*0.5 + 1000*6.25 + 500*10 + 300*25", want: "0.02025"},
	{name: "Anthropic, batch", provider: "anthropic", model: "claude-opus-4-5", page: anthropicPage, body: messageHead + `"usage":{` + claudeUsage + `,"service_tier":"batch"}}`,
		sum: "half of 100*5 + 2000*0.5 + 1000*6.25 + 500*10 + 300*25", want: "0.010125"},
	{name: "Anthropic, priority is bought beforehand", provider: "anthropic", model: "claude-opus-4-5", page: anthropicPage, body: messageHead + `"usage":{` + claudeUsage + `,"service_tier":"priority"}}`,
		sum: "100*5 + 2000*0.5 + 1000*6.25 + 500*10 + 300*25", want: "0.02025"},
	{name: "Anthropic, fast mode, streamed", provider: "anthropic", model: "claude-opus-5", page: fastPage, stream: true,
		body: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":\"m\",\"usage\":{" + claudeUsage + ",\"service_tier\":\"standard\",\"speed\":\"fast\"}}}\n\n" +
			"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":300}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
		sum: "100*10 + 2000*1 + 1000*12.5 + 500*20 + 300*50", want: "0.0405"},
	{name: "Anthropic, a long prompt", provider: "anthropic", model: "claude-sonnet-4-5", page: anthropicPage,
		body: messageHead + `"usage":{"input_tokens":150000,"cache_read_input_tokens":60000,"cache_creation_input_tokens":0,"output_tokens":1000}}`,
		sum:  "150000*6 + 60000*0.6 + 1000*22.5", want: "0.9585"},

	{name: "Gemini, above 200k, cached and thinking", provider: "gemini", model: "gemini-2.5-pro", page: geminiPage,
		body: geminiHead + `{"promptTokenCount":250000,"cachedContentTokenCount":50000,"candidatesTokenCount":1000,"thoughtsTokenCount":2000,"totalTokenCount":253000}}`,
		sum:  "200000*2.5 + 50000*0.25 + 3000*15", want: "0.5575"},
	{name: "Gemini, at 200k", provider: "gemini", model: "gemini-2.5-pro", page: geminiPage,
		body: geminiHead + `{"promptTokenCount":200000,"candidatesTokenCount":1000,"totalTokenCount":201000}}`,
		sum:  "200000*1.25 + 1000*10", want: "0.26"},
	{name: "Gemini, audio", provider: "gemini", model: "gemini-2.5-flash", page: geminiPage,
		body: geminiHead + `{"promptTokenCount":320,"candidatesTokenCount":10,"totalTokenCount":330,"promptTokensDetails":[{"modality":"TEXT","tokenCount":64},{"modality":"AUDIO","tokenCount":256}]}}`,
		sum:  "64*0.3 + 256*1 + 10*2.5", want: "0.0003002"},
	{name: "Gemini, flex", provider: "gemini", model: "gemini-3.6-flash", page: geminiPage,
		body: geminiHead + `{"promptTokenCount":1000,"cachedContentTokenCount":400,"candidatesTokenCount":100,"totalTokenCount":1100,"serviceTier":"flex"}}`,
		sum:  "600*0.75 + 400*0.075 + 100*3.75", want: "0.000855"},
	{name: "Gemini, priority above 200k, streamed", provider: "gemini", model: "gemini-3-pro-preview", page: geminiPage, stream: true,
		body: "data: " + geminiHead + "{\"promptTokenCount\":250000,\"candidatesTokenCount\":1000,\"totalTokenCount\":251000,\"serviceTier\":\"priority\"}}\n\n",
		sum:  "250000*7.2 + 1000*32.4", want: "1.8324"},
	{name: "Bedrock, an hour's cache", provider: "bedrock", model: "anthropic.claude-haiku-4-5-20251001-v1:0", page: bedrockPage,
		body: `{"output":{"message":{"role":"assistant","content":[{"text":"ok"}]}},"stopReason":"end_turn","usage":{"inputTokens":10,"outputTokens":4,"totalTokens":1014,"cacheReadInputTokens":0,"cacheWriteInputTokens":1000,"cacheDetails":[{"ttl":"1h","inputTokens":1000}]},"serviceTier":{"type":"default"}}`,
		sum:  "10*1 + 1000*2 + 4*5", want: "0.00203"},
}

// TestUsageIsPricedAsThePagesSay runs answers through the adapters, decoded and
// passed on, and prices them with the built-in catalogue.
func TestUsageIsPricedAsThePagesSay(t *testing.T) {
	for _, row := range documentedPrices {
		t.Run(row.name, func(t *testing.T) { row.check(t, []byte(row.body)) })
	}
	for _, row := range recordedPrices {
		t.Run(row.name, func(t *testing.T) {
			for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), row.endpoint, row.provider) {
				if c.ID == row.wire {
					row.check(t, c.Answered)
					return
				}
			}
			t.Fatalf("there is no recording %s", row.wire)
		})
	}
}

func (row *priceRow) check(t *testing.T, answer []byte) {
	t.Helper()
	m, ok := catalog.Load().Model(row.provider, row.model)
	if !ok {
		t.Fatalf("the catalogue has no %s/%s", row.provider, row.model)
	}
	prices, err := billing.ParsePrices(catalogPrices(m.Prices))
	if err != nil {
		t.Fatal(err)
	}
	for way, usage := range providertest.Usages(t, row.dialect().Chat, answer, row.stream) {
		if got := prices.Cost(usage).String(); got != row.want {
			t.Errorf("%s costs %s, want %s = %s (%s): %+v", way, got, row.want, row.sum, row.page, usage)
		}
	}
}

func (row *priceRow) dialect() *dialect.Dialect {
	if row.endpoint == "responses" || row.provider == "openai" && row.endpoint == "" && row.model == "o4-mini" {
		return &responses.Dialect
	}
	return map[string]*dialect.Dialect{"openai": &openai.Dialect, "xai": &openai.Dialect, "deepseek": &openai.Dialect, "anthropic": &anthropic.Dialect,
		"gemini": &gemini.Dialect, "vertex": &gemini.Dialect, "bedrock": &bedrock.Dialect, "cohere": &cohere.Dialect, "mistral": &mistral.Dialect}[row.provider]
}

// oneLine is JSON as an event holds it.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "") }
