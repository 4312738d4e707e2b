package gemini

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"sluice/providers/providertest"
	"sluice/providers/schema"
)

var toolPrompt = regexp.MustCompile(`"toolUsePromptTokenCount":\s*(\d+)`)

// ownFigures turns usage into the API's figures: thoughts beside the output,
// the prompts of server-side tools beside the input.
func ownFigures(got schema.Usage, body []byte) schema.Usage {
	got.Output -= got.Reasoning
	if all := toolPrompt.FindAllSubmatch(body, -1); all != nil {
		n, _ := strconv.ParseInt(string(all[len(all)-1][1]), 10, 64)
		got.Input -= n
	}
	return got
}

func TestRecorded(t *testing.T) {
	for _, provider := range []string{"gemini", "vertex"} {
		for _, endpoint := range []string{"generate", "embeddings"} {
			t.Run(provider+"/"+endpoint, func(t *testing.T) {
				providertest.Recorded(t, os.Getenv("SLUICE_WIRE"), &Dialect, providertest.Options{Provider: provider, Endpoint: endpoint, Usage: ownFigures})
			})
		}
	}
}

// capture is an entry of the recorded traffic.
type capture struct {
	ID       string  `json:"id"`
	Provider string  `json:"provider"`
	Endpoint string  `json:"endpoint"`
	Stream   *string `json:"stream"`
	Request  struct {
		Body  string `json:"body_file"`
		Model string `json:"model"`
	} `json:"request"`
	Response struct {
		Status int    `json:"status"`
		Body   string `json:"body_file"`
	} `json:"response"`
	request, response []byte
}

// captures reads the recorded traffic of some providers' endpoint.
func captures(t testing.TB, endpoint string, providers ...string) []capture {
	t.Helper()
	dir := os.Getenv("SLUICE_WIRE")
	if dir == "" {
		t.Skip("SLUICE_WIRE names no folder of recorded traffic")
	}
	read := func(name string) []byte {
		if name == "" {
			return nil
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var all, out []capture
	if err := json.Unmarshal(read("index.json"), &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		for _, p := range providers {
			if c.Provider == p && c.Endpoint == endpoint {
				c.request, c.response = read(c.Request.Body), read(c.Response.Body)
				out = append(out, c)
			}
		}
	}
	return out
}

func TestRecordedCounts(t *testing.T) {
	for _, c := range captures(t, "count_tokens", "gemini", "vertex") {
		n, err := decodeCount(c.response)
		if err != nil || n < 7 {
			t.Errorf("%s: %d tokens, %v", c.ID, n, err)
		}
		if _, err := head(schema.OpCount, c.request); err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
		req, err := decodeRequest(c.request)
		if err != nil || len(req.Messages) == 0 {
			t.Errorf("%s: cannot decode: %v", c.ID, err)
		}
	}
}
