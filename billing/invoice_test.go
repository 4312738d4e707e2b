package billing

import (
	"context"
	"encoding/json"
	"errors"
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

// The page of a long invoice has the dearest lines and teams and the newest
// corrections, and the others together: to the last billionth what they are one
// by one.
func TestInvoiceOnPage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := &Invoice{By: []string{"user"}}
		for n := range rapid.IntRange(1, 30).Draw(t, "teams") {
			s := Section{Team: strconv.Itoa(n)}
			for i := range rapid.IntRange(0, 30).Draw(t, "lines") {
				l := InvoiceLine{Values: []string{strconv.Itoa(i)}, Calls: rapid.Int64Range(0, 9).Draw(t, "calls"), USD: Nano(rapid.Int64Range(-5, 1000).Draw(t, "usd"))}
				l.OutputTokens = l.Calls * 7
				s.Lines, s.Subtotal = append(s.Lines, l), s.Subtotal+l.USD
			}
			for range rapid.IntRange(0, 9).Draw(t, "corrections") {
				c := Amendment{USD: -Nano(rapid.Int64Range(0, 9).Draw(t, "credit"))}
				s.Corrections, s.Subtotal = append(s.Corrections, c), s.Subtotal+c.USD
			}
			v.Sections = append(v.Sections, s)
		}
		most := rapid.IntRange(6, 200).Draw(t, "most")
		page := v.onPage(most)
		sum := func(v *Invoice) (lines InvoiceLine, credits, subtotals Nano, rows int) {
			for i := range v.Sections {
				s := &v.Sections[i]
				own := s.Subtotal
				for j := range s.Lines {
					lines.add(&s.Lines[j])
					own -= s.Lines[j].USD
				}
				for j := range s.Corrections {
					credits += s.Corrections[j].USD
					own -= s.Corrections[j].USD
				}
				if own != 0 {
					t.Fatalf("section %s is off by %v", s.Team, own)
				}
				subtotals += s.Subtotal
				rows += 1 + s.size()
			}
			return lines, credits, subtotals, rows
		}
		lines, credits, subtotals, _ := sum(v)
		gotLines, gotCredits, gotSubtotals, rows := sum(page)
		if !reflect.DeepEqual(lines, gotLines) || credits != gotCredits || subtotals != gotSubtotals {
			t.Fatalf("%+v %v %v on the page, %+v %v %v in all", gotLines, gotCredits, gotSubtotals, lines, credits, subtotals)
		}
		// Each section may have a line, a correction and the others of both more.
		if rows > most+5*len(page.Sections) || len(page.Sections) > most/6+2 {
			t.Fatalf("%d rows in %d sections, want %d", rows, len(page.Sections), most)
		}
		if page.Sections[0].Team != "0" {
			t.Fatalf("the page begins with %s", page.Sections[0].Team)
		}
	})
}

func TestDearest(t *testing.T) {
	var lines []InvoiceLine
	for i, usd := range []Nano{5, 1, 9, 2, 7} {
		lines = append(lines, InvoiceLine{Values: []string{strconv.Itoa(i)}, USD: usd})
	}
	var got []string
	for _, l := range dearest(lines, 3) {
		got = append(got, l.Values[0]+"="+strconv.Itoa(int(l.USD)))
	}
	if want := "0=5 2=9 4=7 2 others: each is in CSV and JSON=3"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
	if got := dearest(lines, 4); len(got) != 5 {
		t.Errorf("one line too many becomes %v", got)
	}
}

// No page of an invoice weighs more than it may, whoever and whatever is on it.
func TestInvoiceWeighsLittle(t *testing.T) {
	v := &Invoice{Number: "SL-202610-a", By: []string{"user", "model"}}
	for n := range 3000 {
		s := Section{Team: "team-of-the-company-" + strconv.Itoa(n), Parent: "a"}
		for i := range 9 {
			s.Lines = append(s.Lines, InvoiceLine{Values: []string{"somebody@example.com " + strconv.Itoa(i), "openai/gpt-4o-mini"}, Calls: 1234567, USD: 1_234_567_890})
			s.Corrections = append(s.Corrections, Amendment{ID: "corr-0123456789abcdef", Corrects: "call-0123456789abcdef", Reason: "the price was wrong", USD: -12_345})
		}
		v.Sections = append(v.Sections, s)
	}
	var b strings.Builder
	if err := v.Render(&b, "html"); err != nil || b.Len() > 200<<10 {
		t.Errorf("%v, %d bytes", err, b.Len())
	}
}
