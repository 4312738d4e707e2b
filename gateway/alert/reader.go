package alert

import (
	"context"
	"fmt"
	"time"

	dto "github.com/prometheus/client_model/go"

	"sluice/billing"
)

// Source is where figures come from. Its functions may be called from one
// goroutine at a time.
type Source struct {
	// Usage is the ledger's.
	Usage func(ctx context.Context, q billing.Query) (*billing.Report, error)
	// Budgets are every team's and key's own, as they stand.
	Budgets func(now time.Time) []billing.BudgetStatus
	// Gather reads the metrics of this process.
	Gather func() ([]*dto.MetricFamily, error)
	// Location is the calendar of hours and days.
	Location func() *time.Location
}

// mostGroups bounds the alerts that a rule may have: names come from callers.
const mostGroups = 1000

// reader reads for one look; what two rules ask alike is asked once.
type reader struct {
	*Source
	now     time.Time
	sampler *sampler
	asked   asked
}

// asked is what the ledger has answered in this look.
type asked map[string]*billing.Report

// usage asks the ledger about what a rule looks at, split as it is and by more.
func (r *reader) usage(ctx context.Context, rule *Rule, from, to time.Time, more ...string) (*billing.Report, error) {
	s := &rule.Scope
	q := billing.Query{From: from, To: to, Team: s.Team, Location: r.Location(), MostRows: 100 * mostGroups,
		Only: billing.Filter{Key: s.Key, Model: s.Model, Provider: s.Provider, Target: s.Target, Prompt: s.Prompt}}
	if rule.Each != "" {
		q.GroupBy = append(q.GroupBy, rule.Each)
	}
	q.GroupBy = append(q.GroupBy, more...)
	key := fmt.Sprint(q.From.UnixNano(), q.To.UnixNano(), q.Team, q.Only, q.GroupBy)
	if known := r.asked[key]; known != nil {
		return known, nil
	}
	report, err := r.Usage(ctx, q)
	if err != nil {
		return nil, err
	}
	r.asked[key] = report
	return report, nil
}

// groups are the sums of a report by the rule's word; without one, of all under "".
func groups(rule *Rule, report *billing.Report) map[string]*billing.Sums {
	if rule.Each == "" {
		return map[string]*billing.Sums{"": &report.Total}
	}
	out := map[string]*billing.Sums{}
	for i := range report.Rows {
		if name := report.Rows[i].Values[0]; name != "" && len(out) < mostGroups {
			out[name] = &report.Rows[i].Sums
		}
	}
	return out
}

// measures are a figure over the time up to now, by the rule's word.
func (r *reader) measures(ctx context.Context, rule *Rule, name string, over time.Duration) (map[string]measure, error) {
	f := figureOf(rule, name)
	if f.failures {
		return failures(ctx, r, rule, over, f.Unit)
	}
	if f.sums == nil {
		return r.ofProcess(f, rule, name, over), nil
	}
	report, err := r.usage(ctx, rule, r.now.Add(-over), time.Time{})
	if err != nil {
		return nil, err
	}
	out := map[string]measure{}
	for group, sums := range groups(rule, report) {
		out[group] = measure{f.sums(sums), float64(sums.Calls)}
	}
	return out, nil
}

func (r *reader) ofProcess(f *Figure, rule *Rule, name string, over time.Duration) map[string]measure {
	list := r.sampler.last().families[f.family]
	if f.Window {
		list = since(r.sampler.at(r.now.Add(-over)), r.sampler.last(), f.family)
	}
	parts := map[string][]series{}
	if rule.Each == "" {
		parts[""] = nil
	}
	for _, s := range list {
		if within(&rule.Scope, s.labels) {
			parts[s.labels[rule.Each]] = append(parts[s.labels[rule.Each]], s)
		}
	}
	out := map[string]measure{}
	for group, of := range parts {
		if (group != "" || rule.Each == "") && len(out) < mostGroups {
			out[group] = f.measure(name, of)
		}
	}
	return out
}

// within tells whether a series is of what a scope narrows to.
func within(s *Scope, labels map[string]string) bool {
	for name, value := range s.labels() {
		have, ok := labels[name]
		if name == "provider" && !ok { // a breaker has its target alone
			have = providerOf(labels["target"])
		}
		if have != value {
			return false
		}
	}
	return true
}

func providerOf(target string) string {
	for i := range len(target) {
		if target[i] == '/' {
			return target[:i]
		}
	}
	return target
}

// labelsOf are the labels of a group of a rule: the rule's scope, and the group.
func labelsOf(rule *Rule, group string) map[string]string {
	labels := rule.Scope.labels()
	if rule.Each != "" {
		labels[rule.Each] = group
	}
	return labels
}
