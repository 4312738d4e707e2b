package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"regexp"
	"strings"
)

// maxPriceFile bounds a LiteLLM price file; that of 2026 has 2 MB.
const maxPriceFile = 64 << 20

// litellm is an entry of a LiteLLM price file (model_prices_and_context_window.json
// of BerriAI/litellm) in our words.
type litellm struct {
	provider, model string
	prices          map[string]*big.Rat // by field: input, above.200000.output, batch.input, …
}

// theirProviders are the names of providers that are not the same as ours. A
// name's families, as in vertex_ai-language-models, are the name's.
var theirProviders = map[string]string{
	"text-completion-openai": "openai", "azure_text": "azure", "bedrock_converse": "bedrock", "vertex_ai": "vertex",
	"cohere_chat": "cohere", "fireworks_ai": "fireworks", "together_ai": "together", "lambda_ai": "lambda", "jina_ai": "jina",
	"featherless_ai": "featherless", "friendliai": "friendli", "gradient_ai": "digitalocean", "vercel_ai_gateway": "vercel",
	"nvidia_nim": "nvidia", "codestral": "mistral", "text-completion-codestral": "mistral", "text-completion-inception": "inception",
}

// theirFields are the prices of tokens in their words.
var theirFields = map[string]string{
	"input_cost_per_token": "input", "output_cost_per_token": "output", "cache_read_input_token_cost": "cached_input",
	"cache_creation_input_token_cost": "cache_write", "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
	"output_cost_per_reasoning_token": "reasoning", "input_cost_per_audio_token": "audio_input", "output_cost_per_audio_token": "audio_output",
}

var (
	theirServices = map[string]string{"_batches": "batch", "_priority": "priority", "_flex": "flex"}
	theirTier     = regexp.MustCompile(`^(.+)_above_(\d{1,6})k_tokens$`)
	million       = big.NewRat(1_000_000, 1)
)

// readLiteLLM reads a price file. Entries without a provider, and
// sample_spec, which is its documentation, are left out.
func readLiteLLM(path string) ([]litellm, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read price file: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxPriceFile+1))
	if err != nil || len(raw) > maxPriceFile {
		return nil, fmt.Errorf("cannot read price file %q: larger than %d bytes, or %w", path, maxPriceFile, err)
	}
	list, err := parseLiteLLM(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot read price file %q: %w", path, err)
	}
	return list, nil
}

func parseLiteLLM(raw []byte) ([]litellm, error) {
	var entries map[string]map[string]any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // a price must not pass through a float
	if err := decoder.Decode(&entries); err != nil {
		return nil, fmt.Errorf("it is not LiteLLM's: %w", err)
	}
	var list []litellm
	for _, name := range sortedKeys(entries) {
		entry := entries[name]
		theirs, _ := entry["litellm_provider"].(string)
		if name == "sample_spec" || theirs == "" {
			continue
		}
		e := litellm{provider: ourProvider(theirs), model: ourModel(name, theirs), prices: map[string]*big.Rat{}}
		mode, _ := entry["mode"].(string)
		for field, value := range entry {
			if err := e.add(field, mode, value); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", name, field, err)
			}
		}
		e.clear()
		list = append(list, e)
	}
	return list, nil
}

func ourProvider(theirs string) string {
	family, _, _ := strings.Cut(theirs, "-")
	for _, name := range []string{theirs, family} {
		if ours, ok := theirProviders[name]; ok {
			return ours
		}
	}
	if strings.HasSuffix(theirs, "-models") {
		return family
	}
	return theirs
}

// ourModel is a model without the provider that often stands before it.
func ourModel(name, theirs string) string {
	family, _, _ := strings.Cut(theirs, "-")
	for _, prefix := range []string{theirs, family, ourProvider(theirs)} {
		if rest, ok := strings.CutPrefix(name, prefix+"/"); ok {
			return rest
		}
	}
	return name
}

// add takes over a field that is a price of a kind that we have.
func (e *litellm) add(field, mode string, value any) error {
	ours, scale := ourField(field, mode)
	if ours == "" || value == nil {
		return nil
	}
	text := fmt.Sprint(value)
	price, err := decimalOf(text)
	if err != nil {
		return err
	}
	if price.Sign() < 0 { // what a router charges is not known beforehand
		return nil
	}
	e.prices[ours] = price.Mul(price, scale)
	return nil
}

// clear takes out the zeros that stand for "no such thing", as in the price of
// writing to a cache that costs nothing extra: where input costs, they say
// nothing of what such a token costs.
func (e *litellm) clear() {
	if input := e.prices["input"]; input == nil || input.Sign() == 0 {
		return
	}
	for field, price := range e.prices {
		if price.Sign() == 0 && field != "output" {
			delete(e.prices, field)
		}
	}
}

// ourField is a field in our words, and by what its number is to be multiplied;
// empty: it is no price that we have.
func ourField(field, mode string) (string, *big.Rat) {
	one := big.NewRat(1, 1)
	switch {
	case field == "output_cost_per_image", field == "input_cost_per_image":
		if mode == "image_generation" { // elsewhere it is what a picture's tokens come to
			return "image", one
		}
		return "", nil
	case field == "input_cost_per_query", field == "input_cost_per_request":
		return "request", one
	}
	before := ""
	for suffix, service := range theirServices {
		if rest, ok := strings.CutSuffix(field, suffix); ok {
			field, before = rest, service+"."
			break
		}
	}
	if m := theirTier.FindStringSubmatch(field); m != nil {
		field, before = m[1], before+"above."+m[2]+"000."
	}
	ours, ok := theirFields[field]
	if !ok {
		return "", nil
	}
	return before + ours, million
}
