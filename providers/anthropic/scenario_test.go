package anthropic

import (
	"testing"

	"sluice/providers/openai"
	"sluice/providers/providertest"
)

func TestScenarios(t *testing.T) {
	providertest.Scenarios(t, &openai.Dialect, &Dialect, "testdata")
}

// Clients of this dialect at a provider of another.
func TestClientScenarios(t *testing.T) {
	providertest.Scenarios(t, &Dialect, &openai.Dialect, "testdata/clients")
}
