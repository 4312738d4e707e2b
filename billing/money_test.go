package billing

import (
	"encoding/json"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestParseUSD(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Nano
	}{
		{"0", 0}, {"500", 500 * Dollar}, {"0.15", 150_000_000}, {"0.000000001", 1}, {"-3.5", -3_500_000_000},
		{" 12 ", 12 * Dollar}, {"1e-9", 1}, {"2.5e3", 2500 * Dollar}, {".5", Dollar / 2},
		{"9223372036.854775807", math.MaxInt64}, {"-9223372036.854775808", math.MinInt64},
	} {
		if got, err := ParseUSD(c.in); err != nil || got != c.want {
			t.Errorf("ParseUSD(%q) = %d, %v; want %d", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "x", "1/3", "0x10", "0b1", "0o7", "1_000", "1.0000000001", "9223372036.854775808",
		"1e400000000", "1e-400000000", "NaN", "Inf", "$5", "1,5", "1p3"} {
		if got, err := ParseUSD(bad); err == nil {
			t.Errorf("ParseUSD(%q) = %d, want an error", bad, got)
		}
	}
}

func TestNanoText(t *testing.T) {
	for n, want := range map[Nano]string{
		0: "0", 150_000: "0.00015", 12 * Dollar: "12", -3_500_000_000: "-3.5", 1: "0.000000001", -1: "-0.000000001",
		1_000_000_010: "1.00000001", math.MinInt64: "-9223372036.854775808",
	} {
		if got := n.String(); got != want {
			t.Errorf("%d is %q, want %q", int64(n), got, want)
		}
	}
	dst := make([]byte, 0, 32)
	if n := testing.AllocsPerRun(100, func() { dst = Nano(-1_234_567_890).AppendTo(dst[:0]) }); n != 0 {
		t.Errorf("AppendTo allocates %v times", n)
	}
}

func TestNanoRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := Nano(rapid.Int64().Draw(t, "n"))
		back, err := ParseUSD(n.String())
		if err != nil || back != n {
			t.Fatalf("%d is written %q and read %d, %v", int64(n), n.String(), int64(back), err)
		}
		text, err := json.Marshal(n)
		if err != nil || text[0] != '"' {
			t.Fatalf("%d is %s in JSON, %v", int64(n), text, err)
		}
		if err := json.Unmarshal(text, &back); err != nil || back != n {
			t.Fatalf("%s is read %d, %v", text, int64(back), err)
		}
	})
}

func TestNanoOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := Nano(rapid.Int64().Draw(t, "a")), Nano(rapid.Int64().Draw(t, "b"))
		ra, _ := new(big.Rat).SetString(a.String())
		rb, _ := new(big.Rat).SetString(b.String())
		if (a < b) != (ra.Cmp(rb) < 0) {
			t.Fatalf("%d and %d compare otherwise than %s and %s", int64(a), int64(b), a, b)
		}
	})
}

func TestNanoReadsJSONNumbers(t *testing.T) {
	var n Nano
	if err := json.Unmarshal([]byte("0.3"), &n); err != nil || n != 300_000_000 {
		t.Errorf("0.3 is %d, %v", int64(n), err)
	}
	if err := json.Unmarshal([]byte(`"much"`), &n); err == nil {
		t.Error("a word is money")
	}
}

func FuzzParseUSD(f *testing.F) {
	for _, s := range []string{"1", "-0.5", "1e9", "9999999999999999999999", ".", "1e-99"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseUSD(s)
		if err != nil {
			return
		}
		if back, err := ParseUSD(n.String()); err != nil || back != n {
			t.Fatalf("%q is %d, written %q, read %d, %v", s, int64(n), n.String(), int64(back), err)
		}
	})
}
