package console

import (
	"encoding/json"
	"html/template"
	"strconv"
	"strings"
	"time"

	"sluice/billing"
	"sluice/gateway/alert"
)

// words are the functions of the templates. English stands in the templates and
// in the texts of the Go files of the pages; there is none in the style sheet or
// the script.
func (f *face) words() template.FuncMap {
	return template.FuncMap{
		"usd": usd, "count": count, "short": short, "bytes": size, "per": perText, "plural": func(n int, thing string) string { return plural(int64(n), thing) }, "ms": milliseconds,
		"since":  func(t any) string { return ago(f.Now().Sub(moment(t))) },
		"when":   func(t any) string { return f.when(moment(t)) },
		"local":  func(t time.Time) string { return t.In(f.Location()).Format("2006-01-02 15:04:05 MST") },
		"day":    func(t time.Time) string { return t.Format("2 Jan 2006") },
		"join":   func(list []string) string { return strings.Join(list, ", ") },
		"limits": limitsText, "budgets": budgetsText,
		"number": func(n int64) string {
			if n == 0 {
				return ""
			}
			return strconv.FormatInt(n, 10)
		},
		"before": func(n int) int { return n - 1 },
		"lines":  diffLines,
		"parts":  partText,
		"value":  value,
		"prose":  prose,
		"add":    func(a, b int64) int64 { return a + b },
	}
}

// when is a time of today by its clock, another with its day.
func (f *face) when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	now := f.Now().In(f.Location())
	t = t.In(f.Location())
	switch {
	case t.Format(time.DateOnly) == now.Format(time.DateOnly):
		return t.Format("15:04:05")
	case t.Year() == now.Year():
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan 2006 15:04")
}

// moment is a time, given as it or by its address.
func moment(t any) time.Time {
	if p, ok := t.(*time.Time); ok {
		return *p
	}
	return t.(time.Time)
}

// diffLine is a line of a unified diff, and what became of it.
type diffLine struct{ Text, Kind string }

func diffLines(text string) []diffLine {
	var out []diffLine
	for line := range strings.Lines(text) {
		one := diffLine{Text: strings.TrimRight(line, "\n")}
		switch {
		case strings.HasPrefix(line, "+"):
			one.Kind = "plus"
		case strings.HasPrefix(line, "-"):
			one.Kind = "minus"
		}
		out = append(out, one)
	}
	return out
}

// piece is a part of a text: code, or words.
type piece struct {
	Text string
	Code bool
}

// prose is a text in which what stands between backticks is code.
func prose(text string) []piece {
	parts := strings.Split(text, "`")
	if n := len(parts); n%2 == 0 { // one without its other stands for itself
		parts = append(parts[:n-2], parts[n-2]+"`"+parts[n-1])
	}
	out := make([]piece, len(parts))
	for i, part := range parts {
		out[i] = piece{part, i%2 == 1}
	}
	return out
}

// partText is a part of a message: its text, or else its JSON.
func partText(raw json.RawMessage) string {
	var part struct {
		Text *string `json:"text"`
	}
	if err := json.Unmarshal(raw, &part); err == nil && part.Text != nil {
		return *part.Text
	}
	return string(raw)
}

// milliseconds is a time for people.
func milliseconds(ms int64) string {
	switch d := time.Duration(ms) * time.Millisecond; {
	case ms == 0:
		return "<1 ms"
	case ms < 10_000:
		return count(ms) + " ms"
	case d < 2*time.Minute:
		return alert.Short(d.Round(100 * time.Millisecond))
	default:
		return alert.Short(d.Round(time.Second))
	}
}

// limitsText is limits in a line; empty: there are none.
func limitsText(of any) string {
	l, ok := of.(billing.Limits)
	if !ok {
		l = *of.(*billing.Limits)
	}
	var parts []string
	for _, one := range []struct {
		n    int64
		name string
	}{{l.RPM, "requests/min"}, {l.TPM, "tokens/min"}, {l.InputTPM, "input tokens/min"}, {l.OutputTPM, "output tokens/min"},
		{l.RPD, "requests/day"}, {l.TPD, "tokens/day"}, {l.Parallel, "at once"}} {
		if one.n > 0 {
			parts = append(parts, short(one.n)+" "+one.name)
		}
	}
	return strings.Join(parts, ", ")
}

// budgetsText is budgets in a line; empty: there are none.
func budgetsText(l billing.Budgets) string {
	var parts []string
	for i := range l {
		text := budgetAmount(&l[i])
		if l[i].Per == "total" {
			text += " in total"
		} else {
			text += " " + perText(string(l[i].Per))
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// perText is the time that a budget is for.
func perText(per string) string {
	if n, ok := strings.CutSuffix(per, "d"); ok {
		per = n + " days"
	}
	return "per " + per
}

func budgetAmount(b *billing.Budget) string {
	if unit := b.Unit(); unit != billing.UnitUSD {
		return count(b.Amount()) + " " + unit.Name()
	}
	return usd(billing.Nano(b.Amount()))
}
