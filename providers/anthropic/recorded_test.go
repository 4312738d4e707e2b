package anthropic

import (
	"os"
	"testing"

	"sluice/providers/providertest"
)

func TestRecorded(t *testing.T) {
	providertest.Recorded(t, os.Getenv("SLUICE_WIRE"), &Dialect, providertest.Options{
		Provider: "anthropic", Endpoint: "messages", CachedApart: true,
		Joined: []string{"anthropic-messages-stream-parallel_tool_calls_server_tool"},
	})
}
