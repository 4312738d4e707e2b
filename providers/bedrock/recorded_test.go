package bedrock

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/providers/anthropic"
	"sluice/providers/openai"
	"sluice/providers/providertest"
)

var traffic = os.Getenv("SLUICE_WIRE")

func TestRecorded(t *testing.T) {
	providertest.Recorded(t, traffic, &Dialect, providertest.Options{Provider: "bedrock", Endpoint: "converse", CachedApart: true})
	providertest.Recorded(t, traffic, &Dialect, providertest.Options{Provider: "bedrock", Endpoint: "rerank"})
}

// Pictures by URL must be fetched before: no dialect does I/O.
const byURL = "it shows a picture by URL, which is fetched before (package providers)"

func TestCrossing(t *testing.T) {
	own := providertest.Options{Provider: "bedrock", Endpoint: "converse"}
	providertest.Crossing(t, traffic, providertest.Cross{Client: &openai.Dialect, Provider: &Dialect, Answers: own,
		Requests: providertest.Options{Provider: "openai", Endpoint: "chat",
			Skip: map[string]string{"openai-chat-truncated_vision": byURL, "openai-chat-tool_result_vision": byURL}}})
	providertest.Crossing(t, traffic, providertest.Cross{Client: &anthropic.Dialect, Provider: &Dialect, Answers: own,
		Requests: providertest.Options{Provider: "anthropic", Endpoint: "messages"}})
}

// Recorded paths and answers of counting, and what was sent to it.
func TestRecordedCount(t *testing.T) {
	if traffic == "" {
		t.Skip("SLUICE_WIRE names no folder of recorded traffic")
	}
	raw, err := os.ReadFile(filepath.Join(traffic, "bodies", "bedrock-count_tokens-cache_request.json"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := decodeCount(raw); n != 23 || err != nil {
		t.Errorf("counted %d, %v", n, err)
	}
	var index []struct {
		Provider, Endpoint string
		Request            struct{ Model, Path string }
	}
	if raw, err = os.ReadFile(filepath.Join(traffic, "index.json")); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	for _, c := range index {
		if c.Provider != "bedrock" || c.Endpoint != "converse" && c.Endpoint != "count_tokens" {
			continue
		}
		operation := c.Request.Path[strings.LastIndexByte(c.Request.Path, '/')+1:]
		// Some clients leave the colon as it is, which means the same.
		want := strings.ReplaceAll(c.Request.Path, ":", "%3A")
		if got := modelPath(c.Request.Model, operation); got != want {
			t.Errorf("the path is %s, want %s", got, want)
		}
	}
}
