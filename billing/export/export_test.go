package export

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"sluice/billing"
	"sluice/providers/schema"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 1, time.UTC)

func rows(n int) []Row {
	out := make([]Row, n)
	for i := range out {
		e := billing.Entry{Call: "c" + string(rune('a'+i%26)), Time: noon.Add(time.Duration(i) * time.Second), Team: "t", User: "=cmd()", Tags: []string{"a", "b"},
			Usage: schema.Usage{Input: int64(i), Source: schema.UsageReported}, Cost: billing.Nano(i) * 1_000_001, Latency: 3 * time.Second, Delivered: -1, Reason: "a \"quoted\", reason"}
		if i == 0 {
			e.Tags, e.Cost, e.Attempt = nil, -45_000, billing.Correction
		}
		out[i] = Of(&e)
	}
	return out
}

func written(t *testing.T, format string, of []Row) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := newWriter(&b, format)
	if err != nil {
		t.Fatal(err)
	}
	for i := range of {
		if err := w.row(&of[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFormatsHoldEveryRow(t *testing.T) {
	want := rows(1234)
	var got []Row
	for in := json.NewDecoder(bytes.NewReader(written(t, "jsonl", want))); in.More(); {
		var r Row
		if err := in.Decode(&r); err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("jsonl: %d rows, %+v", len(got), got[:1])
	}
	b := written(t, "parquet", want)
	got, err := parquet.Read[Row](bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].Time = got[i].Time.UTC()
		if len(got[i].Tags) == 0 {
			got[i].Tags = []string{}
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("parquet: %d rows, %+v", len(got), got[:1])
	}
	file, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil || !strings.Contains(file.Schema().String(), "usd (DECIMAL(18,9))") || !strings.Contains(file.Schema().String(), "NANO") {
		t.Errorf("schema %v, %v", file.Schema(), err)
	}
	lines, err := csv.NewReader(bytes.NewReader(written(t, "csv", want))).ReadAll()
	if err != nil || len(lines) != len(want)+1 {
		t.Fatalf("csv: %d lines, %v", len(lines), err)
	}
	at := map[string]int{}
	for i, name := range lines[0] {
		at[name] = i
	}
	last := lines[len(want)]
	for name, cell := range map[string]string{"usd": want[1233].USD.String(), "user": "'=cmd()", "tags": "a,b", "refused": "false",
		"time": "2026-11-02T12:20:33.000000001Z", "reason": `a "quoted", reason`, "input_tokens": "1233"} {
		if last[at[name]] != cell {
			t.Errorf("csv: %s is %q, want %q", name, last[at[name]], cell)
		}
	}
	if _, err := newWriter(io.Discard, "xlsx"); err == nil {
		t.Error("an unknown format was taken")
	}
}

// A broken export leaves whole files only, and the next run writes the others.
func TestRunAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	day := func(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC) }
	var asked []string
	broken := errors.New("broken off")
	fail := "2026-11-03"
	var files []File
	j := &Job{From: day(1), To: day(5), Today: day(4), Format: "csv", Sink: Folder(dir), Done: func(f File) { files = append(files, f) },
		Source: func(_ context.Context, day string, use func(*Row) error) error {
			asked = append(asked, day)
			for _, r := range rows(10) {
				if err := use(&r); err != nil {
					return err
				}
			}
			if day == fail {
				return broken
			}
			return nil
		}}
	if err := j.Run(context.Background()); !errors.Is(err, broken) || !strings.Contains(err.Error(), "sluice-ledger-2026-11-03.csv") {
		t.Errorf("Run = %v", err)
	}
	names := func() (out []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	if got := names(); !reflect.DeepEqual(got, []string{"sluice-ledger-2026-11-01.csv", "sluice-ledger-2026-11-02.csv"}) {
		t.Errorf("files %v", got)
	}
	fail, asked = "", nil
	for range 2 {
		if err := j.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"2026-11-03", "2026-11-04", "2026-11-04"}; !reflect.DeepEqual(asked, want) || len(names()) != 4 {
		t.Errorf("asked for %v, want %v; files %v", asked, want, names())
	}
	if f := files[len(files)-1]; f.Kept || f.Entries != 10 || f.USD != 45*1_000_001-45_000 || !files[len(files)-2].Kept {
		t.Errorf("files %+v", files)
	}
	j.Team, j.Force, j.Format = "lab", true, "jsonl"
	if err := j.Run(context.Background()); err != nil || len(names()) != 8 || names()[7] != "sluice-ledger-lab-2026-11-04.jsonl" {
		t.Errorf("%v, files %v", err, names())
	}
}
