package examples

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// exposed are the labels of each metric that a gateway has shown.
type exposed map[string]map[string]bool

var (
	sampleLine   = regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? `)
	labelName    = regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)"`)
	metricInExpr = regexp.MustCompile(`\b((?:sluice|process)_[a-z0-9_]+|sluice:[a-z0-9_:]+)(\{[^}]*\})?`)
	byClause     = regexp.MustCompile(`\bby \(([^)]*)\)`)
	legendLabel  = regexp.MustCompile(`\{\{ *(?:\$labels\.)?([a-z_]+) *\}\}`)
)

func readMetrics(text string) exposed {
	out := exposed{}
	for _, m := range sampleLine.FindAllStringSubmatch(text, -1) {
		labels := out[m[1]]
		if labels == nil {
			labels = map[string]bool{"instance": true} // Prometheus's own
			out[m[1]] = labels
		}
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			labels[l[1]] = true
		}
	}
	return out
}

// check looks for the metrics of an expression, and the labels that it selects,
// groups and is told by.
func (e exposed) check(t *testing.T, where, expr, legend string) {
	t.Helper()
	found := metricInExpr.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		t.Errorf("%s has no metric: %s", where, expr)
	}
	known := map[string]bool{}
	for _, m := range found {
		labels, ok := e[m[1]]
		if !ok {
			t.Errorf("%s: no %s in /metrics", where, m[1])
		}
		for name := range labels {
			known[name] = true
		}
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			if !labels[l[1]] {
				t.Errorf("%s: %s has no label %s", where, m[1], l[1])
			}
		}
	}
	var told []string
	for _, m := range byClause.FindAllStringSubmatch(expr, -1) {
		told = append(told, strings.Split(m[1], ",")...)
	}
	for _, m := range legendLabel.FindAllStringSubmatch(legend, -1) {
		told = append(told, m[1])
	}
	for _, name := range told {
		if name = strings.TrimSpace(name); !known[name] {
			t.Errorf("%s: none of its metrics has the label %s", where, name)
		}
	}
}

// Every panel of the dashboard, and every rule, is of metrics that the example
// shows once it was used; its own alerts arrive.
func TestMonitoring(t *testing.T) {
	messages := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		messages <- string(b)
	}))
	t.Cleanup(hook.Close)
	g := start(t, "monitoring", "ALERT_WEBHOOK="+hook.URL)
	for range 5 {
		g.chat("sk-example-monitoring", "lost")
	}
	if a := g.shownIn("monitoring", 0); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	g.do("GET", g.listen+"/told", "")
	var metrics string
	if !eventually(func() bool {
		metrics = string(g.do("GET", g.admin+"/metrics", "").body)
		return strings.Contains(metrics, `sluice_alerts_firing{rule="failing"} 1`) && strings.Contains(metrics, `sluice_alert_deliveries_total{receiver="ops",result="delivered"}`)
	}) {
		t.Fatalf("no alert was delivered:\n%s", metrics)
	}
	if m := <-messages; !strings.Contains(m, `"event":"alert.firing"`) {
		t.Errorf("told %s", m)
	}
	shown := readMetrics(metrics)
	dashboard(t, shown)
	prometheusRules(t, shown)
}

func dashboard(t *testing.T, shown exposed) {
	t.Helper()
	var d struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr, LegendFormat string }
		}
		Templating struct {
			List []struct{ Type, Query string }
		}
	}
	b, err := os.ReadFile("monitoring/grafana.json")
	if err == nil {
		err = json.Unmarshal(b, &d)
	}
	if err != nil || d.Title == "" || len(d.Panels) < 20 {
		t.Fatalf("no dashboard: %v", err)
	}
	ids, places := map[int]bool{}, map[[2]int]bool{}
	for _, p := range d.Panels {
		at := [2]int{p.GridPos.X, p.GridPos.Y}
		if ids[p.ID] || places[at] || p.GridPos.X+p.GridPos.W > 24 || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q: its number or place is another's, or it shows nothing", p.Title)
		}
		ids[p.ID], places[at] = true, true
		for _, target := range p.Targets {
			shown.check(t, p.Title, target.Expr, target.LegendFormat)
		}
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			metric, label, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(v.Query, "label_values("), ")"), ", ")
			if !ok || !shown[metric][label] {
				t.Errorf("the variable's %s is not there", v.Query)
			}
		}
	}
}

func prometheusRules(t *testing.T, shown exposed) {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Record, Alert, Expr string
				For                 string
				Labels, Annotations map[string]string
			}
		}
	}
	b, err := os.ReadFile("monitoring/prometheus-rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	in := yaml.NewDecoder(strings.NewReader(string(b)))
	in.KnownFields(true)
	if err := in.Decode(&file); err != nil {
		t.Fatal(err)
	}
	alerts := 0
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			if r.Record != "" {
				shown.check(t, r.Record, r.Expr, "")
				shown[r.Record] = map[string]bool{}
				continue
			}
			alerts++
			shown.check(t, r.Alert, r.Expr, r.Annotations["summary"])
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
				t.Errorf("%s does not say how bad it is, or what", r.Alert)
			}
		}
	}
	if alerts < 10 {
		t.Errorf("%d alerts", alerts)
	}
}
