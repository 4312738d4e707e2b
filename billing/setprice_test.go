package billing

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSchedule(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2027, 1, n, 0, 0, 0, 0, time.UTC) }
	set := func(model string, from int, input string) SetPrice {
		p := SetPrice{Provider: "p", Model: model, From: day(from)}
		if input != "" {
			p.Prices = &PriceSpec{Input: input}
		}
		return p
	}
	other := set("m", 1, "99")
	other.Provider = "q"
	s, err := NewSchedule("p", []SetPrice{set("m", 10, "1"), set("m", 3, "2"), set("*", 2, "3"), set("m*", 5, "4"), set("m", 10, "5"),
		other, set("m", 20, ""), set("m*", 25, ""), set("*", 28, ""), set("x", 1, "6")})
	if err != nil {
		t.Fatal(err)
	}
	told := func(model string) string {
		var b strings.Builder
		for _, d := range s.For(model) {
			price := "none"
			if d.Prices != nil {
				price = (d.Prices.MaxCost(1e6, 0)).String()
			}
			fmt.Fprintf(&b, "%d:%s ", d.From.Day(), price)
		}
		return strings.TrimSpace(b.String())
	}
	for model, want := range map[string]string{
		"m":  "2:3 3:2 5:2 10:5 20:4 25:3 28:none", // its own name first, and of two from one day the later set
		"mm": "2:3 5:4 25:3 28:none",
		"x":  "1:6 2:6 28:6",
		"y":  "2:3 28:none",
	} {
		if got := told(model); got != want {
			t.Errorf("%s costs %s, want %s", model, got, want)
		}
	}
	if names := s.Names(); !reflect.DeepEqual(names, []string{"*", "m", "m*", "x"}) {
		t.Errorf("names are %v", names)
	}
	var none *Schedule
	if none.For("m") != nil || none.Names() != nil {
		t.Error("an empty schedule has prices")
	}
	if _, err := NewSchedule("p", []SetPrice{set("m", 1, "dear")}); err == nil || !strings.Contains(err.Error(), "p/m") {
		t.Errorf("a price that is none: %v", err)
	}
}

func TestPriceSpecJSON(t *testing.T) {
	var s PriceSpec
	err := json.Unmarshal([]byte(`{"input":0.15,"output":"0.6","cached_input":7.5e-2,"above":{"200000":{"input":1}},"tiers":{"flex":{"input":"0.1"}},"image":null}`), &s)
	want := PriceSpec{Input: "0.15", Output: "0.6", CachedInput: "7.5e-2", Above: map[int64]PriceSpec{200000: {Input: "1"}}, Tiers: map[string]PriceSpec{"flex": {Input: "0.1"}}}
	if err != nil || !reflect.DeepEqual(s, want) {
		t.Errorf("%v: %+v", err, s)
	}
	for body, say := range map[string]string{
		`{"inptu":1}`: "inptu", `{"input":true}`: "input", `{"input":{}}`: "input", `{"above":{"x":{}}}`: "above", `{"above":{"5":{"outptu":1}}}`: "outptu",
		`{"tiers":{"flex":{"input":[]}}}`: "tiers", `{"tiers":{"flex":{"above":{"5":{"above":{"6":{}}}}}}}`: "too deep", `{"above":{"5":null}}`: "", `[]`: "object", `"free"`: "object",
	} {
		if err := json.Unmarshal([]byte(body), &PriceSpec{}); say != "" && (err == nil || !strings.Contains(err.Error(), say)) {
			t.Errorf("%s: error %v does not name %s", body, err, say)
		}
	}
}

func FuzzPriceSpecJSON(f *testing.F) {
	f.Add([]byte(`{"input":0.15,"above":{"5":{"output":"1"}},"tiers":{"flex":{"input":1e-3,"above":{"9":{}}}}}`))
	f.Add([]byte(`{"input":"1","request":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s PriceSpec
		if json.Unmarshal(raw, &s) != nil {
			return
		}
		p, err := ParsePrices(s)
		if err != nil || p == nil {
			return
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var again PriceSpec
		if err := json.Unmarshal(b, &again); err != nil {
			t.Fatalf("%s cannot be read again: %v", b, err)
		}
		if q, err := ParsePrices(again); err != nil || q == nil || q.Version != p.Version {
			t.Fatalf("%s is another price again: %v", b, err)
		}
	})
}
