package alert

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"sluice/billing"
)

// Unit is what a figure is counted in.
type Unit string

// The units.
const (
	Number  Unit = "number"
	Share   Unit = "share" // 0 to 1
	Dollars Unit = "dollars"
	Seconds Unit = "seconds"
)

// Text is a figure for people.
func (u Unit) Text(v float64) string {
	switch u {
	case Share:
		return strconv.FormatFloat(math.Round(v*1e4)/100, 'f', -1, 64) + " %"
	case Dollars:
		return "$" + strconv.FormatFloat(v, 'f', 2, 64)
	case Seconds:
		return time.Duration(v * float64(time.Second)).Round(time.Millisecond).String()
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// Figure is something that a threshold may be set for.
type Figure struct {
	Unit   Unit
	Scopes []string // the words of Each that it may be narrowed to and split by
	Window bool     // it is counted over a time; else it is as it stands now

	sums     func(*billing.Sums) float64 // of the ledger; nil: of this process
	failures bool                        // of the ledger's calls, those with a status of 500 and above
	family   string                      // of this process's metrics
	want     float64                     // of a gauge: series of this value are counted; 0: the values are added up
	least    string                      // of statuses: only those from here on; empty: all
}

func (f *Figure) ofLedger() bool { return f.sums != nil || f.failures }

// measure is a figure, and how many calls it is of.
type measure struct {
	value float64
	of    float64
}

var ofLedger = []string{"team", "key", "model", "provider", "target", "prompt"}

func ledgerFigure(u Unit, sums func(*billing.Sums) float64) *Figure {
	return &Figure{Unit: u, Scopes: ofLedger, Window: true, sums: sums}
}

// Figures are all figures by name. Errors are answers with a status of 400 and
// above, failures those of 500 and above. Those of calls are the ledger's, but for a
// route's and the time to the first byte, which it does not have.
var Figures = map[string]*Figure{
	"calls":         ledgerFigure(Number, func(s *billing.Sums) float64 { return float64(s.Calls) }),
	"errors":        ledgerFigure(Number, func(s *billing.Sums) float64 { return float64(s.Errors) }),
	"error_share":   ledgerFigure(Share, func(s *billing.Sums) float64 { return part(s.Errors, s.Calls) }),
	"failures":      {Unit: Number, Scopes: ofLedger, Window: true, failures: true},
	"failure_share": {Unit: Share, Scopes: ofLedger, Window: true, failures: true},
	"refused":       ledgerFigure(Number, func(s *billing.Sums) float64 { return float64(s.Refused) }),
	"refused_share": ledgerFigure(Share, func(s *billing.Sums) float64 { return part(s.Refused, s.Calls+s.Refused) }),
	"cost":          ledgerFigure(Dollars, func(s *billing.Sums) float64 { return float64(s.USD) / float64(billing.Dollar) }),
	"tokens":        ledgerFigure(Number, func(s *billing.Sums) float64 { return float64(s.InputTokens + s.OutputTokens) }),
	"latency_p50":   ledgerFigure(Seconds, func(s *billing.Sums) float64 { return float64(s.LatencyP50MS) / 1000 }),
	"latency_p95":   ledgerFigure(Seconds, func(s *billing.Sums) float64 { return float64(s.LatencyP95MS) / 1000 }),

	"ttft_p95": {Unit: Seconds, Scopes: []string{"provider", "target"}, Window: true, family: "sluice_ttft_seconds"},

	"breakers_open":  {Unit: Number, Scopes: []string{"target"}, family: "sluice_breaker_state", want: 2},
	"keys_cooling":   {Unit: Number, Scopes: []string{"provider"}, family: "sluice_key_cooling"},
	"queue_waiting":  {Unit: Number, Scopes: []string{"model"}, family: "sluice_queue_waiting"},
	"spool_records":  {Unit: Number, family: "sluice_spool_records"},
	"store_down":     {Unit: Number, family: "sluice_spool_store_down"},
	"log_dropped":    {Unit: Number, Window: true, family: "sluice_log_dropped_total"},
	"spool_failures": {Unit: Number, Window: true, family: "sluice_spool_failures_total"},
}

// routeFigures are those of a route, which have names of Figures.
var routeFigures = map[string]*Figure{
	"calls":         {Unit: Number, Window: true, family: "sluice_route_requests_total"},
	"errors":        {Unit: Number, Window: true, family: "sluice_route_requests_total", least: "4"},
	"error_share":   {Unit: Share, Window: true, family: "sluice_route_requests_total", least: "4"},
	"failures":      {Unit: Number, Window: true, family: "sluice_route_requests_total", least: "5"},
	"failure_share": {Unit: Share, Window: true, family: "sluice_route_requests_total", least: "5"},
	"latency_p50":   {Unit: Seconds, Window: true, family: "sluice_route_duration_seconds"},
	"latency_p95":   {Unit: Seconds, Window: true, family: "sluice_route_duration_seconds"},
}

// FigureNames are the names of Figures.
func FigureNames() []string { return slices.Sorted(maps.Keys(Figures)) }

// OfLedger tells whether the figure of a rule is the ledger's: others are known
// since the start of this process only, and for an hour.
func OfLedger(name string, route bool) bool {
	f := Figures[name]
	return f != nil && f.ofLedger() && !route
}

// Longest is the longest time that a figure of this process is counted over.
const Longest = time.Hour

// CheckScope says what is wrong with narrowing a figure to a word of Each.
func CheckScope(name, word string) error {
	f := Figures[name]
	switch {
	case f == nil:
		return nil // said elsewhere
	case word == "route":
		if routeFigures[name] == nil {
			return fmt.Errorf("routes have %s", listText(slices.Sorted(maps.Keys(routeFigures))))
		}
	case len(f.Scopes) == 0:
		return fmt.Errorf("%s is of the whole process", name)
	case !slices.Contains(f.Scopes, word):
		return fmt.Errorf("%s is known by %s", name, listText(f.Scopes))
	}
	return nil
}

func listText(words []string) string {
	out := ""
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			out += " and "
		default:
			out += ", "
		}
		out += w
	}
	return out
}

func part(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// figureOf is the figure of a name that a rule looks at.
func figureOf(rule *Rule, name string) *Figure {
	if rule.ofRoute() {
		return routeFigures[name]
	}
	return Figures[name]
}
