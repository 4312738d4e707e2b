package billing

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
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
	v := &Invoice{Number: "SL-202610-a", Team: "a", Month: "2026-10", By: []string{"user"}, Total: 1_234_567_890, Rounded: "1.23", Preliminary: true, TimeZone: "Europe/Berlin",
		Sections: []Section{{Team: "a", Subtotal: 1_234_567_890,
			Lines:       []InvoiceLine{{Values: []string{`=<script>alert("x")</script>`}, Calls: 1234567, USD: 1_334_567_890}},
			Corrections: []Amendment{{ID: "fix", Corrects: "c1", Reason: "</td><b>late", USD: -100_000_000, Tokens: Tokens{InputTokens: -7}}}},
			{Team: "b", Parent: "a"}}}
	want := map[string][]string{
		"html":  {`<html lang="en">`, "@page", "&lt;script&gt;", "&lt;/td&gt;&lt;b&gt;late", "1\u202f234\u202f567", "1.23 USD", "exactly 1.23456789 USD", "credit -0.10000000", "Europe/Berlin", "Nothing was used", "below a", "Preliminary"},
		"csv":   {"number,month,team,kind,user,id,", "line,\"'=<script>", ",,-7,0,0,0,0,,,-0.1\n"},
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

func TestGroupDecimal(t *testing.T) {
	for text, want := range map[string]string{"0": "0", "123": "123", "1234": "1_234", "-123": "-123", "-123456": "-123_456", "1234567.1234": "1_234_567.1234", "-0.5": "-0.5"} {
		if got := strings.ReplaceAll(groupDecimal(text), "\u202f", "_"); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestAverage(t *testing.T) {
	for _, c := range []struct {
		usd            Nano
		times, n, want int64
	}{{5, 1, 2, 3}, {-5, 1, 2, -3}, {4, 1, 3, 1}, {1, 1, 0, 0}, {1 << 62, 1_000_000, 1, 1<<63 - 1}, {-1 << 62, 1_000_000, 1, -1 << 63}} {
		if got := average(c.usd, c.times, c.n); int64(got) != c.want {
			t.Errorf("%d × %d / %d = %d, want %d", c.usd, c.times, c.n, got, c.want)
		}
	}
}

// An invoice read from its JSON, as the command line does, is the same page.
func TestInvoiceKeepsItsZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	l := &correcting{}
	v, err := NewInvoice(t.Context(), l, InvoiceQuery{Team: "a", Month: "2026-10", Location: berlin, Teams: []Team{{Name: "a", Source: "file"}},
		Now: time.Date(2026, 12, 1, 0, 0, 0, 0, berlin)})
	if err != nil {
		t.Fatal(err)
	}
	var here, there, text strings.Builder
	read := &Invoice{}
	if err := errors.Join(v.Render(&here, "html"), v.Render(&text, "json"), json.Unmarshal([]byte(text.String()), read), read.Render(&there, "html")); err != nil {
		t.Fatal(err)
	}
	if here.String() != there.String() || !strings.Contains(there.String(), "Europe/Berlin") || !strings.Contains(there.String(), "1 October 2026 to 31 October 2026") {
		t.Errorf("%s\n%s", here.String(), there.String())
	}
}

// correcting is a ledger that gets a correction whenever its usage is read, the
// first three times.
type correcting struct {
	Ledger
	read int
}

func (l *correcting) Usage(context.Context, Query) (*Report, error) {
	l.read++
	sums := Sums{Calls: 1, USD: Dollar - Nano(min(l.read-1, 3))}
	return &Report{Rows: []Row{{Values: []string{"a", "m"}, Sums: sums}}, Total: sums}, nil
}

func (l *correcting) CorrectionsIn(context.Context, Query) ([]Entry, error) {
	return slices.Repeat([]Entry{{Call: "fix", Attempt: Correction, Team: "a", Model: "m", Cost: -1, Time: time.Date(2026, 10, 31, 22, 30, 0, 0, time.UTC)}}, min(l.read, 3)), nil
}

func TestInvoiceIsOfOneTime(t *testing.T) {
	v, err := NewInvoice(t.Context(), &correcting{}, InvoiceQuery{Team: "a", Month: "2026-10", Now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil || v.Total != Dollar-3 || v.Sections[0].Lines[0].USD != Dollar || len(v.Sections[0].Corrections) != 3 {
		t.Errorf("%+v %v", v, err)
	}
}

func TestTeamsBelow(t *testing.T) {
	teams := []Team{{Name: "c", Parent: "a"}, {Name: "b", Parent: "a"}, {Name: "d", Parent: "b"}, {Name: "a"}, {Name: "x"},
		{Name: "l1", Parent: "l2"}, {Name: "l2", Parent: "l1"}}
	for top, want := range map[string]string{"a": "a b d c", "x": "x", "gone": "gone", "l1": "l1 l2"} {
		var got []string
		for _, t := range below(teams, top) {
			got = append(got, t.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("below %s: %v, want %s", top, got, want)
		}
	}
}

// The page of a long invoice has the dearest lines and the others together: to
// the last billionth what they are one by one.
func TestInvoiceOnPage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := &Invoice{}
		for range rapid.IntRange(1, 4).Draw(t, "teams") {
			var s Section
			for i := range rapid.IntRange(0, 30).Draw(t, "lines") {
				l := InvoiceLine{Values: []string{strconv.Itoa(i)}, Calls: rapid.Int64Range(0, 9).Draw(t, "calls"), USD: Nano(rapid.Int64Range(-5, 1000).Draw(t, "usd"))}
				l.OutputTokens = l.Calls * 7
				s.Lines = append(s.Lines, l)
			}
			v.Sections = append(v.Sections, s)
		}
		most := rapid.IntRange(1, 60).Draw(t, "most")
		page, count := v.onPage(most), 0
		for i := range v.Sections {
			whole, short := v.Sections[i].Lines, page.Sections[i].Lines
			count += len(short)
			var want, got InvoiceLine
			for j := range whole {
				want.add(&whole[j])
			}
			least := Nano(math.MaxInt64)
			for j := range short {
				got.add(&short[j])
				if len(short) == len(whole) || j < len(short)-1 {
					least = min(least, short[j].USD)
				}
			}
			if !reflect.DeepEqual(want, got) {
				t.Fatalf("%+v on the page, %+v by line", got, want)
			}
			dearer := 0
			for j := range whole {
				if whole[j].USD > least {
					dearer++
				}
			}
			if dearer >= len(short) && len(short) < len(whole) {
				t.Fatalf("%d lines are dearer than the cheapest of %d on the page", dearer, len(short))
			}
		}
		if count > most+2*len(v.Sections) {
			t.Fatalf("%d lines, want %d", count, most)
		}
	})
}
