package billing

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever is in an invoice, its JSON is the library's.
func TestInvoiceJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, nano := rapid.SampledFrom([]string{"", "ann", `a"b\<é` + "\x01", "\xff"}), rapid.Map(rapid.Int64(), func(n int64) Nano { return Nano(n) })
		tokens := rapid.Custom(func(t *rapid.T) Tokens {
			n := func() int64 { return rapid.Int64().Draw(t, "n") }
			return Tokens{n(), n(), n(), n(), n()}
		})
		line := rapid.Custom(func(t *rapid.T) InvoiceLine {
			return InvoiceLine{Values: texts(t, text), Calls: rapid.Int64().Draw(t, "calls"), Tokens: tokens.Draw(t, "tokens"),
				PerCall: nano.Draw(t, "a"), PerMillion: nano.Draw(t, "b"), USD: nano.Draw(t, "c")}
		})
		amendment := rapid.Custom(func(t *rapid.T) Amendment {
			return Amendment{text.Draw(t, "id"), time.Unix(7, 8).UTC(), text.Draw(t, "corrects"), text.Draw(t, "why"), tokens.Draw(t, "tokens"), nano.Draw(t, "usd")}
		})
		section := rapid.Custom(func(t *rapid.T) Section {
			return Section{text.Draw(t, "team"), text.Draw(t, "parent"), sliceOrNil(t, line), sliceOrNil(t, amendment), nano.Draw(t, "subtotal")}
		})
		v := &Invoice{Number: text.Draw(t, "number"), Team: text.Draw(t, "team"), Month: "2026-10", From: time.Unix(1, 5).UTC(), To: time.Unix(2, 0).In(time.FixedZone("x", 3600)),
			TimeZone: text.Draw(t, "zone"), Preliminary: rapid.Bool().Draw(t, "preliminary"), By: texts(t, text), Sections: sliceOrNil(t, section), Total: nano.Draw(t, "total"), Rounded: "1.00"}
		want, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		if err := v.Render(&got, "json"); err != nil || got.String() != string(want)+"\n" {
			t.Fatalf("%v\n%s\nwant\n%s", err, got.String(), want)
		}
	})
	if err := (&Invoice{From: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)}).Render(&strings.Builder{}, "json"); err == nil {
		t.Error("a time that JSON cannot have was written")
	}
}

func texts(t *rapid.T, of *rapid.Generator[string]) []string { return sliceOrNil(t, of) }

func sliceOrNil[T any](t *rapid.T, of *rapid.Generator[T]) []T {
	if rapid.IntRange(0, 4).Draw(t, "nil") == 0 {
		return nil
	}
	return rapid.SliceOfN(of, 0, 3).Draw(t, "slice")
}

// An average is the exact quotient, rounded; what does not fit is the most that
// does.
func TestAverageIsExact(t *testing.T) {
	number := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-20, 20), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64}))
	rapid.Check(t, func(t *rapid.T) {
		usd, times, n := number.Draw(t, "usd"), rapid.SampledFrom([]int64{1, 1_000_000}).Draw(t, "times"), number.Draw(t, "n")
		want := Nano(0)
		if n > 0 {
			want = roundDiv(new(big.Int).Mul(big.NewInt(usd), big.NewInt(times)), big.NewInt(n))
		}
		if got := average(Nano(usd), times, n); got != want {
			t.Fatalf("%d × %d / %d = %d, want %d", usd, times, n, got, want)
		}
	})
}
