package billing

import (
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"sluice/providers/schema"
)

// limited is an owner, a key of a team, with limits.
func limited(t testing.TB, team, key Limits) *Owner {
	t.Helper()
	_, v := book(t, &clock{time.Unix(1e9, 0)}, []Team{{Name: "lab", Limits: team}}, []Key{{ID: "1", Name: "ci", Team: "lab", Limits: key}})
	return v.Key("1")
}

// least is the lower of an owner's limits of tokens.
func least(o *Owner) int64 {
	input, output := o.TokenLimits()
	return min(input, output)
}

func TestAdmit(t *testing.T) {
	o := limited(t, Limits{TPM: 1000}, Limits{RPM: 3, Parallel: 2})
	now := at(t, "2026-05-15T10:00:00.25Z")
	first, err := o.Admit(now, Ask{Input: 100})
	if err != nil {
		t.Fatal(err)
	}
	second, err := o.Admit(now, Ask{Input: 100})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(at time.Time, tokens int64, what string, wait time.Duration, words ...string) {
		t.Helper()
		_, err := o.Admit(at, Ask{Input: tokens})
		if err == nil || err.Type != what || err.RetryAfter != wait || err.Code != schema.CodeRateLimit || err.Status != 429 || err.Origin != schema.OriginPolicy {
			t.Errorf("error %+v, want %s after %v", err, what, wait)
			return
		}
		for _, w := range words {
			if !strings.Contains(err.Message, w) {
				t.Errorf("%q does not tell %q", err.Message, w)
			}
		}
	}
	refused(now, 1, "parallel", time.Second, `key "lab/ci"`, "2 calls at once")
	first.Done(Ask{Input: 100})
	first.Done(Ask{Input: 100}) // once is enough
	now = now.Add(10 * time.Second)
	refused(now, 900, "tokens", 51*time.Second, `team "lab"`, "1000 tokens per minute", "51 s")
	refused(now, 1001, "tokens", 0, "may need 1001 tokens", "send less")
	third, err := o.Admit(now, Ask{Input: 800})
	if err != nil {
		t.Fatal(err)
	}
	second.Done(Ask{Input: 50}) // gives 50 back
	third.Done(Ask{Input: 850}) // takes 50 more than it said
	refused(now, 0, "requests", 51*time.Second, "3 requests per minute")
	requests, tokens, okR, okT := third.State(now)
	if !okR || !okT || requests != (LimitState{3, 0, 60*time.Second + 750*time.Millisecond}) || tokens.Remaining != 0 || tokens.Limit != 1000 {
		t.Errorf("%+v %v, %+v %v", requests, okR, tokens, okT)
	}
	now = at(t, "2026-05-15T10:01:01Z") // the first two have left
	if _, tokens, _, _ := o.LimitState(now); tokens.Remaining != 150 {
		t.Errorf("%+v", tokens)
	}
	if _, err := o.Admit(now, Ask{Input: 150}); err != nil {
		t.Error(err)
	}
	if least(o) != 1000 {
		t.Errorf("tpm %d", least(o))
	}
}

func TestAdmitWithoutLimits(t *testing.T) {
	o := limited(t, Limits{}, Limits{})
	ticket, err := o.Admit(time.Now(), Ask{Input: math.MaxInt64})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, okR, okT := ticket.State(time.Now()); okR || okT {
		t.Error("there are limits")
	}
	ticket.Done(Ask{Input: 5})
	if least(o) != 0 {
		t.Errorf("tpm %d", least(o))
	}
}

// TestAllOrNothing: a call that one limit refuses counts in none.
func TestAllOrNothing(t *testing.T) {
	o := limited(t, Limits{RPM: 1}, Limits{RPM: 100, TPM: 100, Parallel: 100})
	now := time.Unix(1e9, 0)
	if _, err := o.Admit(now, Ask{Input: 10}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := o.Admit(now, Ask{Input: 10}); err == nil {
			t.Fatal("admitted")
		}
	}
	l := o.limits[len(o.limits)-1].limiter
	if o.limits[0].owner == o {
		l = o.limits[0].limiter
	}
	if l.minute.sum != (use{1, 10, 0}) || l.parallel != 1 {
		t.Errorf("%+v", l)
	}
}

// TestLimitsHold: whatever arrives, no span of 60 s has more than the limit, a
// call that waits as told gets in, and remaining never lies.
func TestLimitsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{RPM: rapid.Int64Range(1, 20).Draw(t, "rpm"), TPM: rapid.Int64Range(1, 500).Draw(t, "tpm"), Parallel: rapid.Int64Range(0, 4).Draw(t, "parallel")}
		v, err := NewBook(nil, nil).Rebuild([]Team{{Name: "a", Limits: limits}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := v.Team("a")
		now := time.Unix(1e9, 0)
		type call struct {
			at     time.Time
			tokens int64
			ticket Ticket
		}
		var calls, open []call
		for range rapid.IntRange(1, 150).Draw(t, "arrivals") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 5e9).Draw(t, "pause")))
			tokens := rapid.Int64Range(0, 120).Draw(t, "tokens")
			requests, left, _, _ := o.LimitState(now)
			ticket, refusal := o.Admit(now, Ask{Input: tokens})
			switch {
			case refusal == nil:
				if requests.Remaining < 1 || left.Remaining < tokens {
					t.Fatalf("admitted with %+v and %+v", requests, left)
				}
				calls = append(calls, call{now, tokens, ticket})
				open = append(open, calls[len(calls)-1])
			case refusal.RetryAfter == 0:
				if tokens <= limits.TPM {
					t.Fatalf("%v", refusal)
				}
			case refusal.Type != "parallel":
				if refusal.RetryAfter%time.Second != 0 || refusal.RetryAfter < time.Second || refusal.RetryAfter > 62*time.Second {
					t.Fatalf("wait %v", refusal.RetryAfter)
				}
				now = now.Add(refusal.RetryAfter)
				if ticket, again := o.Admit(now, Ask{Input: tokens}); again == nil {
					calls = append(calls, call{now, tokens, ticket})
					open = append(open, calls[len(calls)-1])
				} else if again.Type == refusal.Type {
					t.Fatalf("waited %v in vain: %v", refusal.RetryAfter, again)
				}
			}
			if limits.Parallel > 0 && int64(len(open)) > limits.Parallel {
				t.Fatalf("%d calls at once", len(open))
			}
			if len(open) > 0 && rapid.Bool().Draw(t, "done") {
				open[0].ticket.Done(Ask{Input: open[0].tokens})
				open = open[1:]
			}
		}
		for i, from := range calls {
			var n, tokens int64
			for _, c := range calls[i:] {
				if c.at.Sub(from.at) < time.Minute {
					n++
					tokens += c.tokens
				}
			}
			if n > limits.RPM || tokens > limits.TPM {
				t.Fatalf("in the minute from %v: %d requests, %d tokens; limits %+v", from.at, n, tokens, limits)
			}
		}
	})
}

// TestSettlingLate: tokens of a call that has left the window change nothing.
func TestSettlingLate(t *testing.T) {
	o := limited(t, Limits{TPM: 1000}, Limits{})
	now := time.Unix(1e9, 0)
	old, _ := o.Admit(now, Ask{Input: 10})
	slow, _ := o.Admit(now.Add(30*time.Second), Ask{Input: 10})
	now = now.Add(70 * time.Second)
	if _, err := o.Admit(now, Ask{Input: 500}); err != nil {
		t.Fatal(err)
	}
	old.Done(Ask{Input: 5000})
	slow.Done(Ask{Input: 0})
	if _, tokens, _, _ := o.LimitState(now); tokens.Remaining != 500 {
		t.Errorf("%+v", tokens)
	}
	late, _ := o.Admit(now.Add(-5*time.Second), Ask{Input: 100}) // a clock that is behind
	late.Done(Ask{Input: math.MaxInt64})                         // as many as a second can hold
	if _, tokens, _, _ := o.LimitState(now); tokens.Remaining != 0 {
		t.Errorf("%+v", tokens)
	}
	now = now.Add(2 * time.Minute)
	if _, tokens, _, _ := o.LimitState(now); tokens.Remaining != 1000 || tokens.Reset != 0 {
		t.Errorf("%+v", tokens)
	}
}

func TestAdmitAtOnce(t *testing.T) {
	o := limited(t, Limits{RPM: 100, Parallel: 7}, Limits{TPM: 50})
	now := time.Unix(1e9, 0)
	var admitted, running, most atomic.Int64
	var wg sync.WaitGroup
	for range 500 {
		wg.Go(func() {
			ticket, err := o.Admit(now, Ask{Input: 1})
			if err != nil {
				return
			}
			admitted.Add(1)
			n := running.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			running.Add(-1)
			ticket.Done(Ask{Input: 1})
		})
	}
	wg.Wait()
	if admitted.Load() > 50 || admitted.Load() == 0 || most.Load() > 7 {
		t.Errorf("%d admitted, %d at once", admitted.Load(), most.Load())
	}
	for _, l := range o.limits {
		if !l.limiter.idle() {
			t.Error("a call is still running")
		}
	}
}

func TestLimiterIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(limiter{}) + unsafe.Sizeof(window{}); n > 160 {
		t.Errorf("a limiter has %d bytes", n)
	}
	o := limited(t, Limits{RPM: 1e6, TPM: 1e9, Parallel: 10}, Limits{RPM: 1e6, TPM: 1e9, Parallel: 10})
	now := time.Unix(1e9, 0)
	if n := testing.AllocsPerRun(100, func() {
		ticket, _ := o.Admit(now, Ask{Input: 10})
		ticket.State(now)
		ticket.Done(Ask{Input: 5})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdmit(b *testing.B) {
	o := limited(b, Limits{RPM: math.MaxUint32, TPM: math.MaxUint32}, Limits{RPM: math.MaxUint32, Parallel: 1000})
	now := time.Unix(1e9, 0)
	b.ReportAllocs()
	for b.Loop() {
		ticket, _ := o.Admit(now, Ask{Input: 1})
		ticket.Done(Ask{Input: 1})
	}
}

// TestLimitsOfADay: input and output apart, and a day that slides.
func TestLimitsOfADay(t *testing.T) {
	o := limited(t, Limits{TPD: 1000, RPD: 3}, Limits{InputTPM: 100, OutputTPM: 500})
	now := at(t, "2026-05-15T10:05:00Z")
	refused := func(ask Ask, words string, wait time.Duration) {
		t.Helper()
		if _, err := o.Admit(now, ask); err == nil || !strings.Contains(err.Message, words) || err.RetryAfter != wait {
			t.Errorf("%+v, want %s after %v", err, words, wait)
		}
	}
	first, err := o.Admit(now, Ask{90, 500})
	if err != nil {
		t.Fatal(err)
	}
	refused(Ask{11, 0}, "100 input tokens per minute", 61*time.Second)
	refused(Ask{0, 1}, "500 output tokens per minute", 61*time.Second)
	refused(Ask{0, 501}, "may need 501 tokens", 0)
	first.Done(Ask{90, 400})
	now = now.Add(2 * time.Hour)
	if _, err := o.Admit(now, Ask{100, 410}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Hour)
	refused(Ask{1, 0}, `team "lab" reached: 1000 tokens per day`, 20*time.Hour+5*time.Minute)
	if _, err := o.Admit(now, Ask{}); err != nil {
		t.Fatal(err)
	}
	refused(Ask{}, "3 requests per day", 20*time.Hour+5*time.Minute)
	now = at(t, "2026-05-16T10:09:59Z")
	refused(Ask{}, "3 requests per day", time.Second)
	now = now.Add(time.Second)
	if _, err := o.Admit(now, Ask{90, 400}); err != nil {
		t.Error(err)
	}
}
