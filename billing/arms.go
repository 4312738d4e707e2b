package billing

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Arm is how one target of a model did: of those that its calls are split
// between, or of its shadow.
type Arm struct {
	Target       string `json:"target"` // provider/model
	Shadow       bool   `json:"shadow"`
	Calls        int64  `json:"calls"`  // that ended there
	Errors       int64  `json:"errors"` // of calls
	Cached       int64  `json:"cached"` // of calls, those that a kept answer of the target's was given to
	InputTokens  int64  `json:"input_tokens"`
	OutputTokens int64  `json:"output_tokens"`
	USD          Nano   `json:"usd"`

	ArmSample
}

// ArmSample is of the newest calls alone, ArmCalls of a model's and as many of
// its shadow's at most, but for those that a kept answer was given to. Times and
// lengths are of answers that came whole; null: there were none.
type ArmSample struct {
	Sampled        int64  `json:"sampled"` // calls
	USDPerCall     *Nano  `json:"usd_per_call"`
	Attempts       int64  `json:"attempts"`        // at the target, whoever answered in the end
	FailedAttempts int64  `json:"failed_attempts"` // of attempts
	LatencyP50MS   *int64 `json:"latency_p50_ms"`
	LatencyP95MS   *int64 `json:"latency_p95_ms"`
	TTFTP50MS      *int64 `json:"ttft_p50_ms"` // of streams
	TTFTP95MS      *int64 `json:"ttft_p95_ms"`
	OutputP50      *int64 `json:"output_tokens_p50"`
	OutputP95      *int64 `json:"output_tokens_p95"`
}

// ArmCalls bounds the calls that are looked at one by one.
const ArmCalls = 10_000

// Arms compares the targets of a model, and its shadow, over the time of a
// query. They come by their names, shadows last.
func Arms(ctx context.Context, l Ledger, q Query, model string) ([]Arm, error) {
	var out []Arm
	for _, name := range []string{model, ShadowModel(model)} {
		s := armSampler{}
		q.GroupBy, q.Only = []string{"target"}, Filter{Model: name}
		report, err := l.Usage(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range report.Rows {
			row := &report.Rows[i]
			s.of(row.Values[0]).sums(&row.Sums)
		}
		if len(report.Rows) == 0 {
			continue
		}
		if err := s.look(ctx, l, RequestQuery{From: q.From, To: q.To, Team: q.Team, Model: name, Limit: 1000}); err != nil {
			return nil, err
		}
		out = append(out, s.arms(name != model)...)
	}
	return out, nil
}

// armSampler gathers what is known of targets, by their names.
type armSampler map[string]*armInMaking

type armInMaking struct {
	Arm
	usd                   Nano
	latency, ttft, output []int64 // nanoseconds; tokens
}

func (s armSampler) of(target string) *armInMaking {
	a := s[target]
	if a == nil {
		a = &armInMaking{Arm: Arm{Target: target}}
		s[target] = a
	}
	return a
}

func (a *armInMaking) sums(s *Sums) {
	a.Calls, a.Errors, a.Cached, a.USD = s.Calls, s.Errors, s.Cached, s.USD
	a.InputTokens, a.OutputTokens = s.InputTokens, s.OutputTokens
}

// look takes in the newest calls.
func (s armSampler) look(ctx context.Context, l Ledger, q RequestQuery) error {
	for left := ArmCalls; left > 0; {
		page, next, err := l.Requests(ctx, q)
		if err != nil {
			return err
		}
		for i := range page[:min(len(page), left)] {
			s.take(&page[i])
		}
		if left -= len(page); next == "" {
			return nil
		}
		q.After = next
	}
	return nil
}

func (s armSampler) take(e *Entry) {
	if e.Attempt != 0 || e.Refused || e.Cache == "hit" || e.Cache == "semantic" {
		return
	}
	for i := range e.Attempts {
		at := s.of(e.Attempts[i].Target)
		at.Attempts++
		if e.Attempts[i].Code != "" {
			at.FailedAttempts++
		}
	}
	a := s.of(e.Target)
	a.Sampled++
	a.usd += e.Cost
	if e.Status >= 400 || e.Disconnect {
		return
	}
	a.latency, a.output = append(a.latency, int64(e.Latency)), append(a.output, e.Usage.Output)
	if e.Stream && e.TTFT > 0 {
		a.ttft = append(a.ttft, int64(e.TTFT))
	}
}

// arms are the targets in order; what no target answered is none's.
func (s armSampler) arms(shadow bool) []Arm {
	var out []Arm
	for target, a := range s {
		if target == "" {
			continue
		}
		a.Shadow = shadow
		if a.Sampled > 0 {
			mean := (a.usd + Nano(a.Sampled)/2) / Nano(a.Sampled)
			a.USDPerCall = &mean
		}
		const ms = int64(time.Millisecond)
		a.LatencyP50MS, a.LatencyP95MS = percentiles(a.latency, ms)
		a.TTFTP50MS, a.TTFTP95MS = percentiles(a.ttft, ms)
		a.OutputP50, a.OutputP95 = percentiles(a.output, 1)
		out = append(out, a.Arm)
	}
	slices.SortFunc(out, func(a, b Arm) int { return cmp.Compare(a.Target, b.Target) })
	return out
}

// percentiles are the least values that half, and 95 of a hundred, do not
// exceed, in a unit; nil: there are no values.
func percentiles(values []int64, unit int64) (p50, p95 *int64) {
	if len(values) == 0 {
		return nil, nil
	}
	slices.Sort(values)
	at := func(p int) *int64 {
		v := values[(len(values)*p+99)/100-1]
		v = (v + unit/2) / unit
		return &v
	}
	return at(50), at(95)
}
