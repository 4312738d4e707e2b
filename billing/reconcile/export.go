package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"sluice/billing"
)

// The figures that are compared, in their order. Tokens are counted as the
// ledger does: input has those read from a cache and written to one in it.
const (
	iInput = iota
	iCachedInput
	iCacheWrite
	iOutput
	iUSD // nanos of a dollar
	nFigures
)

// names are those of the figures, as reports have them.
var names = [nFigures]string{"input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "usd"}

// Figures are what was used of a model in a day.
type Figures [nFigures]int64

func (f *Figures) add(g *Figures) {
	for i, n := range g {
		f[i] += n
	}
}

// Line is what one side says of a model in a day.
type Line struct {
	Day   string // 2026-11-29, in UTC
	Model string // as that side calls it; in parentheses: what is no model, such as (web_search)
	Figures
}

// Export is what a provider says: of tokens or of money, never both.
type Export struct {
	Money bool
	Lines []Line // by day and model

	// First and Last are the days that it covers, both inclusive.
	First, Last time.Time
}

// Parse reads an export of a provider in any form that the package knows.
// Several pages of an API may follow each other. Its errors tell what is wrong
// and where.
func Parse(b []byte) (*Export, error) {
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff")))
	if len(b) == 0 {
		return nil, errors.New("it is empty")
	}
	g := &gathering{lines: map[place]*gathered{}}
	var err error
	if b[0] == '{' || b[0] == '[' {
		err = g.pages(b)
	} else {
		err = g.csv(b)
	}
	if err != nil {
		return nil, err
	}
	return g.export()
}

// place is a day and a model.
type place struct{ day, model string }

// gathered is what an export says of a place. Money is exact until all of it is
// added up, for providers give more decimals than the ledger has.
type gathered struct {
	tokens Figures
	usd    *big.Rat
}

// gathering is an export that is being read.
type gathering struct {
	lines         map[place]*gathered
	money, tokens bool
	first, last   time.Time
}

// covers takes note of a day that the export has.
func (g *gathering) covers(day time.Time) {
	if g.first.IsZero() || day.Before(g.first) {
		g.first = day
	}
	if day.After(g.last) {
		g.last = day
	}
}

func (g *gathering) at(day time.Time, model string) *gathered {
	p := place{day.Format(time.DateOnly), model}
	l := g.lines[p]
	if l == nil {
		l = &gathered{usd: new(big.Rat)}
		g.lines[p] = l
	}
	return l
}

// use adds tokens of a day and model.
func (g *gathering) use(day time.Time, model string, f Figures) error {
	g.tokens = true
	g.covers(day)
	if f == (Figures{}) {
		return nil
	}
	if model == "" {
		return errors.New("the usage is not told by model: export it grouped by model")
	}
	for i, n := range f {
		if n < 0 || n > mostTokens {
			return fmt.Errorf("%s %d is no number of tokens", names[i], n)
		}
	}
	g.at(day, model).tokens.add(&f)
	return nil
}

// mostTokens is the most that one row may have: with it no sum of a file that
// fits into memory overflows.
const mostTokens = 1_000_000_000_000

// pay adds money of a day and model.
func (g *gathering) pay(day time.Time, model string, usd *big.Rat) error {
	g.money = true
	g.covers(day)
	if usd.Sign() == 0 {
		return nil
	}
	if model == "" {
		return errors.New("the costs are not told by model: export them grouped by line item (OpenAI) or description (Anthropic)")
	}
	l := g.at(day, model)
	l.usd.Add(l.usd, usd)
	return nil
}

func (g *gathering) export() (*Export, error) {
	switch {
	case g.money && g.tokens:
		return nil, errors.New("usage and costs are in one file: give each its own")
	case !g.money && !g.tokens:
		return nil, errors.New("it holds neither usage nor costs")
	}
	e := &Export{Money: g.money, First: g.first, Last: g.last, Lines: make([]Line, 0, len(g.lines))}
	for p, l := range g.lines {
		line := Line{Day: p.day, Model: p.model, Figures: l.tokens}
		n, err := nano(l.usd)
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", p.model, p.day, err)
		}
		line.Figures[iUSD] = int64(n)
		e.Lines = append(e.Lines, line)
	}
	slices.SortFunc(e.Lines, func(a, b Line) int {
		if c := strings.Compare(a.Day, b.Day); c != 0 {
			return c
		}
		return strings.Compare(a.Model, b.Model)
	})
	return e, nil
}

// amount reads a decimal number exactly, such as 0.06, 1e-05 or
// 0.003835980000000000000000000000.
func amount(s string) (*big.Rat, error) {
	s = strings.TrimSpace(s)
	if len(s) > 80 || strings.ContainsAny(s, "/xXpPbBoO_") {
		return nil, fmt.Errorf("%.80q is not an amount", s)
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 && len(strings.TrimLeft(s[i+1:], "+-0")) > 2 {
		return nil, fmt.Errorf("%q is not an amount", s)
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil, fmt.Errorf("%q is not an amount", s)
	}
	return r, nil
}

// nano rounds dollars to the ledger's unit, half away from zero.
func nano(usd *big.Rat) (billing.Nano, error) {
	scaled := new(big.Rat).Mul(usd, new(big.Rat).SetInt64(int64(billing.Dollar)))
	half := big.NewRat(1, 2)
	if scaled.Sign() < 0 {
		half.Neg(half)
	}
	scaled.Add(scaled, half)
	n := new(big.Int).Quo(scaled.Num(), scaled.Denom())
	if !n.IsInt64() {
		return 0, fmt.Errorf("%s is too large an amount", usd.FloatString(2))
	}
	return billing.Nano(n.Int64()), nil
}

// dollars checks that an amount is of dollars; none named is dollars.
func dollars(currency string) error {
	if currency != "" && !strings.EqualFold(currency, "usd") {
		return fmt.Errorf("the currency %.20q is not USD", currency)
	}
	return nil
}
