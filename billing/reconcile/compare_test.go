package reconcile

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/billing"
)

func TestFamily(t *testing.T) {
	for _, same := range [][]string{
		{"gpt-4o", "gpt-4o-2024-08-06", "GPT-4o", "gpt-4o-latest"},
		{"gpt-3.5-turbo", "gpt-3.5-turbo-0125"}, {"gpt-4", "gpt-4-0613"}, {"gpt-4.1"}, {"gpt-4-1106-preview"}, {"gpt-4o-mini", "gpt-4o-mini-2024-07-18"},
		{"claude-haiku-4-5", "claude-haiku-4-5-20251001", "Claude Haiku 4.5"}, {"claude-haiku-5-4"},
		{"claude-3-5-sonnet-20241022", "Claude 3.5 Sonnet 2024-10-22", "Claude Sonnet 3.5", "claude-3-5-sonnet-latest"},
		{"claude-opus-4-20250514", "claude-opus-4-0", "Claude Opus 4"}, {"claude-opus-4-1-20250805", "claude-opus-4-1"},
		{"text-embedding-3-small"}, {"text-embedding-3-large"}, {"(web_search)"}, {"ft:gpt-4o-2024-08-06:acme::abc", "ft-gpt-4o-2024-08-06", "ft:gpt-4o-2024-08-06:acme::xyz"},
	} {
		for _, name := range same {
			if got := family(name); got != family(same[0]) {
				t.Errorf("%s is of %s, %s of %s", name, got, same[0], family(same[0]))
			}
		}
	}
	if family("gpt-4-1106-preview") == family("gpt-4.1") || family("claude-haiku-5-4") == family("claude-haiku-4-5") || family("gpt-4o") == family("gpt-4") {
		t.Error("different models are of one family")
	}
}

func day(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }

func line(n int, model string, f ...int64) Line {
	l := Line{Day: day(n).Format(time.DateOnly), Model: model}
	copy(l.Figures[:], f)
	return l
}

func TestCompare(t *testing.T) {
	here := []Line{line(1, "gpt-4o", 100, 0, 0, 50, 9), line(1, "gpt-4o-2024-05-13", 10, 0, 0, 5, 1), line(2, "gpt-5", 7, 0, 0, 7, 3), line(2, "o3", 0, 0, 0, 0, 4), line(9, "o1", 1)}
	usage := &Export{First: day(1), Last: day(3), Lines: []Line{line(1, "gpt-4o-2024-08-06", 100, 0, 0, 51), line(1, "gpt-4o-2024-05-13", 10, 0, 0, 5),
		line(2, "gpt-5-2025-08-07", 7, 0, 0, 7), line(3, "whisper-1", 5)}}
	from, to, err := Days([]*Export{usage}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	zero := new(big.Rat)
	out, err := Compare(here, []*Export{usage}, from, to, zero)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range out.Rows {
		got = append(got, fmt.Sprint(r.Day[8:], " ", r.Model, r.Only, r.Here[:iUSD], r.There[:iUSD], r.Apart))
	}
	want := []string{"01 gpt-4o[110 0 0 55] [110 0 0 56] true", "02 gpt-5[7 0 0 7] [7 0 0 7] false", "03 whisper-1there[0 0 0 0] [5 0 0 0] true"}
	if !slices.Equal(got, want) || out.Apart != 2 || out.From != "2026-11-01" || out.To != "2026-11-04" {
		t.Errorf("%q %+v", got, out)
	}
	if two, _ := Percent("2%"); two != nil {
		if out, err := Compare(here, []*Export{usage}, day(1), day(3), two); err != nil || out.Apart != 0 || out.Tolerance != "2" {
			t.Errorf("%+v %v", out, err)
		}
	}
	costs := &Export{Money: true, First: day(1), Last: day(2), Lines: []Line{line(2, "o3-2025-04-16", 0, 0, 0, 0, 4)}}
	both, err := Compare(here, []*Export{usage, costs}, from, to, zero)
	if err != nil || len(both.Compared) != nFigures || both.Total.Here[iUSD] != 17 || both.Total.There[iUSD] != 4 {
		t.Errorf("%+v %v", both, err)
	}
	if _, err := Compare(here, []*Export{usage, usage}, from, to, zero); err == nil {
		t.Error("two exports of usage")
	}
}

func TestDays(t *testing.T) {
	exports := []*Export{{First: day(3), Last: day(5)}, {First: day(2), Last: day(4)}}
	for name, c := range map[string]struct {
		from, to string
		want     [2]time.Time
	}{"covered": {"", "", [2]time.Time{day(2), day(6)}}, "from": {"2026-11-04", "", [2]time.Time{day(4), day(6)}},
		"both": {"2026-11-01", "2026-11-10", [2]time.Time{day(1), day(10)}}} {
		from, to, err := Days(exports, c.from, c.to)
		if err != nil || !from.Equal(c.want[0]) || !to.Equal(c.want[1]) {
			t.Errorf("%s: %v to %v, %v", name, from, to, err)
		}
	}
	for want, given := range map[string][2]string{"from": {"yesterday", ""}, "to": {"", "2026-11-01T10:00:00Z"}, "not before": {"2026-11-06", ""}} {
		if _, _, err := Days(exports, given[0], given[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", given, err)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, s := range []string{"0", "0.5", "0.5%", " 100 "} {
		if _, err := Percent(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "-1", "101", "1/2", "much", "1e99999"} {
		if _, err := Percent(s); err == nil {
			t.Errorf("%q is a percentage", s)
		}
	}
}

func TestHere(t *testing.T) {
	r := &billing.Report{GroupBy: []string{"target", "day"}, Rows: []billing.Row{
		{Values: []string{"openai/ft/x", "2026-11-01"}, Sums: billing.Sums{InputTokens: 5, CachedInputTokens: 4, CacheWriteTokens: 3, OutputTokens: 2, USD: 1}},
		{Values: []string{"openai/gpt-4o", "2026-11-01"}, Sums: billing.Sums{Calls: 3, Errors: 3}}, {Values: []string{"", "2026-11-02"}, Sums: billing.Sums{USD: -1}}}}
	got, err := Here(r)
	if err != nil || len(got) != 2 || got[0] != line(1, "ft/x", 5, 4, 3, 2, 1) || got[1].Model != "(none)" {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := Here(&billing.Report{GroupBy: []string{"day"}}); err == nil {
		t.Error("a report by day")
	}
}

// Whatever the names, nothing is lost: the rows add up to both sides, and sides
// that are the same do not drift.
func TestCompareLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := rapid.SampledFrom([]string{"gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-05-13", "gpt-4", "gpt-4-0613", "Claude Haiku 4.5", "claude-haiku-4-5", "(web_search)"})
		draw := func(label string) (lines []Line, sum Figures) {
			for range rapid.IntRange(0, 12).Draw(t, label) {
				l := line(rapid.IntRange(1, 3).Draw(t, "day"), model.Draw(t, "model"), rapid.Int64Range(0, 9).Draw(t, "n"), 0, 0, rapid.Int64Range(0, 9).Draw(t, "m"))
				lines = append(lines, l)
				sum.add(&l.Figures)
			}
			return lines, sum
		}
		here, ours := draw("here")
		there, theirs := draw("there")
		out, err := Compare(here, []*Export{{Lines: there}}, day(1), day(4), new(big.Rat))
		if err != nil {
			t.Fatal(err)
		}
		var a, b Figures
		seen := map[string]bool{}
		for i := range out.Rows {
			r := &out.Rows[i]
			a.add(&r.Here)
			b.add(&r.There)
			if seen[r.Day+r.Model] {
				t.Fatalf("%s %s stands there twice", r.Day, r.Model)
			}
			seen[r.Day+r.Model] = true
		}
		if a != ours || b != theirs || out.Total.Here != a || out.Total.There != b {
			t.Fatalf("here %v of %v, there %v of %v", a, ours, b, theirs)
		}
		if same, err := Compare(here, []*Export{{Lines: here}}, day(1), day(4), new(big.Rat)); err != nil || same.Apart != 0 {
			t.Fatalf("%+v %v", same, err)
		}
	})
}

func TestRender(t *testing.T) {
	usage := &Export{First: day(1), Last: day(1), Lines: []Line{line(1, "=gpt", 5, 0, 0, 2)}}
	costs := &Export{Money: true, First: day(1), Last: day(1), Lines: []Line{line(1, "=gpt", 0, 0, 0, 0, 1_500_000_000)}}
	out, err := Compare([]Line{line(1, "=gpt", 7, 0, 0, 2, 1_250_000_000)}, []*Export{usage, costs}, day(1), day(2), new(big.Rat))
	if err != nil {
		t.Fatal(err)
	}
	text := map[string]string{}
	for _, format := range billing.ReportFormats {
		var b strings.Builder
		if err := out.Render(&b, format); err != nil {
			t.Fatal(err)
		}
		text[format] = b.String()
	}
	if rows, err := csv.NewReader(strings.NewReader(text["csv"])).ReadAll(); err != nil || len(rows) != 2 || rows[1][1] != "'=gpt" || rows[1][len(rows[1])-1] != "-0.25" {
		t.Errorf("csv %v %v", rows, err)
	}
	var read struct {
		Apart int
		Rows  []struct {
			Only  *string
			USD   struct{ Here, There, Drift string }
			Input struct{ Drift int64 } `json:"input_tokens"`
		}
		Total map[string]any
	}
	if err := json.Unmarshal([]byte(text["json"]), &read); err != nil || read.Apart != 1 || read.Rows[0].USD.Drift != "-0.25" || read.Rows[0].Input.Drift != 2 || read.Rows[0].Only != nil || read.Total["usd"] == nil {
		t.Errorf("json %v %s", err, text["json"])
	}
	if strings.Contains(text["table"], "cached_input") || !strings.Contains(text["table"], "-0.25") || !strings.Contains(text["jsonl"], `"drift":"-0.25"`) {
		t.Errorf("%s\n%s", text["table"], text["jsonl"])
	}
	if out.Render(&strings.Builder{}, "xml") == nil {
		t.Error("an unknown format is an error")
	}
}
