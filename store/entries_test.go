package store

import (
	"reflect"
	"testing"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

// TestDetail holds the short way of writing a detail to the long one, and
// reads both back.
func TestDetail(t *testing.T) {
	for _, e := range []billing.Entry{
		{},
		{Delivered: -1},
		{Operation: "chat", PriceVersion: "2026-11-24", Delivered: -1, Latency: 12 * time.Millisecond, TTFT: 1,
			Usage:    schema.Usage{Source: schema.UsageReported},
			Attempts: []billing.AttemptLog{{Target: "openai/gpt-4o", Status: 200, LatencyMS: 12, USD: 9000}}},
		{Operation: "chat", Excess: -1, Markup: -5, Code: "rate_limited", Origin: "provider", Cache: "miss", Delivered: 7,
			Usage:    schema.Usage{CacheWrite1h: 1, AudioInput: 2, AudioOutput: 3, Images: 4, Tier: "flex"},
			Corrects: "c", Reason: "billed twice",
			Attempts: []billing.AttemptLog{
				{Target: "a/b", Key: "main", Status: 429, Code: "rate_limit_exceeded", LatencyMS: 3},
				{Target: "a/b", Key: "…1234", Status: 200}}},
		{Attempts: []billing.AttemptLog{{Target: "a/\"b", Key: "…1234", Status: 502, Code: "x<y", USD: -1}}},
		{Guards: `[{"guard":"pii"}]`},
		{Split: billing.SplitMark{Since: 1_800_000_000_000_000_000, Failed: true, Cost: 12}, Reason: "r"},
		{Attempts: []billing.AttemptLog{{}, {Target: "a/é\u2028"}}},
		{Attempts: []billing.AttemptLog{{Call: "user", Target: "a/b"}, {Call: "x<y"}}},
		{PriceVersion: "é & \"so on\"\n"},
	} {
		want, err := marshalDetail(&e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := detailJSON(&e)
		if err != nil || got != want {
			t.Errorf("%v, want %s (%v)", got, want, err)
		}
		var back billing.Entry
		if err := readDetail(got, &back); err != nil || !reflect.DeepEqual(back, e) {
			t.Errorf("%s gives %+v (%v)", got, back, err)
		}
	}
}
