package bedrock

import (
	"testing"

	"sluice/providers/openai"
	"sluice/providers/providertest"
)

func TestScenarios(t *testing.T) {
	providertest.Scenarios(t, &openai.Dialect, &Dialect, "testdata")
}
