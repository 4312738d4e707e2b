package cohere

import (
	"os"
	"testing"

	"sluice/providers/anthropic"
	"sluice/providers/openai"
	"sluice/providers/providertest"
)

func TestScenarios(t *testing.T) {
	providertest.Scenarios(t, &openai.Dialect, &Dialect, "testdata")
}

func TestRecorded(t *testing.T) {
	for _, endpoint := range []string{"chat", "chat_v1", "embeddings", "rerank"} {
		t.Run(endpoint, func(t *testing.T) {
			providertest.Recorded(t, os.Getenv("SLUICE_WIRE"), &Dialect, providertest.Options{Provider: "cohere", Endpoint: endpoint, Plans: true})
		})
	}
}

func TestCrossingAnthropic(t *testing.T) {
	providertest.Crossing(t, os.Getenv("SLUICE_WIRE"), providertest.Cross{
		Client: &anthropic.Dialect, Requests: providertest.Options{Provider: "anthropic", Endpoint: "messages"},
		Provider: &Dialect, Answers: providertest.Options{Provider: "cohere", Endpoint: "chat"}})
}

func TestCrossing(t *testing.T) {
	for _, host := range []string{"openai", "mistral", "deepseek", "openrouter"} {
		t.Run(host, func(t *testing.T) {
			providertest.Crossing(t, os.Getenv("SLUICE_WIRE"), providertest.Cross{
				Client: &openai.Dialect, Requests: providertest.Options{Provider: host, Endpoint: "chat"},
				Provider: &Dialect, Answers: providertest.Options{Provider: "cohere", Endpoint: "chat"}})
		})
	}
}
