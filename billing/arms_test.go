package billing

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"testing"
	"time"

	"sluice/providers/schema"
)

// armLedger has entries, newest first, in pages of two.
type armLedger struct {
	Ledger
	entries []Entry
	broken  error
}

func (l *armLedger) Usage(_ context.Context, q Query) (*Report, error) {
	r := &Report{GroupBy: q.GroupBy}
	at := map[string]int{}
	for _, e := range l.entries {
		if e.Model != q.Only.Model {
			continue
		}
		i, ok := at[e.Target]
		if !ok {
			i = len(r.Rows)
			at[e.Target] = i
			r.Rows = append(r.Rows, Row{Values: []string{e.Target}})
		}
		s := &r.Rows[i].Sums
		s.Calls++
		s.USD += e.Cost
		s.OutputTokens += e.Usage.Output
		if e.Status >= 400 {
			s.Errors++
		}
	}
	return r, l.broken
}

func (l *armLedger) Requests(_ context.Context, q RequestQuery) (page []Entry, next string, err error) {
	from, _ := strconv.Atoi(q.After)
	for i := from; i < len(l.entries); i++ {
		if len(page) == 2 {
			return page, strconv.Itoa(i), nil
		}
		if l.entries[i].Model == q.Model {
			page = append(page, l.entries[i])
		}
	}
	return page, "", nil
}

func TestArms(t *testing.T) {
	tried := func(at ...string) (list []AttemptLog) {
		for i, target := range at {
			code := "upstream_error"
			if i == len(at)-1 {
				code = ""
			}
			list = append(list, AttemptLog{Target: target, Code: code})
		}
		return list
	}
	ms := time.Millisecond
	l := &armLedger{entries: []Entry{
		{Model: "m", Target: "b/1", Status: 200, Cost: 3, Latency: 100 * ms, Usage: schema.Usage{Output: 10}, Attempts: tried("a/1", "b/1")},
		{Model: "m", Target: "a/1", Status: 200, Cost: 10, Latency: 10 * ms, TTFT: 4 * ms, Stream: true, Usage: schema.Usage{Output: 1}, Attempts: tried("a/1")},
		{Model: "m", Target: "a/1", Status: 200, Cost: 10, Latency: 30 * ms, TTFT: 8 * ms, Stream: true, Usage: schema.Usage{Output: 3}, Attempts: tried("a/1")},
		{Model: "m", Target: "a/1", Status: 200, Cost: 11, Latency: 20 * ms, TTFT: 20 * ms, Usage: schema.Usage{Output: 2}, Attempts: tried("a/1")},
		{Model: "m", Target: "a/1", Status: 500, Latency: 900 * ms, Attempts: []AttemptLog{{Target: "a/1", Code: "upstream_error"}}},
		{Model: "m", Target: "a/1", Status: 200, Cache: "hit", Latency: 1},
		{Model: "m", Target: "", Status: 429, Refused: true},
		{Model: ShadowModel("m"), Target: "c/1", Status: 200, Cost: 7, Latency: 5 * ms, Usage: schema.Usage{Output: 9}, Attempts: tried("c/1")},
		{Model: "other", Target: "d/1", Status: 200},
	}}
	got, err := Arms(context.Background(), l, Query{}, "m")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"target":"a/1","shadow":false,"calls":5,"errors":1,"cached":0,"input_tokens":0,"output_tokens":6,"usd":"0.000000031","sampled":4,"usd_per_call":"0.000000008","attempts":5,"failed_attempts":2,"latency_p50_ms":20,"latency_p95_ms":30,"ttft_p50_ms":4,"ttft_p95_ms":8,"output_tokens_p50":2,"output_tokens_p95":3}`,
		`{"target":"b/1","shadow":false,"calls":1,"errors":0,"cached":0,"input_tokens":0,"output_tokens":10,"usd":"0.000000003","sampled":1,"usd_per_call":"0.000000003","attempts":1,"failed_attempts":0,"latency_p50_ms":100,"latency_p95_ms":100,"ttft_p50_ms":null,"ttft_p95_ms":null,"output_tokens_p50":10,"output_tokens_p95":10}`,
		`{"target":"c/1","shadow":true,"calls":1,"errors":0,"cached":0,"input_tokens":0,"output_tokens":9,"usd":"0.000000007","sampled":1,"usd_per_call":"0.000000007","attempts":1,"failed_attempts":0,"latency_p50_ms":5,"latency_p95_ms":5,"ttft_p50_ms":null,"ttft_p95_ms":null,"output_tokens_p50":9,"output_tokens_p95":9}`,
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range got {
		if b, _ := json.Marshal(got[i]); string(b) != want[i] {
			t.Errorf("got  %s\nwant %s", b, want[i])
		}
	}
	l.broken = errors.New("gone")
	if _, err := Arms(context.Background(), l, Query{}, "m"); err == nil {
		t.Error("a ledger that cannot be read is no error")
	}
}

func TestPercentiles(t *testing.T) {
	values := []int64{}
	for i := range int64(100) {
		values = append(values, 100-i)
	}
	if p50, p95 := percentiles(values, 1); *p50 != 50 || *p95 != 95 {
		t.Errorf("%d %d", *p50, *p95)
	}
	if p50, _ := percentiles([]int64{1_499_999}, 1_000_000); *p50 != 1 {
		t.Errorf("%d", *p50)
	}
}
