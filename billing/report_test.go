package billing

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func sample(t testing.TB) *Report {
	return &Report{
		From: at(t, "2026-05-01T00:00:00Z"), To: at(t, "2026-06-01T00:00:00Z"), GroupBy: []string{"team", "status"},
		Rows: []Row{
			{[]string{"lab", "200"}, Sums{Calls: 10, InputTokens: 1200, OutputTokens: 90, USD: 1_500_000, LatencyP50MS: 12, LatencyP95MS: 40}},
			{[]string{"=cmd()\n", ""}, Sums{Refused: 2}},
		},
		Total: Sums{Calls: 10, Refused: 2, InputTokens: 1200, OutputTokens: 90, USD: 1_500_000, LatencyP50MS: 12, LatencyP95MS: 40},
	}
}

func TestRender(t *testing.T) {
	for format, want := range map[string]string{
		"table": `usage from 2026-05-01T00:00:00Z to 2026-06-01T00:00:00Z
     team  status  calls  refused  input_tokens  output_tokens     usd  latency_p50_ms  latency_p95_ms
      lab     200     10        0          1200             90  0.0015              12              40
  =cmd()?              0        2             0              0       0               0               0
    total             10        2          1200             90  0.0015              12              40
`,
		"csv": `team,status,calls,refused,errors,cached,input_tokens,cached_input_tokens,cache_write_tokens,output_tokens,reasoning_tokens,usd,saved_usd,latency_p50_ms,latency_p95_ms
lab,200,10,0,0,0,1200,0,0,90,0,0.0015,0,12,40
"'=cmd()
",,0,2,0,0,0,0,0,0,0,0,0,0,0
`,
		"jsonl": `{"team":"lab","status":200,"calls":10,"refused":0,"errors":0,"cached":0,"input_tokens":1200,"cached_input_tokens":0,"cache_write_tokens":0,"output_tokens":90,"reasoning_tokens":0,"usd":"0.0015","saved_usd":"0","latency_p50_ms":12,"latency_p95_ms":40}
{"team":"=cmd()\n","status":"","calls":0,"refused":2,"errors":0,"cached":0,"input_tokens":0,"cached_input_tokens":0,"cache_write_tokens":0,"output_tokens":0,"reasoning_tokens":0,"usd":"0","saved_usd":"0","latency_p50_ms":0,"latency_p95_ms":0}
`,
	} {
		var out strings.Builder
		if err := sample(t).Render(&out, format); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%s:\n%s\nwant\n%s", format, out.String(), want)
		}
	}
	if err := sample(t).Render(&strings.Builder{}, "xml"); err == nil || !strings.Contains(err.Error(), "jsonl") {
		t.Errorf("error %v does not name the formats", err)
	}
}

func TestReportJSON(t *testing.T) {
	for _, r := range []*Report{sample(t), {GroupBy: []string{}, Total: Sums{Calls: 1}}, {GroupBy: []string{"tag"}, Rows: []Row{{Values: []string{`a"b\<é` + "\x01"}}}}} {
		var out strings.Builder
		if err := r.Render(&out, "json"); err != nil {
			t.Fatal(err)
		}
		var back Report
		if err := json.Unmarshal([]byte(out.String()), &back); err != nil {
			t.Fatalf("%v in %s", err, out.String())
		}
		if !reflect.DeepEqual(&back, r) {
			t.Errorf("%+v is read as %+v", r, &back)
		}
	}
	text, _ := json.Marshal(&Report{})
	if want := `{"from":null,"to":null,"group_by":[],"rows":[],"total":{"calls":0`; !strings.HasPrefix(string(text), want) {
		t.Errorf("an empty report is %s", text)
	}
	text, _ = json.Marshal(Report{}) // by value too
	if !strings.HasPrefix(string(text), `{"from":null,"to":null,"group_by":[],"rows":[]`) {
		t.Errorf("an empty report is %s", text)
	}
}

func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"group_by":["team"],"rows":[{"team":"x","usd":"1"}],"total":{}}`))
	f.Add([]byte(`{"rows":[{"usd":1e400}],"group_by":["version"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again Report
		if json.Unmarshal(b, &r) != nil {
			return
		}
		text, err := json.Marshal(&r)
		if err != nil {
			return // a time that JSON cannot say
		}
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	})
}

func TestParseQuery(t *testing.T) {
	now, berlin := at(t, "2026-05-31T22:30:00Z"), zone(t, "Europe/Berlin") // June there
	for _, c := range []struct{ from, to, wantFrom, wantTo string }{
		{"", "", "2026-05-31T22:00:00Z", "2026-06-30T22:00:00Z"},
		{"2026-01-02", "2026-01-03", "2026-01-01T23:00:00Z", "2026-01-02T23:00:00Z"},
		{"2026-01-02T03:04:05Z", "", "2026-01-02T03:04:05Z", ""},
		{"", "2026-01-02T03:04:05.5+01:00", "", "2026-01-02T02:04:05.5Z"},
	} {
		q, err := ParseQuery(c.from, c.to, "", now, berlin)
		if err != nil {
			t.Errorf("%q to %q: %v", c.from, c.to, err)
			continue
		}
		if (c.wantFrom == "") != q.From.IsZero() || (c.wantFrom != "" && !q.From.Equal(at(t, c.wantFrom))) ||
			(c.wantTo == "") != q.To.IsZero() || (c.wantTo != "" && !q.To.Equal(at(t, c.wantTo))) {
			t.Errorf("%q to %q is %v to %v", c.from, c.to, q.From, q.To)
		}
	}
	q, err := ParseQuery("", "", " team, model,team,,day", now, nil)
	if err != nil || !reflect.DeepEqual(q.GroupBy, []string{"team", "model", "day"}) || q.Location == nil {
		t.Errorf("%+v, %v", q, err)
	}
	for want, c := range map[string][3]string{
		`from "yesterday"`:   {"yesterday", "", ""},
		`to "2026-13-01"`:    {"", "2026-13-01", ""},
		"is not before":      {"2026-01-02", "2026-01-02", ""},
		`"colour": known ar`: {"", "", "team,colour"},
	} {
		if _, err := ParseQuery(c[0], c[1], c[2], now, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %s", c, err, want)
		}
	}
}
