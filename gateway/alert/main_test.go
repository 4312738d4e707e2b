package alert

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"sluice/billing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call is a call of the ledger.
type call struct {
	at             time.Time
	team, model    string
	status         int
	cost           billing.Nano
	latency        time.Duration
	refusedByLimit bool
}

// world is a ledger, budgets and metrics at a time that a test moves.
type world struct {
	now     time.Time
	calls   []call
	budgets []billing.BudgetStatus
	metrics map[string][]*dto.Metric
	broken  error
	asked   int
}

func newWorld() *world {
	return &world{now: time.Date(2026, 11, 24, 13, 45, 0, 0, time.UTC), metrics: map[string][]*dto.Metric{}}
}

func (w *world) source() Source {
	return Source{Usage: w.usage, Budgets: func(time.Time) []billing.BudgetStatus { return w.budgets },
		Location: func() *time.Location { return time.UTC },
		Gather: func() (out []*dto.MetricFamily, err error) {
			for name, list := range w.metrics {
				out = append(out, &dto.MetricFamily{Name: &name, Metric: slices.Clone(list)})
			}
			return out, nil
		}}
}

func (w *world) engine(file string, rules ...Rule) *Engine {
	var shelf Shelf
	if file != "" {
		shelf = File(file)
	}
	e := New(w.source(), shelf, slog.New(slog.NewTextHandler(io.Discard, nil)))
	e.Set(rules, map[string]Receiver{"ops": {}, "chat": {}})
	return e
}

// usage sums the calls as a ledger does.
func (w *world) usage(_ context.Context, q billing.Query) (*billing.Report, error) {
	w.asked++
	if w.broken != nil {
		return nil, w.broken
	}
	r := &billing.Report{GroupBy: q.GroupBy}
	rows := map[string]*billing.Row{}
	var names []string
	for _, c := range w.calls {
		if c.at.Before(q.From) || !q.To.IsZero() && !c.at.Before(q.To) || c.at.After(w.now) || q.Team != "" && c.team != q.Team || q.Only.Model != "" && c.model != q.Only.Model {
			continue
		}
		var values []string
		name := ""
		for _, d := range q.GroupBy {
			v := map[string]string{"team": c.team, "model": c.model, "status": string([]byte{byte('0' + c.status/100), byte('0' + c.status/10%10), byte('0' + c.status%10)})}[d]
			values, name = append(values, v), name+v+"|"
		}
		if rows[name] == nil {
			rows[name] = &billing.Row{Values: values}
			names = append(names, name)
		}
		for _, s := range []*billing.Sums{&rows[name].Sums, &r.Total} {
			if c.refusedByLimit {
				s.Refused++
				continue
			}
			s.Calls++
			s.USD += c.cost
			s.LatencyP95MS = max(s.LatencyP95MS, c.latency.Milliseconds())
			if c.status >= 400 {
				s.Errors++
			}
		}
	}
	for _, name := range names {
		r.Rows = append(r.Rows, *rows[name])
	}
	return r, nil
}

// add makes n calls now.
func (w *world) add(n int, c call) {
	for range n {
		c.at = w.now
		w.calls = append(w.calls, c)
	}
}

// pass moves the clock.
func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// tick looks once, and has every notice delivered. It gives what was told.
func (w *world) tick(t *testing.T, e *Engine, fail error) []string {
	t.Helper()
	var out []string
	for _, n := range e.Tick(t.Context(), w.now) {
		out = append(out, string(n.Event)+" "+n.Receiver+" "+n.Alert.Title())
		e.Done(&n, w.now, fail)
	}
	return out
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: told %q, want %q", what, got, want)
	}
}
