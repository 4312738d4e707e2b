package store

import (
	"encoding/json"
	"testing"

	"sluice/billing"
)

// TestOneAttempt holds the short way of writing an attempt to the long one.
func TestOneAttempt(t *testing.T) {
	for _, l := range []billing.AttemptLog{
		{},
		{Target: "openai/gpt-4o", Status: 200, LatencyMS: 12, USD: 9000},
		{Target: "a/b", Key: "main", Status: 429, Code: "rate_limit_exceeded", LatencyMS: 3},
		{Target: "a/\"b", Key: "…1234", Status: 502, Code: "x<y", USD: -1},
		{Target: "a/é\u2028", Key: "\xff"},
		{Target: "a/b", Key: "…", Status: 200},
	} {
		want, err := json.Marshal([]billing.AttemptLog{l})
		if err != nil {
			t.Fatal(err)
		}
		got, err := attemptsJSON([]billing.AttemptLog{l})
		if err != nil || got != string(want) {
			t.Errorf("%v, want %s (%v)", got, want, err)
		}
	}
	if got, err := attemptsJSON(nil); got != nil || err != nil {
		t.Errorf("no attempts are %v, %v", got, err)
	}
}
