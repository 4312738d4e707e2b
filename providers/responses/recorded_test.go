package responses

import (
	"os"
	"testing"

	"sluice/providers/providertest"
)

// TestRecorded replays recorded answers. The index tells summaries alone, not
// the reasoning of open models, which is read as well.
func TestRecorded(t *testing.T) {
	for provider, plans := range map[string]bool{"openai": false, "azure": false, "xai": false, "openrouter": false, "deepseek": true, "bedrock-mantle": true} {
		t.Run(provider, func(t *testing.T) {
			providertest.Recorded(t, os.Getenv("SLUICE_WIRE"), &Dialect, providertest.Options{Provider: provider, Endpoint: "responses", Plans: plans})
		})
	}
}
