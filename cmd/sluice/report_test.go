package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
	"sluice/store"
)

func TestReportThroughTheAPI(t *testing.T) {
	f := withAdmin(t, map[string]string{
		"GET /admin/v1/usage": `{"group_by":["team"],"rows":[{"team":"t","calls":2,"refused":0,"errors":0,"cached":0,"input_tokens":7,"cached_input_tokens":0,
			"cache_write_tokens":0,"output_tokens":3,"reasoning_tokens":0,"usd":"0.25","saved_usd":"0","latency_p50_ms":1,"latency_p95_ms":2}],
			"total":{"calls":2,"refused":0,"errors":0,"cached":0,"input_tokens":7,"cached_input_tokens":0,"cache_write_tokens":0,"output_tokens":3,
			"reasoning_tokens":0,"usd":"0.25","saved_usd":"0","latency_p50_ms":1,"latency_p95_ms":2}}`,
		"GET /admin/v1/usage/verify": `{"ok":true,"entries":2,"differences":[]}`,
	})
	sluice(t, "report", "--by", "team", "--from", "2026-11-01").want(t, 0, "0.25", "")
	if f.asked[0] != "GET /admin/v1/usage?from=2026-11-01&group_by=team" {
		t.Errorf("asked %s", f.asked[0])
	}
	sluice(t, "report", "--by", "team", "--team", "t", "--user", "ann").want(t, 0, "0.25", "")
	if f.asked[1] != "GET /admin/v1/usage?group_by=team&team=t&user=ann" {
		t.Errorf("asked %s", f.asked[1])
	}
	sluice(t, "report", "--by", "team", "--format", "csv").want(t, 0, "t,2,", "")
	sluice(t, "report", "--by", "team", "--json").want(t, 0, `"usd": "0.25"`, "")
	sluice(t, "report", "--verify").want(t, 0, "2 entries: every sum is right", "")
	f.answers["GET /admin/v1/usage/verify"] = `{"ok":false,"entries":2,"differences":["hour 3: usd differs"]}`
	sluice(t, "report", "--verify").want(t, 1, "hour 3: usd differs", "1 of the sums of 2 entries differ")
	sluice(t, "report", "--verify", "--format", "json").want(t, 1, `"ok": false`, "differ")
}

func TestReportFromTheStore(t *testing.T) {
	dir := elsewhere(t)
	s, err := store.Open(context.Background(), "sqlite:"+dir+"/data/sluice.db")
	if err != nil {
		t.Fatal(err)
	}
	err = s.Ledger().Append(context.Background(), []billing.Entry{{Call: "c1", Time: time.Now(), Team: "t", KeyID: "k", Key: "t/ci", Model: "fast",
		Status: 200, Delivered: -1, Cost: billing.Dollar / 4, Usage: schema.Usage{Input: 7, Output: 3, Source: schema.UsageReported}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sluice(t, "report", "--data", "data", "--by", "key").want(t, 0, "t/ci", "")
	got := sluice(t, "report", "--data", "data", "--by", "team", "--format", "jsonl")
	if !strings.Contains(got.out, `"usd":"0.25"`) {
		t.Errorf("%+v", got)
	}
	sluice(t, "report", "--data", "data", "--by", "key", "--model", "fast", "--key", "t/ci").want(t, 0, "t/ci", "")
	if got := sluice(t, "report", "--data", "data", "--by", "key", "--model", "slow"); strings.Contains(got.out, "t/ci") {
		t.Errorf("--model selects nothing: %s", got.out)
	}
	sluice(t, "report", "--data", "data", "--verify").want(t, 0, "1 entries: every sum is right", "")
	sluice(t, "invoice", "t", "--data", "data", "--month", time.Now().UTC().Format("2006-01")).want(t, 0, "to pay: 0.25 USD (exactly 0.25)", "")
	sluice(t, "invoice", "nobody", "--data", "data").want(t, 1, "", "nobody")
	sluice(t, "invoice", "t", "--data", "data", "--month", "May").want(t, 2, "", "month")
	sluice(t, "invoice", "t", "--format", "pdf").want(t, 2, "", "pdf")
	if err := os.WriteFile("z.yaml", []byte("billing: {time_zone: Nowhere/City}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sluice(t, "report", "--data", "data", "-c", "z.yaml").want(t, 2, "", "z.yaml:1")
	sluice(t, "report", "--data", "data", "-c", "absent.yaml").want(t, 2, "", "absent.yaml")
}
