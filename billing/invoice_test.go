package billing

import (
	"strings"
	"testing"
	"time"
)

func TestCents(t *testing.T) {
	for n, want := range map[Nano]string{0: "0.00", 4_999_999: "0.00", 5_000_000: "0.01", -5_000_000: "-0.01", -4_999_999: "0.00",
		12_345_000_000: "12.35", 12_344_999_999: "12.34", -1_999_999_999: "-2.00", 1<<63 - 1: "9223372036.85", -1 << 63: "-9223372036.85"} {
		if got := n.Cents(); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestInvoiceMonth(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		q    InvoiceQuery
		from string
		long time.Duration
	}{
		"the last one":    {InvoiceQuery{Now: time.Date(2026, 3, 31, 23, 0, 0, 0, berlin)}, "2026-02-01T00:00:00+01:00", 28 * 24 * time.Hour},
		"clocks forward":  {InvoiceQuery{Month: "2026-03", Now: time.Date(2026, 6, 1, 0, 0, 0, 0, berlin)}, "2026-03-01T00:00:00+01:00", 31*24*time.Hour - time.Hour},
		"clocks back":     {InvoiceQuery{Month: "2026-10", Now: time.Date(2027, 1, 1, 0, 0, 0, 0, berlin)}, "2026-10-01T00:00:00+02:00", 31*24*time.Hour + time.Hour},
		"of another year": {InvoiceQuery{Now: time.Date(2027, 1, 1, 0, 0, 0, 0, berlin)}, "2026-12-01T00:00:00+01:00", 31 * 24 * time.Hour},
	} {
		c.q.Location = berlin
		from, to, _, err := c.q.check()
		if err != nil || from.Format(time.RFC3339) != c.from || to.Sub(from) != c.long {
			t.Errorf("%s: %v to %v, %v", name, from, to, err)
		}
	}
}

func TestInvoiceForms(t *testing.T) {
	v := &Invoice{Number: "SL-202610-a", Team: "a", Month: "2026-10", By: []string{"user"}, Total: 1_234_567_890, Rounded: "1.23", Preliminary: true,
		Sections: []Section{{Team: "a", Subtotal: 1_234_567_890,
			Lines:       []InvoiceLine{{Values: []string{`=<script>alert("x")</script>`}, Calls: 1234567, USD: 1_334_567_890}},
			Corrections: []Amendment{{ID: "fix", Corrects: "c1", Reason: "</td><b>late", USD: -100_000_000}}},
			{Team: "b", Parent: "a"}}}
	want := map[string][]string{
		"html":  {`<html lang="en">`, "@page", "&lt;script&gt;", "&lt;/td&gt;&lt;b&gt;late", "1\u202f234\u202f567", "1.23 USD", "exactly 1.23456789 USD", "Nothing was used", "below a", "Preliminary"},
		"csv":   {"number,month,team,kind,user,id,", "line,\"'=<script>", ",-0.1\n"},
		"json":  {`"total_usd": "1.23456789"`, `"rounded_usd": "1.23"`},
		"table": {"invoice SL-202610-a", "correction fix", "to pay: 1.23 USD (exactly 1.23456789)", "preliminary"},
	}
	for _, format := range InvoiceFormats {
		var b strings.Builder
		if err := v.Render(&b, format); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		for _, part := range want[format] {
			if !strings.Contains(b.String(), part) {
				t.Errorf("%s lacks %q:\n%s", format, part, b.String())
			}
		}
		if format == "html" && (strings.Contains(b.String(), "<script") || strings.Contains(b.String(), "http")) {
			t.Errorf("the page holds what it must not:\n%s", b.String())
		}
	}
	if v.Render(&strings.Builder{}, "pdf") == nil {
		t.Error("an unknown format is an error")
	}
}
