package responses

import (
	"testing"

	"sluice/providers/anthropic"
	"sluice/providers/openai"
	"sluice/providers/providertest"
)

func TestScenarios(t *testing.T) {
	providertest.Scenarios(t, &openai.Dialect, &Dialect, "testdata")
}

// TestClients replays scenarios of this dialect's clients before others.
func TestClients(t *testing.T) {
	providertest.Scenarios(t, &Dialect, &anthropic.Dialect, "testdata/clients/anthropic")
	providertest.Scenarios(t, &Dialect, &openai.Dialect, "testdata/clients/openai")
}
