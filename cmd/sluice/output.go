package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/tidwall/gjson"
)

// column is one column of a table: its head, and where its cells are found in
// an item.
type column struct{ head, path string }

// printItems prints a list: as a table, or as a JSON array.
func printItems(w io.Writer, items []gjson.Result, asJSON bool, columns ...column) error {
	if asJSON {
		raw := make([]string, len(items))
		for i := range items {
			raw[i] = items[i].Raw
		}
		return printJSON(w, []byte("["+strings.Join(raw, ",")+"]"))
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var heads []string
	for _, c := range columns {
		heads = append(heads, c.head)
	}
	fmt.Fprintln(tw, strings.Join(heads, "\t"))
	for _, item := range items {
		var cells []string
		for _, c := range columns {
			cells = append(cells, cell(item.Get(c.path)))
		}
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	return tw.Flush()
}

// cell is a value for people, on one line. What a caller named may hold
// anything: control characters do not reach the terminal.
func cell(v gjson.Result) string {
	text := v.String()
	if v.IsArray() {
		var parts []string
		between := ","
		for _, e := range v.Array() {
			if e.IsObject() {
				between = "; "
				parts = append(parts, cell(e))
				continue
			}
			parts = append(parts, e.String())
		}
		text = strings.Join(parts, between)
	}
	if v.IsObject() {
		var parts []string
		v.ForEach(func(key, value gjson.Result) bool {
			parts = append(parts, key.String()+"="+value.String())
			return true
		})
		text = strings.Join(parts, " ")
	}
	if text == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}

// printJSON prints JSON as it is, indented.
func printJSON(w io.Writer, raw []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(raw), "", "  "); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

// printFields prints one item: a line a field, or JSON.
func printFields(w io.Writer, raw []byte, asJSON bool) error {
	if asJSON {
		return printJSON(w, raw)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	gjson.ParseBytes(raw).ForEach(func(key, value gjson.Result) bool {
		fmt.Fprintf(tw, "%s\t%s\n", key.String(), cell(value))
		return true
	})
	return tw.Flush()
}
