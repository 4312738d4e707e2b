package export

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"sluice/billing"
)

// Formats are what files can be; each is the end of their names.
var Formats = []string{"csv", "jsonl", "parquet"}

// writer writes rows; close writes what is left, and not the file's end.
type writer struct {
	row   func(*Row) error
	close func() error
}

// newWriter writes rows to w in one of Formats.
func newWriter(w io.Writer, format string) (writer, error) {
	switch format {
	case "csv":
		return csvWriter(w)
	case "jsonl":
		b := bufio.NewWriterSize(w, 64<<10)
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		return writer{func(r *Row) error { return enc.Encode(r) }, b.Flush}, nil
	case "parquet":
		return parquetWriter(w), nil
	}
	return writer{}, fmt.Errorf("format %q is none of %s", format, strings.Join(Formats, ", "))
}

// groupRows is how many rows a row group of Parquet has: they are in memory
// until it is full.
const groupRows = 20_000

func parquetWriter(w io.Writer) writer {
	p := parquet.NewGenericWriter[Row](w, parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(groupRows),
		parquet.CreatedBy("sluice", "1", ""))
	gathered := make([]Row, 0, 500)
	put := func() error {
		_, err := p.Write(gathered)
		gathered = gathered[:0]
		return err
	}
	return writer{func(r *Row) error {
		if gathered = append(gathered, *r); len(gathered) < cap(gathered) {
			return nil
		}
		return put()
	}, func() error {
		if err := put(); err != nil {
			return err
		}
		return p.Close()
	}}
}

// csvWriter writes a head line, then a line a row. Tags are separated by commas.
// What callers named cannot become a formula of a spreadsheet.
func csvWriter(w io.Writer) (writer, error) {
	out := csv.NewWriter(bufio.NewWriterSize(w, 64<<10))
	fields := reflect.VisibleFields(reflect.TypeFor[Row]())
	fields = slices.DeleteFunc(fields, func(f reflect.StructField) bool { return f.Anonymous })
	cells := make([]string, len(fields))
	for i := range cells {
		cells[i] = fields[i].Tag.Get("json")
	}
	row := func(r *Row) error {
		v := reflect.ValueOf(r).Elem()
		for i := range cells {
			cells[i] = cell(v.FieldByIndex(fields[i].Index).Interface())
		}
		return out.Write(cells)
	}
	return writer{row, func() error { out.Flush(); return out.Error() }}, out.Write(cells)
}

func cell(v any) string {
	switch v := v.(type) {
	case string:
		return billing.Defuse(v)
	case []string:
		return billing.Defuse(strings.Join(v, ","))
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}
