package console

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/billing"
)

func TestUSD(t *testing.T) {
	for n, want := range map[billing.Nano]string{
		0: "$0", billing.Dollar: "$1.00", 1_234_567 * billing.Dollar: "$1,234,567.00", 1_999_999_999: "$2.00",
		250_000_000: "$0.2500", 999_999_999: "$1.0000", 1_000_000: "$0.0010", 15_000: "$0.000015", 400: "<$0.000001", -5 * billing.Dollar: "−$5.00",
	} {
		if got := usd(n); got != want {
			t.Errorf("usd(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64][2]string{
		0: {"0", "0"}, 999: {"999", "999"}, 1000: {"1,000", "1.00k"}, 12_345: {"12,345", "12.3k"}, 999_999: {"999,999", "999k"},
		1_234_567: {"1,234,567", "1.23M"}, -1234: {"-1,234", "-1234"}, 9_000_000_000: {"9,000,000,000", "9.00G"},
	} {
		if got := [2]string{count(n), short(n)}; got != want {
			t.Errorf("%d: %v, want %v", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.00 kB", 268_435_456: "268 MB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for text, want := range map[string][]piece{"a": {{"a", false}}, "a `b` c": {{"a ", false}, {"b", true}, {" c", false}}, "a ` b": {{"a ` b", false}}, "`a` b`": {{"", false}, {"a", true}, {" b`", false}}} {
		if got := prose(text); !slices.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	for per, want := range map[string]string{"day": "per day", "30d": "per 30 days", "month": "per month"} {
		if got := perText(per); got != want {
			t.Errorf("%s: %s, want %s", per, got, want)
		}
	}
	for d, want := range map[time.Duration]string{59 * time.Second: "59 s", -time.Hour: "1 h", 47 * time.Hour: "47 h", 49 * time.Hour: "2 days", 90 * time.Second: "1 min"} {
		if got := ago(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// The share of a bar is within its box and never decreases with the amount.
func TestThousandths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := billing.Nano(rapid.Int64().Draw(t, "whole"))
		a := billing.Nano(rapid.Int64().Draw(t, "a"))
		b := billing.Nano(rapid.Int64().Draw(t, "b"))
		if a > b {
			a, b = b, a
		}
		x, y := thousandths(a, whole), thousandths(b, whole)
		if x < 0 || y > 1000 || x > y {
			t.Fatalf("thousandths(%d, %d) = %d, (%d) = %d", a, whole, x, b, y)
		}
	})
}

func TestListsAreBounded(t *testing.T) {
	r := &billing.Report{}
	for i := range int64(20) {
		r.Rows = append(r.Rows, billing.Row{Values: []string{count(i)}, Sums: billing.Sums{Calls: 1, USD: billing.Nano(i)}})
	}
	all := shares(r, "(none)")
	if len(all) != longestList || all[0].Name != "19" || all[longestList-1].Name != "13 more" || all[longestList-1].Calls != 13 {
		t.Errorf("shares %+v", all)
	}
}
