package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// SetPrice is a price that was set while the gateway runs: it counts for calls
// from a time on, over what the file and the catalogue say, until another one
// for the same name does.
type SetPrice struct {
	ID       int64 // in the order in which they were set; 0: not stored yet
	Provider string
	Model    string     // or a pattern with *
	Prices   *PriceSpec // nil: from then on none is set, and the file or the catalogue counts again
	From     time.Time
	Source   string // where the price is from, in the words of whoever set it
	Set      time.Time
}

// PriceStore keeps the prices that were set. None is ever changed.
type PriceStore interface {
	// SetPrice adds a price, and gives it its ID.
	SetPrice(ctx context.Context, p SetPrice) (int64, error)
	// SetPrices lists all of them, in the order in which they were set.
	SetPrices(ctx context.Context) ([]SetPrice, error)
}

// Dated is the price of a model from a time on.
type Dated struct {
	From   time.Time
	Prices *Prices // nil: none is set
}

// Schedule is the prices that were set for one provider's models, ready to look
// up. It never changes; a nil one is empty.
type Schedule struct{ list []scheduled }

type scheduled struct {
	SetPrice
	ready *Prices
}

// NewSchedule reads the prices of a provider among all that were set.
func NewSchedule(provider string, all []SetPrice) (*Schedule, error) {
	s := &Schedule{}
	for _, p := range all {
		if p.Provider != provider {
			continue
		}
		one := scheduled{SetPrice: p}
		if p.Prices != nil {
			var err error
			if one.ready, err = ParsePrices(*p.Prices); err != nil {
				return nil, fmt.Errorf("price %d, set for %s/%s: %w", p.ID, p.Provider, p.Model, err)
			}
			if one.ready != nil {
				one.ready.Source = "set"
			}
		}
		s.list = append(s.list, one)
	}
	slices.SortStableFunc(s.list, func(a, b scheduled) int { // the later set of two from one time counts
		return a.From.Compare(b.From)
	})
	return s, nil
}

// Names are the models, and patterns, that prices were set for.
func (s *Schedule) Names() []string {
	var names []string
	if s != nil {
		for i := range s.list {
			names = append(names, s.list[i].Model)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// For is what a model costs from which time on, oldest first. At any time that
// is what was set for its own name, else for the longest pattern that fits.
func (s *Schedule) For(model string) []Dated {
	if s == nil {
		return nil
	}
	var out []Dated
	now := map[string]*scheduled{} // by name, at the time that the walk has come to
	for i := range s.list {
		p := &s.list[i]
		if !nameFits(p.Model, model) {
			continue
		}
		now[p.Model] = p
		var best *scheduled
		for _, one := range now {
			if one.ready != nil && (best == nil || closer(one.Model, best.Model)) {
				best = one
			}
		}
		d := Dated{From: p.From}
		if best != nil {
			d.Prices = best.ready
		}
		if n := len(out); n > 0 && out[n-1].From.Equal(d.From) {
			out[n-1] = d
		} else {
			out = append(out, d)
		}
	}
	return out
}

func nameFits(name, model string) bool {
	return name == model || strings.Contains(name, "*") && matchGlob(name, model)
}

// closer tells whether one of two names that fit a model is the closer one.
func closer(a, b string) bool {
	if exact := !strings.Contains(a, "*"); exact != !strings.Contains(b, "*") {
		return exact
	}
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	return a < b
}

// UnmarshalJSON reads prices whose numbers may be written as JSON numbers or as
// strings. A name that is none of a price's is an error.
func (s *PriceSpec) UnmarshalJSON(raw []byte) error { return s.read(raw, 0) }

// read reads prices at a depth: those of a size in a service tier are the
// deepest.
func (s *PriceSpec) read(raw []byte, depth int) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return fmt.Errorf("prices want a JSON object of input, output and so on")
	}
	var out PriceSpec
	texts := out.pointers()
	for name, v := range fields {
		switch k := slices.Index(kindNames[:], name); {
		case name == "above":
			if err := readSpecs(v, &out.Above, depth); err != nil {
				return fmt.Errorf("price above: %w", err)
			}
		case name == "tiers":
			if err := readSpecs(v, &out.Tiers, depth); err != nil {
				return fmt.Errorf("price tiers: %w", err)
			}
		case k < 0:
			return fmt.Errorf("price %.40q is not known: want %s, above or tiers", name, strings.Join(kindNames[:], ", "))
		default:
			text, err := decimalText(v)
			if err != nil {
				return fmt.Errorf("price %s: %w", name, err)
			}
			*texts[k] = text
		}
	}
	*s = out
	return nil
}

// readSpecs reads prices by size or by service tier.
func readSpecs[K comparable](raw []byte, into *map[K]PriceSpec, depth int) error {
	var values map[K]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return fmt.Errorf("want a JSON object of prices")
	}
	if depth == 2 && len(values) > 0 {
		return fmt.Errorf("sizes and service tiers stand too deep in each other")
	}
	if values == nil {
		return nil
	}
	*into = make(map[K]PriceSpec, len(values))
	for key, v := range values {
		var s PriceSpec
		if err := s.read(v, depth+1); err != nil {
			return fmt.Errorf("%v: %w", key, err)
		}
		(*into)[key] = s
	}
	return nil
}

// decimalText is a number as it is written.
func decimalText(v json.RawMessage) (text string, err error) {
	switch {
	case string(v) == "null":
		return "", nil
	case len(v) > 0 && v[0] == '"':
		err = json.Unmarshal(v, &text)
		return text, err
	case len(v) > 0 && (v[0] == '-' || v[0] >= '0' && v[0] <= '9'):
		return string(v), nil
	}
	return "", fmt.Errorf("want a number of dollars")
}

func (s *PriceSpec) pointers() [kinds]*string {
	return [kinds]*string{&s.Input, &s.CachedInput, &s.CacheWrite, &s.CacheWrite1h, &s.AudioInput,
		&s.Output, &s.Reasoning, &s.AudioOutput, &s.Image, &s.Request}
}
