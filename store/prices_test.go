package store

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"sluice/billing"
)

func TestSetPrices(t *testing.T) {
	s := testStore(t)
	ctx := context.Background()
	at := time.Date(2027, 1, 2, 3, 4, 5, 6, time.UTC)
	want := []billing.SetPrice{
		{Provider: "p", Model: "m", From: at, Set: at.Add(-time.Hour), Source: "the page of today", Prices: &billing.PriceSpec{Input: "1", Output: "2.5",
			Above: map[int64]billing.PriceSpec{9: {Input: "3"}}, Tiers: map[string]billing.PriceSpec{"flex": {Input: "0.5"}}}},
		{Provider: "p", Model: "*", From: at.Add(time.Hour), Set: at},
		{Provider: "a", Model: "m", From: at, Set: at, Prices: &billing.PriceSpec{Request: "0"}},
	}
	for i := range want {
		var err error
		if want[i].ID, err = s.Prices().SetPrice(ctx, want[i]); err != nil || i > 0 && want[i].ID <= want[i-1].ID {
			t.Fatalf("id %d: %v", want[i].ID, err)
		}
	}
	got, err := s.Prices().SetPrices(ctx)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%+v\nwant\n%+v", err, got, want)
	}
}

func TestEachEntry(t *testing.T) {
	s := testStore(t)
	ctx := context.Background()
	at := time.Date(2027, 1, 2, 3, 4, 5, 6, time.UTC)
	list := []billing.Entry{{Call: "a", Time: at, Cost: 1}, {Call: "a", Attempt: 1, Time: at.Add(time.Hour), Cost: 2}, {Call: "b", Time: at.Add(2 * time.Hour), Refused: true}}
	if err := s.Ledger().Append(ctx, list); err != nil {
		t.Fatal(err)
	}
	count := func(from, to time.Time) (n int, sum billing.Nano) {
		t.Helper()
		if err := s.Ledger().Each(ctx, billing.Query{From: from, To: to}, func(e *billing.Entry) error {
			n++
			sum += e.Cost
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return n, sum
	}
	if n, sum := count(time.Time{}, time.Time{}); n != 3 || sum != 3 {
		t.Errorf("%d entries of %d", n, sum)
	}
	if n, sum := count(at.Add(time.Minute), at.Add(2*time.Hour)); n != 1 || sum != 2 {
		t.Errorf("%d entries of %d in between", n, sum)
	}
	stop := errors.New("stop")
	if err := s.Ledger().Each(ctx, billing.Query{}, func(*billing.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the reader is %v", err)
	}
}
