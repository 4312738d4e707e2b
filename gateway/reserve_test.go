package gateway

import (
	"math"
	"strings"
	"testing"

	"sluice/billing"
	"sluice/providers"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

// reserving is a call of a key with a budget and a limit of tokens, its body
// decoded, before it is admitted.
func reserving(t *testing.T, usd billing.Nano, tpm int64, body string) *Call {
	t.Helper()
	owners, err := billing.NewBook(nil, nil).Rebuild([]billing.Team{{Name: "t"}}, []billing.Key{{ID: "k", Team: "t", Name: "k",
		Limits: billing.Limits{TPM: tpm}, Budgets: billing.Budgets{{USD: usd, Per: billing.PeriodTotal, Hard: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	prices, err := billing.ParsePrices(billing.PriceSpec{Input: "1", Output: "2"})
	if err != nil {
		t.Fatal(err)
	}
	head, err := openai.Dialect.Client.Head(schema.OpChat, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return &Call{
		g:      &Gateway{counter: billing.NewCounter()},
		snap:   NewSnapshot(Parts{Settings: Settings{HoldTokens: 100}}),
		caller: &Caller{Owner: owners.Key("k")},
		model:  &Model{Targets: []*Target{{Name: "p/gpt-4o", Model: "gpt-4o", Prices: prices}}},
		req:    providers.Request{Op: schema.OpChat, Client: &openai.Dialect, Raw: []byte(body), Head: head},
	}
}

const (
	hi    = `"messages":[{"role":"user","content":"hi"}]`
	cents = billing.Dollar / 100
)

func TestHoldsDoNotOverflow(t *testing.T) {
	for _, body := range []string{
		`{"model":"m","n":128,"max_tokens":144115188075855872,` + hi + `}`,
		`{"model":"m","n":128,"max_tokens":9223372036854775807,` + hi + `}`,
		`{"model":"m","n":3,"max_tokens":6148914691236517206,` + hi + `}`,
	} {
		c := reserving(t, cents, 0, body)
		if err := c.reserve(); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		most := c.model.Targets[0].Prices.MaxCost(0, c.money.clamped*c.choices())
		if c.money.clamped == 0 || c.money.hold.USD() > cents || most > c.money.hold.USD() {
			t.Errorf("%s: held %v, each answer clamped to %d tokens", body, c.money.hold.USD(), c.money.clamped)
		}
	}
}

func TestTokensNeeded(t *testing.T) {
	for body, want := range map[string][2]int64{
		`{"model":"m","max_tokens":9223372036854775807,` + hi + `}`: {mostTokens, math.MaxInt64},
		`{"model":"m","n":4,"max_tokens":500,` + hi + `}`:           {2000, 2100},
		`{"model":"m","n":4,` + hi + `}`:                            {400, 500}, // what is held for, each
		`{"model":"m","n":128,` + hi + `}`:                          {1000, 1100},
	} {
		c := reserving(t, cents, 10_000, body)
		if need := c.tokensNeeded(c.caller.Owner); need.Input+need.Output < want[0] || need.Input+need.Output > want[1] {
			t.Errorf("%s needs %d tokens, want %v", body, need, want)
		}
	}
}

func TestHoldsForEveryField(t *testing.T) {
	long := strings.Repeat("word ", 20_000)
	c := reserving(t, cents, 0, `{"model":"m","max_tokens":10,`+hi+
		`,"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","description":"`+long+`"}}}}`)
	if err := c.reserve(); err == nil || schema.AsError(err).Code != schema.CodeInsufficientQuota {
		t.Errorf("20,000 tokens of schema for a cent: %v, held %v", err, c.money.hold.USD())
	}
	c = reserving(t, billing.Dollar, 0, `{"model":"m","max_tokens":10,"messages":[{"role":"user","content":[`+
		strings.Repeat(`{"type":"image_url","image_url":{"url":"http://a/b"}},`, 20)+`{"type":"text","text":"x"}]}]}`)
	if err := c.reserve(); err != nil {
		t.Fatal(err)
	}
	if most := c.model.Targets[0].Prices.MaxCost(20*85, 10); c.money.hold.USD() < most {
		t.Errorf("20 pictures: held %v, want %v or more", c.money.hold.USD(), most)
	}
}
