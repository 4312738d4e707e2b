package cel

import (
	"strings"
	"testing"
	"time"
)

// Times in zones are those of Go, by name, by offset and without one.
func TestZones(t *testing.T) {
	v := vars()
	v.Now = time.Date(2026, 12, 31, 23, 30, 15, 250_000_000, time.UTC)
	for text, want := range map[string]bool{
		`now.getFullYear("Asia/Tokyo") == 2027 && now.getFullYear("America/New_York") == 2026`:                                           true,
		`now.getMonth("Asia/Tokyo") == 0 && now.getMonth() == 11`:                                                                        true,
		`now.getDate("Asia/Tokyo") == 1 && now.getDayOfMonth("Asia/Tokyo") == 0`:                                                         true,
		`now.getDayOfYear("Asia/Tokyo") == 0 && now.getDayOfYear("UTC") == 364`:                                                          true,
		`now.getDayOfWeek("Asia/Tokyo") == 5 && now.getDayOfWeek() == 4`:                                                                 true,
		`now.getHours("Asia/Kathmandu") == 5 && now.getMinutes("Asia/Kathmandu") == 15`:                                                  true,
		`now.getHours("+05:45") == 5 && now.getMinutes("-00:15") == 15`:                                                                  true,
		`now.getSeconds("Europe/Berlin") == 15 && now.getMilliseconds("Europe/Berlin") == 250`:                                           true,
		`timestamp("2026-07-01T06:00:00Z").getHours("Europe/Berlin") == 8`:                                                               true,
		`timestamp("2026-03-29T00:59:59Z").getHours("Europe/Berlin") + 2 == timestamp("2026-03-29T01:00:00Z").getHours("Europe/Berlin")`: true,
	} {
		for range 2 { // a zone is read, and then known
			p, err := Compile(text, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := p.Test(v); got != want || err != nil {
				t.Errorf("%s: %v, %v; want %v", text, got, err, want)
			}
		}
	}
	for _, text := range []string{`now.getHours("Europe/Atlantis") == 8`, `now.getHours("../etc/passwd") == 8`, `now.getHours("+99:00") == 8`} {
		p, err := Compile(text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := p.Test(v); ok || err == nil || !strings.HasPrefix(err.Error(), "expression ") {
			t.Errorf("%s: %v, %v; want an error", text, ok, err)
		}
	}
	n := 0
	zones.Range(func(any, any) bool { n++; return true })
	if _, kept := zones.Load("Europe/Atlantis"); kept || n == 0 {
		t.Errorf("%d zones are kept, one that is none among them: %v", n, kept)
	}
}
