package billing

import (
	"errors"
	"slices"
	"strings"
	"sync"
)

// PPM is a share in millionths.
type PPM int64

// Whole is all of something.
const Whole PPM = 1_000_000

// largestPercent bounds a margin, so that no sum overflows.
const largestPercent = 100_000

var errPercent = errors.New("want a percentage such as 12.5%, of at most four decimals")

// ParsePercent reads a percentage, exactly: 12.5% is 125,000 millionths. It is
// not negative and at most 100,000 %.
func ParsePercent(text string) (PPM, error) {
	number, ok := strings.CutSuffix(strings.TrimSpace(text), "%")
	n, err := ParseUSD(strings.TrimSpace(number)) // a decimal of nine places
	const perPPM = Nano(100_000)
	if !ok || err != nil || n < 0 || n > largestPercent*Dollar || n%perPPM != 0 {
		return 0, errPercent
	}
	return PPM(n / perPPM), nil
}

// String is the percentage.
func (p PPM) String() string { return (Nano(p) * 100_000).String() + "%" }

// Of is that share of an amount that is not negative, rounded half up.
func (p PPM) Of(n Nano) Nano {
	var w wide
	w.product(int64(max(n, 0)), int64(max(p, 0)))
	w.product(int64(Whole)/2, 1)
	return Nano(w.div(int64(Whole)))
}

// Scaled is prices at a share of each: 900,000 millionths are a discount of a
// tenth, 1,050,000 a margin of five hundredths. A cost is rounded once, after
// it was scaled. Their
// version is the prices' own, and the share. What has no price has none scaled.
func (p *Prices) Scaled(share PPM) *Prices {
	if p == nil || share == Whole {
		return p
	}
	q := *p
	q.scale, q.scaled = share, true
	q.Version = p.Version + "*" + share.String()
	if p.usual != nil {
		part := func(of *Prices) *Prices {
			one := *of
			one.scale, one.scaled, one.Version = q.scale, true, q.Version
			return &one
		}
		q.usual, q.asked = part(p.usual), make([]*Prices, len(p.asked))
		for i := range p.asked {
			q.asked[i] = part(p.asked[i])
		}
	}
	return &q
}

// Rate is what a team is charged for the models that a pattern fits: its own
// prices, or where those are nil a share of the provider's.
type Rate struct {
	Pattern string // of a name under models:, of provider/model, or of the model alone
	Own     *Prices
	Share   PPM
}

// Rates are those of a team. They never change, and any number of goroutines
// may use them; nil rates charge what the provider does.
type Rates struct{ list []*rate }

type rate struct {
	Rate
	scaled sync.Map // of the provider's *Prices to those scaled; as many as there are prices
}

// NewRates sorts rates by how close they are: a whole name before patterns,
// longer patterns before shorter ones.
func NewRates(list []Rate) *Rates {
	r := &Rates{}
	for _, one := range list {
		r.list = append(r.list, &rate{Rate: one})
	}
	slices.SortFunc(r.list, func(a, b *rate) int {
		if closer(a.Pattern, b.Pattern) {
			return -1
		}
		return 1
	})
	return r
}

// Of is what is charged for a model that has these names and the provider's
// prices, by the closest rate; without one that is what the provider charges.
func (r *Rates) Of(p *Prices, names ...string) *Prices {
	if r == nil {
		return p
	}
	for _, one := range r.list {
		if !slices.ContainsFunc(names, func(name string) bool { return nameFits(one.Pattern, name) }) {
			continue
		}
		if one.Own != nil || p == nil {
			return one.Own
		}
		if scaled, ok := one.scaled.Load(p); ok {
			return scaled.(*Prices)
		}
		scaled, _ := one.scaled.LoadOrStore(p, p.Scaled(one.Share))
		return scaled.(*Prices)
	}
	return p
}
