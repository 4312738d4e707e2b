package billing

import (
	_ "embed" // the page of an invoice
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// InvoiceFormats are what Invoice.Render writes.
var InvoiceFormats = []string{"table", "csv", "json", "html"}

//go:embed invoice.html
var invoicePage string

var invoiceTemplate = template.Must(template.New("invoice").Funcs(template.FuncMap{
	"group": func(n int64) string { return groupDecimal(strconv.FormatInt(n, 10)) },
	"money": groupDecimal,
	"date":  func(t time.Time) string { return t.Format("2 January 2006") },
	"at":    func(t time.Time) string { return t.Format("2006-01-02 15:04") },
	"name": func(s string) string {
		if s == "" {
			return "(none)"
		}
		return s
	},
}).Parse(invoicePage))

// Render writes the invoice in one of InvoiceFormats. The page needs nothing else
// and is made to be printed; of a long invoice it has the dearest lines alone, and
// the others added up.
func (v *Invoice) Render(w io.Writer, format string) error {
	switch format {
	case "table":
		return v.table(w)
	case "csv":
		return v.csv(w)
	case "json":
		b, err := v.json()
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	case "html":
		return invoiceTemplate.Execute(w, v.onPage(mostPageLines))
	}
	return fmt.Errorf("format %q is none of %s", format, strings.Join(InvoiceFormats, ", "))
}

// LastDay is the last day of the month, for people.
func (v *Invoice) LastDay() time.Time { return v.To.Add(-time.Nanosecond) }

// Single tells whether no team is below the invoice's.
func (v *Invoice) Single() bool { return len(v.Sections) == 1 }

// Amount is money for the page: every one with as many decimals as the longest
// needs, and two at least, so that they stand one below the other.
func (v *Invoice) Amount(n Nano) string {
	whole, part, _ := strings.Cut(n.String(), ".")
	return groupDecimal(whole + "." + part + strings.Repeat("0", v.decimals()-len(part)))
}

// decimals is how many the longest amount of the invoice has, and two at least.
func (v *Invoice) decimals() int {
	if v.places == 0 {
		v.places = 2
		v.amounts(func(n Nano) {
			_, part, _ := strings.Cut(n.String(), ".")
			v.places = max(v.places, len(part))
		})
	}
	return v.places
}

// amounts gives every amount that is exact.
func (v *Invoice) amounts(see func(Nano)) {
	see(v.Total)
	for i := range v.Sections {
		s := &v.Sections[i]
		see(s.Subtotal)
		for j := range s.Lines {
			see(s.Lines[j].USD)
		}
		for j := range s.Corrections {
			see(s.Corrections[j].USD)
		}
	}
}

// figures are a line's cells after its values.
func (l *InvoiceLine) figures() []string {
	out := append([]string{strconv.FormatInt(l.Calls, 10)}, l.Tokens.figures()...)
	return append(out, l.PerCall.String(), l.PerMillion.String(), l.USD.String())
}

// figures are a correction's: it is no call, and has no averages.
func (a *Amendment) figures() []string {
	return append(append([]string{""}, a.Tokens.figures()...), "", "", a.USD.String())
}

func (t *Tokens) figures() (out []string) {
	for _, n := range [...]int64{t.InputTokens, t.CachedInputTokens, t.CacheWriteTokens, t.OutputTokens, t.ReasoningTokens} {
		out = append(out, strconv.FormatInt(n, 10))
	}
	return out
}

var figureNames = []string{"calls", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
	"usd_per_call", "usd_per_million_tokens", "usd"}

// csv writes a row a line, with kind line or correction: the sum of the last
// column is the total.
func (v *Invoice) csv(w io.Writer) error {
	out := csv.NewWriter(w)
	head := append([]string{"number", "month", "team", "kind"}, v.By...)
	_ = out.Write(append(append(head, "id", "time", "corrects", "reason"), figureNames...)) // errors are kept
	for i := range v.Sections {
		s := &v.Sections[i]
		for j := range s.Lines {
			row := []string{v.Number, v.Month, s.Team, "line"}
			for _, value := range s.Lines[j].Values {
				row = append(row, Defuse(value))
			}
			_ = out.Write(append(append(row, "", "", "", ""), s.Lines[j].figures()...))
		}
		for j := range s.Corrections {
			c := &s.Corrections[j]
			row := append([]string{v.Number, v.Month, s.Team, "correction"}, make([]string, len(v.By))...)
			row = append(row, Defuse(c.ID), c.Time.Format(time.RFC3339), Defuse(c.Corrects), Defuse(c.Reason))
			_ = out.Write(append(row, c.figures()...))
		}
	}
	out.Flush()
	return out.Error()
}

func (v *Invoice) table(w io.Writer) error {
	fmt.Fprintf(w, "invoice %s for team %s, %s to %s%s\n", v.Number, v.Team, v.From.Format(time.RFC3339), v.To.Format(time.RFC3339),
		map[bool]string{true: ", preliminary"}[v.Preliminary])
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells ...string) {
		for _, c := range cells {
			fmt.Fprintf(tw, "%s\t", OneLine(c))
		}
		fmt.Fprintln(tw)
	}
	line(append(append([]string{"team"}, v.By...), figureNames...)...)
	blank := make([]string, len(v.By)+len(figureNames)-2)
	for i := range v.Sections {
		s := &v.Sections[i]
		for j := range s.Lines {
			line(append(append([]string{s.Team}, s.Lines[j].Values...), s.Lines[j].figures()...)...)
		}
		for _, c := range s.Corrections {
			line(append(append([]string{s.Team, "correction " + c.ID}, blank...), c.USD.String())...)
		}
		if !v.Single() {
			line(append(append([]string{s.Team, "subtotal"}, blank...), s.Subtotal.String())...)
		}
	}
	line(append(append([]string{"total", ""}, blank...), v.Total.String())...)
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "to pay: %s USD (exactly %v)\n", v.Rounded, v.Total)
	return err
}

// groupDecimal parts the thousands of a decimal number by thin spaces.
func groupDecimal(number string) string {
	digits, rest := number, ""
	if point := strings.IndexByte(number, '.'); point >= 0 {
		digits, rest = number[:point], number[point:]
	}
	var parts []string
	for len(digits) > 3 && digits[len(digits)-4] != '-' {
		parts = append(parts, digits[len(digits)-3:])
		digits = digits[:len(digits)-3]
	}
	slices.Reverse(parts)
	return strings.Join(append([]string{digits}, parts...), "\u202f") + rest
}
