package reconcile

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"sluice/billing"
)

// text is a figure for people and machines alike.
func text(figure int, n int64) string {
	if figure == iUSD {
		return billing.Nano(n).String()
	}
	return strconv.FormatInt(n, 10)
}

// Render writes the comparison in one of billing.ReportFormats. CSV and JSON
// lines have the rows only, the others the total too.
func (out *Result) Render(w io.Writer, format string) error {
	switch format {
	case "table":
		return out.table(w)
	case "csv":
		return out.csv(w)
	case "json":
		b, err := json.MarshalIndent(out, "", "  ")
		if err != nil {
			return err
		}
		_, err = w.Write(append(b, '\n'))
		return err
	case "jsonl":
		for i := range out.Rows {
			b, err := json.Marshal(out.object(&out.Rows[i]))
			if err != nil {
				return err
			}
			if _, err := w.Write(append(b, '\n')); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("format %q is none of %s", format, strings.Join(billing.ReportFormats, ", "))
}

// MarshalJSON writes {from, to, compared, tolerance_percent, apart, rows: [{day,
// model, only, apart, input_tokens: {here, there, drift}, …}], total: {…}}.
func (out *Result) MarshalJSON() ([]byte, error) {
	rows := make([]map[string]any, len(out.Rows))
	for i := range out.Rows {
		rows[i] = out.object(&out.Rows[i])
	}
	total := out.object(&out.Total)
	for _, name := range []string{"day", "model", "only"} {
		delete(total, name)
	}
	return json.Marshal(map[string]any{"from": out.From, "to": out.To, "compared": out.Compared, "tolerance_percent": out.Tolerance,
		"apart": out.Apart, "rows": rows, "total": total})
}

func (out *Result) object(row *Row) map[string]any {
	o := map[string]any{"day": row.Day, "model": row.Model, "apart": row.Apart, "only": nil}
	if row.Only != "" {
		o["only"] = row.Only
	}
	for _, f := range out.figures {
		here, there, drift := row.Here[f], row.There[f], row.Here[f]-row.There[f]
		if f == iUSD {
			o[names[f]] = map[string]billing.Nano{"here": billing.Nano(here), "there": billing.Nano(there), "drift": billing.Nano(drift)}
		} else {
			o[names[f]] = map[string]int64{"here": here, "there": there, "drift": drift}
		}
	}
	return o
}

func (out *Result) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	head := []string{"day", "model", "only", "apart"}
	for _, f := range out.figures {
		head = append(head, names[f]+"_here", names[f]+"_there", names[f]+"_drift")
	}
	_ = c.Write(head) // errors are kept
	for i := range out.Rows {
		row := &out.Rows[i]
		cells := []string{row.Day, billing.Defuse(row.Model), row.Only, strconv.FormatBool(row.Apart)}
		for _, f := range out.figures {
			cells = append(cells, text(f, row.Here[f]), text(f, row.There[f]), text(f, row.Here[f]-row.There[f]))
		}
		_ = c.Write(cells)
	}
	c.Flush()
	return c.Error()
}

// table leaves out figures that are zero everywhere.
func (out *Result) table(w io.Writer) error {
	total := out.Total
	total.Day = "total"
	rows := append(slices.Clone(out.Rows), total)
	var shown []int
	for _, f := range out.figures {
		if slices.ContainsFunc(rows, func(r Row) bool { return r.Here[f] != 0 || r.There[f] != 0 }) {
			shown = append(shown, f)
		}
	}
	fmt.Fprintf(w, "from %s to %s (UTC): here is the ledger, there the provider\n", out.From, out.To)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells []string) { fmt.Fprintln(tw, strings.Join(cells, "\t")+"\t") }
	head := []string{"day", "model", "only"}
	for _, f := range shown {
		head = append(head, names[f], "there", "drift")
	}
	line(head)
	for i := range rows {
		cells := []string{rows[i].Day, billing.OneLine(rows[i].Model), rows[i].Only}
		for _, f := range shown {
			cells = append(cells, text(f, rows[i].Here[f]), text(f, rows[i].There[f]), text(f, rows[i].Here[f]-rows[i].There[f]))
		}
		line(cells)
	}
	return tw.Flush()
}
