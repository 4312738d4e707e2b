package alert

import (
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"sluice/billing"
)

// read is what a condition finds at once.
func (w *world) read(t *testing.T, rule Rule) []Reading {
	t.Helper()
	e := w.engine("", rule)
	if err := e.sample([]Rule{rule}, w.now); err != nil {
		t.Fatal(err)
	}
	src := w.source()
	list, err := rule.Condition.read(t.Context(), &reader{Source: &src, now: w.now, sampler: &e.sampler, asked: asked{}}, &rule)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestThresholds(t *testing.T) {
	w := newWorld()
	w.add(8, call{team: "a", model: "fast", status: 200, cost: billing.Dollar, latency: 3 * time.Second})
	w.add(2, call{team: "b", model: "fast", status: 404})
	w.add(10, call{team: "b", refusedByLimit: true})
	for name, c := range map[string]struct {
		rule  Rule
		holds bool
		text  string
	}{
		"errors":        {Rule{Condition: &Threshold{Figure: "error_share", Bound: 0.19, Over: time.Hour}}, true, "error_share is 20 %, above 19 % over 1h"},
		"at the bound":  {Rule{Condition: &Threshold{Figure: "error_share", Bound: 0.2, Over: time.Hour}}, false, ""},
		"a 404 fails":   {Rule{Condition: &Threshold{Figure: "failure_share", Bound: 0, Over: time.Hour}}, false, ""},
		"too few calls": {Rule{Condition: &Threshold{Figure: "error_share", Bound: 0.1, Over: time.Hour, Calls: 11}}, false, ""},
		"cost":          {Rule{Condition: &Threshold{Figure: "cost", Bound: 7.5, Over: time.Hour}}, true, "cost is $8.00, above $7.50"},
		"cost of b":     {Rule{Scope: Scope{Team: "b"}, Condition: &Threshold{Figure: "cost", Bound: 7.5, Over: time.Hour}}, false, ""},
		"latency":       {Rule{Condition: &Threshold{Figure: "latency_p95", Bound: 2, Over: time.Hour}}, true, "latency_p95 is 3s, above 2s"},
		"refused":       {Rule{Condition: &Threshold{Figure: "refused_share", Bound: 0.4, Over: time.Hour}}, true, "refused_share is 50 %"},
		"silence":       {Rule{Condition: &Threshold{Figure: "calls", Bound: 11, Below: true, Over: 5 * time.Minute}}, true, "calls is 10, below 11 over 5m"},
	} {
		list := w.read(t, c.rule)
		if len(list) != 1 || list[0].Holds != c.holds || !strings.Contains(list[0].Text, c.text) {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

// A window ends: what was before it does not count.
func TestThresholdForgets(t *testing.T) {
	w := newWorld()
	w.add(5, call{status: 500})
	w.pass(5*time.Minute + time.Second)
	list := w.read(t, Rule{Condition: &Threshold{Figure: "failures", Bound: 0, Over: 5 * time.Minute}})
	if list[0].Holds || list[0].Value != 0 {
		t.Errorf("%+v", list)
	}
}

func metric(value float64, counter bool, labels ...string) *dto.Metric {
	m := &dto.Metric{}
	for i := 0; i < len(labels); i += 2 {
		m.Label = append(m.Label, &dto.LabelPair{Name: &labels[i], Value: &labels[i+1]})
	}
	if counter {
		m.Counter = &dto.Counter{Value: &value}
	} else {
		m.Gauge = &dto.Gauge{Value: &value}
	}
	return m
}

func TestProcessFigures(t *testing.T) {
	w := newWorld()
	w.metrics["sluice_breaker_state"] = []*dto.Metric{metric(2, false, "target", "a/x"), metric(1, false, "target", "a/y"), metric(2, false, "target", "b/x")}
	open := &Threshold{Figure: "breakers_open"}
	if list := w.read(t, Rule{Condition: open}); len(list) != 1 || !list[0].Holds || list[0].Value != 2 {
		t.Errorf("all: %+v", list)
	}
	if list := w.read(t, Rule{Condition: open, Scope: Scope{Target: "a/y"}}); list[0].Holds {
		t.Errorf("one that is half open: %+v", list)
	}
	for _, one := range w.read(t, Rule{Condition: open, Each: "target"}) {
		if one.Holds == (one.Labels["target"] == "a/y") {
			t.Errorf("each: %+v", one)
		}
	}

	// Counters count from when they are first seen, over their time.
	dropped := Rule{Name: "dropped", Condition: &Threshold{Figure: "log_dropped", Over: 10 * time.Minute}}
	routes := Rule{Name: "routes", Each: "route", Condition: &Threshold{Figure: "failure_share", Bound: 0.4, Over: 10 * time.Minute}}
	e := w.engine("", dropped, routes)
	at := func(drops, good, bad float64) {
		w.metrics["sluice_log_dropped_total"] = []*dto.Metric{metric(drops, true)}
		w.metrics["sluice_route_requests_total"] = []*dto.Metric{metric(good, true, "route", "r", "status", "200"), metric(bad, true, "route", "r", "status", "503")}
		w.tick(t, e, nil)
		w.pass(5 * time.Minute)
	}
	states := func(want ...string) {
		t.Helper()
		for i, s := range e.Status(w.now) {
			if s.State != want[i] {
				t.Errorf("%s is %s, want %s: %+v", s.Rule, s.State, want[i], s.Alerts)
			}
		}
	}
	at(7, 100, 0)
	states("ok", "ok")
	at(9, 110, 9)
	states("firing", "firing")
	at(9, 210, 9)
	states("firing", "ok")
	at(9, 210, 9)
	states("ok", "ok")
}

func TestQuantile(t *testing.T) {
	buckets := []bucket{{1, 10}, {2, 20}, {4, 40}}
	for q, want := range map[float64]float64{0.25: 1, 0.5: 2, 0.75: 3} {
		if got := quantile(q, buckets, 40); got != want {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	if got := quantile(0.95, buckets, 100); got != 4 {
		t.Errorf("beyond the last bound: %v", got)
	}
}

// A burn must show in both windows: not when it is over, not when it has just
// begun.
func TestBurn(t *testing.T) {
	rule := Rule{Condition: &Burn{Objective: 0.99, Windows: []BurnWindow{{time.Hour, 5 * time.Minute, 10}}}}
	w := newWorld()
	w.add(1000, call{status: 200})
	w.pass(55 * time.Minute)
	w.add(50, call{status: 500})
	if w.read(t, rule)[0].Holds { // 5 % of an hour
		t.Error("a short burst holds")
	}
	w.add(100, call{status: 502})
	if one := w.read(t, rule)[0]; !one.Holds || !strings.Contains(one.Text, "more than 10x: 13.04 % of the calls fail") {
		t.Errorf("a burn: %+v", one)
	}
	w.pass(5*time.Minute - time.Second)
	w.add(2000, call{status: 200})
	w.pass(3 * time.Second)
	if w.read(t, rule)[0].Holds {
		t.Error("it is over")
	}
}

func TestBudgets(t *testing.T) {
	w := newWorld()
	forecast := int64(12 * billing.Dollar)
	w.budgets = []billing.BudgetStatus{
		{Owner: billing.OwnerName{Team: "a"}, Budget: billing.Budget{USD: 10 * billing.Dollar, Per: "month"}, Limit: int64(10 * billing.Dollar), Spent: int64(9 * billing.Dollar)},
		{Owner: billing.OwnerName{Key: "a/k"}, Budget: billing.Budget{USD: 10 * billing.Dollar, Per: "month"}, Limit: int64(10 * billing.Dollar), Spent: int64(billing.Dollar), Forecast: &forecast},
		{Owner: billing.OwnerName{Team: "b"}, Budget: billing.Budget{Per: "day"}, Limit: 100, Spent: 10},
	}
	held := func(rule Rule) (out []string) {
		for _, one := range w.read(t, rule) {
			if one.Holds {
				out = append(out, labelText(one.Labels))
			}
		}
		return out
	}
	same(t, "used", held(Rule{Condition: &Budget{Used: 0.9}}), "per=month, team=a")
	same(t, "forecast", held(Rule{Condition: &Budget{Forecast: 1}}), "key=a/k, per=month")
	same(t, "of a team", held(Rule{Scope: Scope{Team: "a"}, Condition: &Budget{Used: 0.1, Forecast: 1}}), "per=month, team=a", "key=a/k, per=month")
	same(t, "of another", held(Rule{Scope: Scope{Team: "b"}, Condition: &Budget{Used: 0.2}}))
}

// An hour is odd against the same hour of other days, one odd day of which does
// not count, and not against the hour before.
func TestAnomaly(t *testing.T) {
	w := newWorld()
	end := w.now
	for day := 14; day >= 1; day-- {
		for hour, cost := range map[int]billing.Nano{2: 1, 12: 10, 13: 10} {
			if day == 5 {
				cost *= 100
			}
			w.now = time.Date(2026, 11, 24-day, hour, 30, 0, 0, time.UTC)
			w.add(1, call{team: "a", status: 200, cost: (cost + billing.Nano(day%2)) * billing.Dollar})
		}
	}
	w.now = end
	rule := Rule{Name: "spend", Each: "team", Condition: &Anomaly{Figure: "cost", Days: 14, Deviations: 5}}
	e := w.engine("", rule)
	state := func(what, want string) {
		t.Helper()
		w.tick(t, e, nil)
		if got := e.Status(w.now)[0]; got.State != want {
			t.Errorf("%s: %s, want %s: %+v", what, got.State, want, got.Alerts)
		}
	}
	w.add(1, call{team: "a", status: 200, cost: 11 * billing.Dollar})
	w.add(1, call{team: "new", status: 200, cost: 500 * billing.Dollar})
	state("an ordinary hour", "ok")
	asked := w.asked
	state("the same", "ok")
	if w.asked != asked+1 {
		t.Errorf("%d questions for a hour that is known", w.asked-asked)
	}
	w.add(1, call{team: "a", status: 200, cost: 20 * billing.Dollar})
	state("three times as much", "firing")
	w.pass(time.Hour)
	state("the hour after", "firing")
	w.pass(time.Hour)
	state("over", "ok")
}
