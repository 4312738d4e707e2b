package billing

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sluice/providers/schema"
)

type entryList []Entry

func (l entryList) Each(_ context.Context, _ Query, f func(*Entry) error) error {
	for i := range l {
		if err := f(&l[i]); err != nil {
			return err
		}
	}
	return nil
}

type brokenList struct{}

func (brokenList) Each(context.Context, Query, func(*Entry) error) error {
	return errors.New("gone")
}

func TestReprice(t *testing.T) {
	list := entryList{
		{Target: "p/m", Usage: schema.Usage{Input: 1000, Output: 100}, Cost: usd(t, "0.002")},
		{Target: "p/m", Usage: schema.Usage{Input: 1000, Output: 100, Tier: "flex"}, Cost: usd(t, "0.0009"), Markup: usd(t, "-0.0001")},
		{Target: "p/m", Attempt: 1, Usage: schema.Usage{Input: 10}, Cost: usd(t, "0.00001")},
		{Target: "p/m", Status: 500}, // failed, at no charge
		{Target: "q/m", Usage: schema.Usage{Input: 5}, Cost: usd(t, "0.5")},
		{Target: "p/free", Usage: schema.Usage{Input: 1000}},
		{Target: "p/m", Attempt: Correction, Cost: usd(t, "-0.001")},
		{Target: "q/hit", Cost: usd(t, "0.25"), Markup: usd(t, "0.25")}, // a kept answer that has a price
		{Refused: true},
	}
	price, err := PricesOf(map[string]map[string]PriceSpec{"p": {"*": {Input: "2", Output: "10", Tiers: map[string]PriceSpec{"flex": {Input: "1", Output: "5"}}}, "free": {Input: "4"}}, "q": {"hit": {Request: "9"}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Reprice(context.Background(), list, time.Time{}, time.Time{}, price)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Render(&b, "csv"); err != nil {
		t.Fatal(err)
	}
	want := `target,calls,kept,usd,provider_usd,repriced_usd,difference_usd
,0,0,-0.001,-0.001,-0.001,0
p/free,1,0,0,0,0.004,0.004
p/m,3,0,0.00291,0.00301,0.00452,0.00151
q/hit,1,1,0.25,0,0,0
q/m,1,1,0.5,0.5,0.5,0
`
	if b.String() != want { // p/m: 0.003 + 0.0015 + 0.00002
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if r.Total != (RepricedRow{Calls: 6, Kept: 2, USD: usd(t, "0.75191"), Provider: usd(t, "0.50201"), New: usd(t, "0.50752"), Difference: usd(t, "0.00551")}) {
		t.Errorf("total %+v", r.Total)
	}
	b.Reset()
	if err := r.Render(&b, "table"); err != nil || !strings.Contains(b.String(), "total") || strings.Count(b.String(), "\n") != 7 {
		t.Errorf("%v\n%s", err, b.String())
	}
	if _, err := Reprice(context.Background(), brokenList{}, time.Time{}, time.Time{}, price); err == nil {
		t.Error("a ledger that cannot be read is no error")
	}
	if _, err := PricesOf(map[string]map[string]PriceSpec{"p": {"m": {Input: "x"}}}); err == nil || !strings.Contains(err.Error(), "p.m") {
		t.Errorf("a price that is none: %v", err)
	}
}
