package main

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"

	"sluice/providers/catalog"
)

func TestPrices(t *testing.T) {
	elsewhere(t)
	got := sluice(t, "prices", "--provider", "anthropic")
	got.want(t, 0, "PROVIDER", "")
	for _, row := range []string{
		"anthropic claude-opus-4-5 always 5 0.5 6.25 10 25 - - - - - https://platform.claude.com/docs/en/about-claude/pricing, by BerriAI/litellm's price map 2026-08-06",
		"anthropic claude-opus-4-5 batch 2.5 0.25 3.125 5 12.5 - - - - -",
		"anthropic claude-sonnet-4-5 above 200000 6 0.6 7.5 12 22.5",
		"anthropic claude-sonnet-4-5 batch above 200000 3 0.3 3.75 6 11.25",
	} {
		if !slices.ContainsFunc(strings.Split(got.out, "\n"), func(line string) bool { return strings.HasPrefix(strings.Join(strings.Fields(line), " "), row) }) {
			t.Errorf("no row %q", row)
		}
	}
	var list []priced
	if got = sluice(t, "prices", "--json"); got.code != 0 || json.Unmarshal([]byte(got.out), &list) != nil || len(list) < 1500 {
		t.Fatalf("as JSON: code %d, %d prices", got.code, len(list))
	}
	for _, p := range list {
		if p.Source == "" || p.Date == "" || !p.Prices.Known() {
			t.Fatalf("a price without source, date or price: %+v", p)
		}
	}
	sluice(t, "prices", "--provider", "nobody").want(t, 2, "", "nobody")
	sluice(t, "prices", "-c", "absent.yaml").want(t, 2, "", "absent.yaml")
}

// The user's prices stand over the catalogue's, by name and by pattern.
func TestPricesOfAConfiguration(t *testing.T) {
	elsewhere(t)
	write(t, "own.yaml", `
providers:
  openai: {keys: [k], prices: {"gpt-4o": {input: 1.5, output: 6, cache_write_1h: 3, above: {128000: {input: 3}}}, "gpt-4.1*": {input: 7}, "ft:*": {input: 4, output: 8}}}
  lab: {kind: openai-compatible, base_url: "http://127.0.0.1:1/v1", prices: {llama: {input: 0, output: 0, request: 0.01}}}
`)
	got := sluice(t, "prices", "-c", "own.yaml")
	for _, row := range []string{
		"openai gpt-4o always 1.5 - - 3 6 - - - - - own.yaml -", "openai gpt-4o above 128000 3 -", "openai gpt-4.1-mini always 7 - - - - - - - - - own.yaml -",
		"openai gpt-4o-mini always 0.15 0.075", "openai ft:* always 4 - - - 8", "openai gpt-4.1* always 7", "lab llama always 0 - - - 0 - - - - 0.01 own.yaml -",
	} {
		if !slices.ContainsFunc(strings.Split(got.out, "\n"), func(line string) bool { return strings.HasPrefix(strings.Join(strings.Fields(line), " "), row) }) {
			t.Errorf("no row %q", row)
		}
	}
	sluice(t, "prices", "-c", "own.yaml", "--provider", "lab").want(t, 0, "llama", "")
}

const theirPrices = `{
  "sample_spec": {"litellm_provider": "one of …", "input_cost_per_token": 0.0, "max_tokens": "words"},
  "gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 0.00001, "cache_read_input_token_cost": 1.25E-6, "input_cost_per_token_batches": 1.25e-06},
  "gpt-5": {"litellm_provider": "openai", "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1.1e-05, "output_cost_per_token_priority": 2e-05, "supports_vision": true},
  "gemini/gemini-2.5-pro": {"litellm_provider": "gemini", "input_cost_per_token_above_200k_tokens": 2.5e-06, "cache_read_input_token_cost_above_200k_tokens": 5e-07, "output_cost_per_reasoning_token": 1e-05},
  "vertex_ai/claude-haiku-4-5": {"litellm_provider": "vertex_ai-anthropic_models", "input_cost_per_token": "1e-06"},
  "no-provider": {"input_cost_per_token": 1},
  "free": {"litellm_provider": "openai", "input_cost_per_token": 0},
  "openrouter/auto": {"litellm_provider": "openrouter", "input_cost_per_token": -1}
}`

func TestPricesCheck(t *testing.T) {
	elsewhere(t)
	write(t, "theirs.json", theirPrices)
	got := sluice(t, "prices", "--check", "theirs.json")
	got.want(t, 1, "MODEL", "11 prices of 4 models compared, 2 differ by more than 0.01 %; 2 entries of theirs.json have no counterpart here")
	for _, row := range []string{"openai/gpt-5 output 10 11 -9.09 % https://", "gemini/gemini-2.5-pro above.200000.cached_input 0.25 0.5 -50.00 %"} {
		if !slices.ContainsFunc(strings.Split(got.out, "\n"), func(line string) bool { return strings.HasPrefix(strings.Join(strings.Fields(line), " "), row) }) {
			t.Errorf("no row %q in\n%s", row, got.out)
		}
	}
	if n := strings.Count(got.out, "\n"); n != 3 {
		t.Errorf("%d lines, want 3:\n%s", n, got.out)
	}
	sluice(t, "prices", "--check", "theirs.json", "--tolerance", "50").want(t, 0, "", " 0 differ by more than 50 %")
	sluice(t, "prices", "--check", "theirs.json", "--provider", "vertex").want(t, 0, "", "1 prices of 1 models compared")
	write(t, "own.yaml", "providers: {openai: {prices: {gpt-5: {input: 1.25, output: 11}, gpt-4o: {input: 9, output: 10}}}}\n")
	got = sluice(t, "prices", "--check", "theirs.json", "--provider", "openai", "-c", "own.yaml")
	if got.code != 1 || !strings.Contains(got.out, "own.yaml") || strings.Contains(got.out, "gpt-5  output") {
		t.Errorf("with the user's prices: %d\n%s", got.code, got.out)
	}
	for text, want := range map[string]string{
		"":         "it is not LiteLLM's",
		"[]":       "it is not LiteLLM's",
		`{"a": 1}`: "it is not LiteLLM's",
		`{"a": {"litellm_provider": "x", "input_cost_per_token": "much"}}`:      `a: input_cost_per_token: "much" is not a decimal number`,
		`{"a": {"litellm_provider": "x", "input_cost_per_token": 1e999999999}}`: "is not a decimal number",
	} {
		write(t, "bad.json", text)
		sluice(t, "prices", "--check", "bad.json").want(t, 2, "", want)
	}
	sluice(t, "prices", "--check", "absent.json").want(t, 2, "", "absent.json")
	for _, bad := range []string{"-1", "x", "1/2", ""} {
		sluice(t, "prices", "--check", "theirs.json", "--tolerance="+bad).want(t, 2, "", "--tolerance")
	}
}

func TestTheirFields(t *testing.T) {
	for field, want := range map[string]string{
		"input_cost_per_token": "input", "cache_creation_input_token_cost": "cache_write", "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
		"cache_creation_input_token_cost_above_1hr_above_200k_tokens": "above.200000.cache_write_1h",
		"output_cost_per_token_above_128k_tokens":                     "above.128000.output",
		"input_cost_per_token_batches":                                "batch.input",
		"cache_read_input_token_cost_flex":                            "flex.cached_input",
		"input_cost_per_token_above_272k_tokens_priority":             "priority.above.272000.input",
		"input_cost_per_audio_token":                                  "audio_input", "input_cost_per_query": "request", "output_cost_per_image": "",
		"input_cost_per_second": "", "input_cost_per_character_above_128k_tokens": "", "search_context_cost_per_query": "", "max_tokens": "",
	} {
		if got, _ := ourField(field, "chat"); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	for _, field := range []string{"output_cost_per_image", "input_cost_per_image"} {
		if got, scale := ourField(field, "image_generation"); got != "image" || scale.Cmp(big.NewRat(1, 1)) != 0 {
			t.Errorf("%s is %q by %s", field, got, scale)
		}
	}
}

func TestTheirNames(t *testing.T) {
	for _, tc := range [][4]string{
		{"gpt-4o", "openai", "openai", "gpt-4o"},
		{"azure/gpt-4o", "azure", "azure", "gpt-4o"},
		{"azure/gpt-35-turbo-instruct", "azure_text", "azure", "gpt-35-turbo-instruct"},
		{"gemini-2.5-pro", "vertex_ai-language-models", "vertex", "gemini-2.5-pro"},
		{"vertex_ai/meta/llama3-8b-instruct-maas", "vertex_ai-llama_models", "vertex", "meta/llama3-8b-instruct-maas"},
		{"us.amazon.nova-lite-v1:0", "bedrock_converse", "bedrock", "us.amazon.nova-lite-v1:0"},
		{"fireworks_ai/WhereIsAI/UAE-Large-V1", "fireworks_ai-embedding-models", "fireworks", "WhereIsAI/UAE-Large-V1"},
		{"openrouter/openai/gpt-4o", "openrouter", "openrouter", "openai/gpt-4o"},
		{"text-completion-codestral/codestral-latest", "text-completion-codestral", "mistral", "codestral-latest"},
		{"nobody/x", "no-body", "no-body", "nobody/x"},
	} {
		if provider, model := ourProvider(tc[1]), ourModel(tc[0], tc[1]); provider != tc[2] || model != tc[3] {
			t.Errorf("%s of %s is %s/%s, want %s/%s", tc[0], tc[1], provider, model, tc[2], tc[3])
		}
	}
}

// What stands in for a price that is not stated is what a call is charged.
func TestEffectivePrices(t *testing.T) {
	p := &catalog.Prices{Input: "1", Output: "2", CacheWrite: "1.25",
		Above:   map[int64]catalog.Prices{200_000: {Input: "3"}},
		Service: map[string]catalog.Prices{"batch": {Input: "0.5", Above: map[int64]catalog.Prices{200_000: {Output: "9"}}}}}
	for field, want := range map[string]string{
		"input": "1", "cached_input": "1", "cache_write_1h": "1.25", "reasoning": "2", "audio_output": "2", "image": "", "request": "",
		"above.200000.input": "3", "above.200000.output": "2", "above.128000.input": "1", "above.x.input": "",
		"batch.input": "0.5", "batch.output": "2", "batch.cached_input": "0.5", "flex.input": "1",
		"batch.above.200000.input": "0.5", "batch.above.200000.output": "9", "batch.above.128000.output": "2", "nothing": "", "": "",
	} {
		if got := effective(p, field); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
}

func FuzzLiteLLM(f *testing.F) {
	f.Add([]byte(theirPrices))
	f.Add([]byte(`{"a":{"litellm_provider":"vertex_ai-","mode":1,"input_cost_per_token":1e-9,"output_cost_per_token_above_k_tokens":null}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := parseLiteLLM(raw)
		if err != nil {
			return
		}
		for _, e := range list {
			for field, price := range e.prices {
				if price == nil || price.Sign() < 0 {
					t.Fatalf("%s of %s/%s is %v", field, e.provider, e.model, price)
				}
			}
		}
	})
}
