package gateway

import (
	"math"
	"testing"

	"sluice/billing"
	"sluice/providers"
	"sluice/providers/mock"
	"sluice/providers/schema"
)

// priced is a target whose tokens cost these dollars per million; "": none
// known. Its model writes no more than most tokens; 0: not known.
func priced(t *testing.T, name, in, out string, most int64) *Target {
	t.Helper()
	prices, err := billing.ParsePrices(billing.PriceSpec{Input: in, Output: out})
	if err != nil {
		t.Fatal(err)
	}
	if in == "" {
		prices = nil
	}
	dearest, err := billing.ParsePrices(billing.PriceSpec{Input: "100", Output: "200"})
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{Name: name, Dearest: dearest, Client: providers.New(providers.Options{Name: name, Local: mock.New(mock.Options{})})}
	return &Target{Name: name + "/m", Provider: p, Model: "m", Prices: prices, Max: most}
}

// What is held is the most that the call may cost at the dearest of its
// targets; where less is left, all answers together are clamped to what that
// buys at each of them.
func TestHolds(t *testing.T) {
	body := func(more string) string { return `{"model":"m"` + more + `,` + hi + `}` }
	cheap, dear := [2]string{"1", "2"}, [2]string{"10", "40"}
	for _, c := range []struct {
		name, body string
		targets    [][2]string
		most       int64 // that the model can write
		budget     billing.Nano
		output     int64 // held for, over all choices
		price      int64 // of output, dollars per million tokens
		clamped    bool
	}{
		{"the caller's limit", body(`,"max_tokens":500`), [][2]string{cheap}, 0, billing.Dollar, 500, 2, false},
		{"the newer name of it", body(`,"max_completion_tokens":500`), [][2]string{cheap}, 0, billing.Dollar, 500, 2, false},
		{"none: what is always held for", body(``), [][2]string{cheap}, 0, billing.Dollar, 100, 2, false},
		{"none, and a model that writes less", body(``), [][2]string{cheap}, 30, billing.Dollar, 30, 2, false},
		{"none, and a model that writes more", body(``), [][2]string{cheap}, 8000, billing.Dollar, 100, 2, false},
		{"several answers", body(`,"n":4,"max_tokens":500`), [][2]string{cheap}, 0, billing.Dollar, 2000, 2, false},
		{"several answers without a limit", body(`,"n":4`), [][2]string{cheap}, 0, billing.Dollar, 400, 2, false},
		{"the dearest target", body(`,"max_tokens":500`), [][2]string{cheap, dear}, 0, billing.Dollar, 500, 40, false},
		{"less is left", body(`,"max_tokens":50000`), [][2]string{cheap}, 0, cents, 50000, 2, true},
		{"less is left for several", body(`,"n":5,"max_tokens":50000`), [][2]string{cheap}, 0, cents, 250000, 2, true},
		{"less is left at two prices", body(`,"max_tokens":50000`), [][2]string{cheap, dear}, 0, cents, 50000, 40, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			call := reserving(t, c.budget, 0, c.body)
			call.model.Targets = nil
			for i, p := range c.targets {
				call.model.Targets = append(call.model.Targets, priced(t, string(rune('a'+i)), p[0], p[1], c.most))
			}
			if err := call.reserve(); err != nil {
				t.Fatal(err)
			}
			held := call.money.hold.USD()
			if (call.money.clamped > 0) != c.clamped || held > c.budget {
				t.Fatalf("held %v of %v, clamped to %d", held, c.budget, call.money.clamped)
			}
			if !c.clamped {
				output := billing.Nano(c.output * c.price * 1000)
				if input := held - output; input <= 0 || input > billing.Nano(1000*20*len(c.body)) {
					t.Errorf("held %v, of which output is %v", held, output)
				}
			}
			for _, target := range call.model.Targets {
				n := call.outputLimit(target)
				if n == 0 {
					n = call.req.Head.MaxTokens
				}
				if n == 0 || target.Prices.MaxCost(0, n*call.choices()) > held {
					t.Errorf("%d tokens are asked of %s, each of %d times: dearer than the %v held", n, target.Name, call.choices(), held)
				}
				if c.clamped && n > call.money.clamped {
					t.Errorf("clamped to %d, yet %d are asked of %s", call.money.clamped, n, target.Name)
				}
			}
			call.record0(t)
		})
	}
}

// record0 settles a call that produced nothing: all that it held comes back.
func (c *Call) record0(t *testing.T) {
	t.Helper()
	owner := c.caller.Owner
	before, _ := owner.Left(billing.Called{})
	held := c.money.hold.USD()
	c.money.hold.Settle(billing.Charge{}, c.now)
	if after, _ := owner.Left(billing.Called{}); after-before != held {
		t.Errorf("%v were held, %v came back", held, after-before)
	}
}

// Models without a price, for callers with a budget.
func TestUnpriced(t *testing.T) {
	body := `{"model":"m","max_tokens":500,` + hi + `}`
	for _, c := range []struct {
		policy  billing.UnpricedPolicy
		targets [][2]string
		code    schema.Code
		price   int64 // of output; 0: nothing is held
	}{
		{billing.UnpricedBlock, [][2]string{{"", ""}}, schema.CodeModelUnpriced, 0},
		{billing.UnpricedBlock, [][2]string{{"1", "2"}, {"", ""}}, schema.CodeModelUnpriced, 0}, // a fallback, say
		{billing.UnpricedBlock, [][2]string{{"1", "2"}}, "", 2},
		{billing.UnpricedEstimate, [][2]string{{"", ""}}, "", 200},
		{billing.UnpricedEstimate, [][2]string{{"1", "2"}, {"", ""}}, "", 200},
		{billing.UnpricedAllow, [][2]string{{"", ""}}, "", 0},
		{billing.UnpricedAllow, [][2]string{{"1", "2"}, {"", ""}}, "", 2},
	} {
		call := reserving(t, 10*billing.Dollar, 0, body)
		call.snap = NewSnapshot(Parts{Settings: Settings{HoldTokens: 100, Unpriced: c.policy}})
		call.model.Targets = nil
		for i, p := range c.targets {
			call.model.Targets = append(call.model.Targets, priced(t, string(rune('a'+i)), p[0], p[1], 0))
		}
		err := call.reserve()
		if c.code != "" {
			if err == nil || schema.AsError(err).Code != c.code || schema.AsError(err).Status != 403 {
				t.Errorf("%s %v: %v", c.policy, c.targets, err)
			}
			continue
		}
		held, output := call.money.hold.USD(), billing.Nano(500*c.price*1000)
		if err != nil || held < output || c.price == 0 && held != 0 || c.price > 0 && held > 2*output {
			t.Errorf("%s %v: %v, held %v", c.policy, c.targets, err, held)
		}
	}
	// Counting costs nothing, so it is never refused for money.
	call := reserving(t, 1, 0, body)
	call.model.Targets = []*Target{priced(t, "a", "", "", 0)}
	if call.req.Op = schema.OpCount; call.reserve() != nil {
		t.Error("counting is refused for want of a price")
	}
}

// What a budget does not cover is refused, and leaves nothing held.
func TestNothingLeft(t *testing.T) {
	for _, n := range []string{"", `,"n":128`} {
		call := reserving(t, 50, 0, `{"model":"m","max_tokens":500`+n+`,`+hi+`}`)
		err := call.reserve()
		if err == nil || schema.AsError(err).Code != schema.CodeInsufficientQuota || call.money.hold.USD() != 0 {
			t.Errorf("%v, held %v", err, call.money.hold.USD())
		}
		if left, _ := call.caller.Owner.Left(billing.Called{}); left != 50 {
			t.Errorf("%v are left", left)
		}
	}
}

// Callers without a hard budget are asked for nothing and limited in nothing.
func TestNoBudget(t *testing.T) {
	owners, err := billing.NewBook(nil, nil).Rebuild([]billing.Team{{Name: "t"}}, []billing.Key{{ID: "k", Team: "t", Name: "k"},
		{ID: "soft", Team: "t", Name: "soft", Budgets: billing.Budgets{{USD: 1, Per: billing.PeriodTotal}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"k", "soft"} {
		for _, body := range []string{`{"model":"m",` + hi + `}`, `{"model":"m","max_tokens":9000,` + hi + `}`} {
			call := reserving(t, 1, 0, body)
			call.caller = &Caller{Owner: owners.Key(id)}
			call.model.Targets = []*Target{priced(t, "a", "1", "2", 0)}
			if err := call.reserve(); err != nil || call.money.hold.USD() != 0 || call.money.clamped != 0 || call.outputLimit(call.model.Targets[0]) != 0 {
				t.Errorf("%s with %s: %v, held %v, limit %d", id, body, err, call.money.hold.USD(), call.outputLimit(call.model.Targets[0]))
			}
		}
	}
}

// A hard budget of requests bounds how many answers there are, not how long.
func TestRequestsBudgetClampsNothing(t *testing.T) {
	owners, err := billing.NewBook(nil, nil).Rebuild([]billing.Team{{Name: "t", Budgets: billing.Budgets{{Requests: 1, Per: billing.PeriodTotal, Hard: true}}}},
		[]billing.Key{{ID: "k", Team: "t", Name: "k"}})
	if err != nil {
		t.Fatal(err)
	}
	call := reserving(t, 1, 0, `{"model":"m",`+hi+`}`)
	call.caller = &Caller{Owner: owners.Key("k")}
	if err := call.reserve(); err != nil || call.money.clamped != 0 || call.outputLimit(call.model.Targets[0]) != 0 {
		t.Errorf("%v, clamped to %d, limit %d", err, call.money.clamped, call.outputLimit(call.model.Targets[0]))
	}
	again := reserving(t, 1, 0, `{"model":"m",`+hi+`}`)
	again.caller = call.caller
	if err := again.reserve(); err == nil || schema.AsError(err).Code != schema.CodeInsufficientQuota {
		t.Errorf("the second: %v", err)
	}
}

// A limit that a caller of another API set is lowered to what the model can
// write, and the caller is told.
func TestLoweredLimits(t *testing.T) {
	for _, c := range []struct{ own, most, want, told int64 }{
		{0, 0, 100, 0}, {0, 50, 50, 0}, {40, 50, 0, 0}, {60, 50, 50, 50}, {60, 0, 0, 0}, {math.MaxInt64, 50, 50, 50},
	} {
		call := reserving(t, 1000*billing.Dollar, 0, `{"model":"m",`+hi+`}`)
		call.req.Head.MaxTokens = c.own
		target := priced(t, "a", "1", "2", c.most)
		call.model.Targets = []*Target{target}
		if got := call.outputLimit(target); got != c.want || call.money.lowered != c.told {
			t.Errorf("own %d, most %d: sent %d and told %d, want %d and %d", c.own, c.most, got, call.money.lowered, c.want, c.told)
		}
	}
}
