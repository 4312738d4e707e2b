package store

import (
	"context"
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
