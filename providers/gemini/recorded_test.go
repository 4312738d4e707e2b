package gemini

import (
	"os"
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

func TestRecordedCounts(t *testing.T) {
	for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), "count_tokens", "gemini", "vertex") {
		n, err := decodeCount(c.Answered)
		if err != nil || n < 7 {
			t.Errorf("%s: %d tokens, %v", c.ID, n, err)
		}
		if _, err := head(schema.OpCount, c.Asked); err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
		req, err := decodeRequest(c.Asked)
		if err != nil || len(req.Messages) == 0 {
			t.Errorf("%s: cannot decode: %v", c.ID, err)
		}
	}
}
