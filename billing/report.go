package billing

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// ReportFormats are what Render writes.
var ReportFormats = []string{"table", "csv", "json", "jsonl"}

// sumColumns are the figures of a row in the order they are written: whole
// numbers, or money.
var sumColumns = []struct {
	name   string
	number func(*Sums) int64
	money  func(*Sums) Nano
}{
	{"calls", func(s *Sums) int64 { return s.Calls }, nil},
	{"refused", func(s *Sums) int64 { return s.Refused }, nil},
	{"errors", func(s *Sums) int64 { return s.Errors }, nil},
	{"cached", func(s *Sums) int64 { return s.Cached }, nil},
	{"input_tokens", func(s *Sums) int64 { return s.InputTokens }, nil},
	{"cached_input_tokens", func(s *Sums) int64 { return s.CachedInputTokens }, nil},
	{"cache_write_tokens", func(s *Sums) int64 { return s.CacheWriteTokens }, nil},
	{"output_tokens", func(s *Sums) int64 { return s.OutputTokens }, nil},
	{"reasoning_tokens", func(s *Sums) int64 { return s.ReasoningTokens }, nil},
	{"usd", nil, func(s *Sums) Nano { return s.USD }},
	{"saved_usd", nil, func(s *Sums) Nano { return s.SavedUSD }},
	{"latency_p50_ms", func(s *Sums) int64 { return s.LatencyP50MS }, nil},
	{"latency_p95_ms", func(s *Sums) int64 { return s.LatencyP95MS }, nil},
}

// appendSum appends a figure as text.
func appendSum(dst []byte, column int, s *Sums) []byte {
	if c := &sumColumns[column]; c.number != nil {
		return strconv.AppendInt(dst, c.number(s), 10)
	}
	return sumColumns[column].money(s).AppendTo(dst)
}

// Render writes the report in one of ReportFormats. Money is decimal dollars,
// as strings in JSON. CSV and JSON lines have the rows only, the others the
// total too.
func (r *Report) Render(w io.Writer, format string) error {
	switch format {
	case "table":
		return r.table(w)
	case "csv":
		return r.csv(w)
	case "json":
		b, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		_, err = w.Write(append(b, '\n'))
		return err
	case "jsonl":
		for i := range r.Rows {
			if _, err := w.Write(append(r.appendRow(nil, &r.Rows[i]), '\n')); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("format %q is none of %s", format, strings.Join(ReportFormats, ", "))
}

// cells are a row's texts: its dimensions, then its figures.
func cells(values []string, s *Sums) []string {
	out := slices.Clone(values)
	for i := range sumColumns {
		out = append(out, string(appendSum(nil, i, s)))
	}
	return out
}

func (r *Report) header() []string {
	out := slices.Clone(r.GroupBy)
	for _, c := range sumColumns {
		out = append(out, c.name)
	}
	return out
}

func (r *Report) csv(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(r.header()); err != nil {
		return err
	}
	for i := range r.Rows {
		row := cells(r.Rows[i].Values, &r.Rows[i].Sums)
		for j := range r.GroupBy {
			row[j] = Defuse(row[j])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// Defuse keeps a spreadsheet from running a name that callers chose, such as a
// tag or a user, as a formula.
func Defuse(cell string) string {
	if cell != "" && strings.IndexByte("=+-@\t\r", cell[0]) >= 0 {
		return "'" + cell
	}
	return cell
}

// table leaves out the columns that are zero everywhere, but for the calls and
// the cost. The last line is the total.
func (r *Report) table(w io.Writer) error {
	total := make([]string, len(r.GroupBy))
	if len(total) > 0 {
		total[0] = "total"
	}
	lines := [][]string{r.header()}
	for i := range r.Rows {
		lines = append(lines, cells(r.Rows[i].Values, &r.Rows[i].Sums))
	}
	lines = append(lines, cells(total, &r.Total))
	if _, err := fmt.Fprintln(w, r.span()); err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, line := range lines {
		for col, cell := range line {
			name := lines[0][col]
			always := col < len(r.GroupBy) || name == "calls" || name == "usd"
			if always || slices.ContainsFunc(lines[1:], func(l []string) bool { return l[col] != "0" }) {
				fmt.Fprintf(tw, "%s\t", OneLine(cell))
			}
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}

// span is the head line of a table.
func (r *Report) span() string {
	text := "usage"
	if !r.From.IsZero() {
		text += " from " + r.From.Format(time.RFC3339)
	}
	if !r.To.IsZero() {
		text += " to " + r.To.Format(time.RFC3339)
	}
	return text
}

// OneLine keeps names that callers chose from breaking the table, or the
// terminal.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// appendRow appends a row as a JSON object: its dimensions under their names,
// then its figures. Versions and statuses are numbers.
func (r *Report) appendRow(dst []byte, row *Row) []byte {
	dst = append(dst, '{')
	for i, name := range r.GroupBy {
		value := ""
		if i < len(row.Values) {
			value = row.Values[i]
		}
		dst = append(appendString(dst, name), ':')
		if name != "version" && name != "status" {
			dst = appendString(dst, value)
		} else if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			dst = strconv.AppendInt(dst, n, 10)
		} else {
			dst = appendString(dst, value)
		}
		dst = append(dst, ',')
	}
	dst = appendSums(dst, &row.Sums)
	return append(dst, '}')
}

// appendString appends a text as JSON writes it; most need no escaping.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, _ := json.Marshal(s) // a string always marshals
			return append(dst, text...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

func appendSums(dst []byte, s *Sums) []byte {
	for i := range sumColumns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), sumColumns[i].name...), `":`...)
		if sumColumns[i].number != nil {
			dst = appendSum(dst, i, s)
		} else {
			dst = append(appendSum(append(dst, '"'), i, s), '"')
		}
	}
	return dst
}

// MarshalJSON writes {from, to, group_by, rows: [{<dimensions>, calls, …}],
// total: {calls, …}}, with null for an end that is open.
func (r Report) MarshalJSON() ([]byte, error) {
	row := 280 + 40*len(r.GroupBy) // bytes of a usual one
	dst := append(make([]byte, 0, row*(len(r.Rows)+2)), '{')
	for _, at := range []struct {
		name string
		t    time.Time
	}{{"from", r.From}, {"to", r.To}} {
		if at.t.IsZero() {
			dst = fmt.Appendf(dst, "%q:null,", at.name)
			continue
		}
		dst = fmt.Appendf(dst, "%q:%q,", at.name, at.t.Format(time.RFC3339Nano))
	}
	dst = append(dst, `"group_by":[`...)
	for i, name := range r.GroupBy {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, name)
	}
	dst = append(dst, `],"rows":[`...)
	for i := range r.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.appendRow(dst, &r.Rows[i])
	}
	dst = append(dst, `],"total":{`...)
	return append(appendSums(dst, &r.Total), '}', '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Report) UnmarshalJSON(b []byte) error {
	var raw struct {
		From, To time.Time
		GroupBy  []string `json:"group_by"`
		Rows     []json.RawMessage
		Total    Sums
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*r = Report{From: raw.From, To: raw.To, GroupBy: raw.GroupBy, Total: raw.Total}
	for _, text := range raw.Rows {
		var row Row
		if err := json.Unmarshal(text, &row.Sums); err != nil {
			return err
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(text, &fields); err != nil {
			return err
		}
		for _, name := range raw.GroupBy {
			value := string(bytes.TrimSpace(fields[name]))
			if strings.HasPrefix(value, `"`) {
				if err := json.Unmarshal(fields[name], &value); err != nil {
					return err
				}
			}
			row.Values = append(row.Values, value)
		}
		r.Rows = append(r.Rows, row)
	}
	return nil
}
