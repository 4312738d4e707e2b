package main

import (
	"fmt"
	"math/big"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sluice/providers/catalog"
)

// compare prints where our prices and those of a LiteLLM file are apart.
func (p *pricing) compare(cmd *cobra.Command, list []priced) error {
	tolerance, err := decimalOf(p.tolerance)
	if err != nil || tolerance.Sign() < 0 {
		return unusable("--tolerance %q is not a percentage such as 0.5", p.tolerance)
	}
	theirs, err := readLiteLLM(p.check)
	if err != nil {
		return unusable("%w", err)
	}
	ours := map[string]*priced{}
	for i := range list {
		ours[list[i].Provider+"/"+list[i].Model] = &list[i]
	}
	apart := []difference{}
	models, prices, unknown := 0, 0, 0
	for i := range theirs {
		t := &theirs[i]
		mine := ours[t.provider+"/"+t.model]
		if mine == nil {
			unknown++
			continue
		}
		models++
		prices += len(t.prices)
		apart = append(apart, differences(mine, t, tolerance)...)
	}
	if err := p.printDifferences(cmd, apart); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%d prices of %d models compared, %d differ by more than %s %%; %d entries of %s have no counterpart here\n",
		prices, models, len(apart), p.tolerance, unknown, p.check)
	if len(apart) > 0 {
		return &failure{err: fmt.Errorf("%d prices differ", len(apart)), code: 1, said: true}
	}
	return nil
}

// difference is one price that is not the same.
type difference struct {
	model, field string
	ours, theirs *big.Rat // ours nil: we have none
	ourSource    string
}

// differences compares the prices that an entry of theirs states.
func differences(mine *priced, t *litellm, tolerance *big.Rat) (apart []difference) {
	for _, field := range sortedKeys(t.prices) {
		want := t.prices[field]
		got, err := decimalOf(effective(&mine.Prices, field))
		if err != nil {
			got = nil
		}
		if got == nil && want.Sign() == 0 || got != nil && within(got, want, tolerance) {
			continue
		}
		apart = append(apart, difference{mine.Provider + "/" + mine.Model, field, got, want, strings.TrimSpace(mine.Source + " " + mine.Date)})
	}
	return apart
}

// within tells whether two prices differ by no more than a percentage of theirs.
func within(ours, theirs, tolerance *big.Rat) bool {
	off := new(big.Rat).Sub(ours, theirs)
	most := new(big.Rat).Mul(theirs, tolerance)
	most.Quo(most, big.NewRat(100, 1))
	return off.Abs(off).Cmp(most) <= 0
}

func (p *pricing) printDifferences(cmd *cobra.Command, apart []difference) error {
	if len(apart) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "MODEL\tFIELD\tOURS $\tTHEIRS $\tDIFFERENCE\tOUR SOURCE")
	for _, d := range apart {
		ours, off := "-", "-"
		if d.ours != nil {
			ours, off = shortDecimal(d.ours), percent(d.ours, d.theirs)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", d.model, d.field, ours, shortDecimal(d.theirs), off, d.ourSource)
	}
	return tw.Flush()
}

// percent is how much more, or less, ours is than theirs.
func percent(ours, theirs *big.Rat) string {
	if theirs.Sign() == 0 {
		return "+" + shortDecimal(ours)
	}
	off := new(big.Rat).Sub(ours, theirs)
	off.Quo(off, theirs).Mul(off, big.NewRat(100, 1))
	sign := ""
	if off.Sign() > 0 {
		sign = "+"
	}
	return sign + off.FloatString(2) + " %"
}

func shortDecimal(r *big.Rat) string {
	return strings.TrimSuffix(strings.TrimRight(r.FloatString(9), "0"), ".")
}

// decimalOf reads a decimal number, also such as 1e-06, exactly. A length or an
// exponent that no price has is an error: the number would fill the memory.
func decimalOf(text string) (*big.Rat, error) {
	text = strings.TrimSpace(text)
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok && len(strings.TrimLeft(exponent, "+-0")) > 2 || len(text) > 60 || strings.ContainsAny(text, "/xXpPbBoO_") {
		return nil, fmt.Errorf("%.60q is not a decimal number", text)
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, fmt.Errorf("%.60q is not a decimal number", text)
	}
	return r, nil
}

// standIn is the price that counts where one is not stated, as when a call is
// charged.
var standIn = map[string]string{
	"cached_input": "input", "cache_write": "input", "cache_write_1h": "cache_write", "audio_input": "input",
	"reasoning": "output", "audio_output": "output",
}

// effective is the price of a field such as input, above.200000.output,
// batch.input or priority.above.200000.input; empty: there is none.
func effective(p *catalog.Prices, field string) string {
	tiers, name := []*catalog.Prices{p}, field
	if service, rest, ok := strings.Cut(field, "."); ok && service != "above" {
		name = rest
		if prices, has := p.Service[service]; has {
			tiers = []*catalog.Prices{&prices, p}
		}
	}
	if rest, ok := strings.CutPrefix(name, "above."); ok {
		var size int64
		if _, err := fmt.Sscanf(rest, "%d.", &size); err != nil {
			return ""
		}
		_, name, _ = strings.Cut(rest, ".")
		var longer []*catalog.Prices
		for _, t := range tiers {
			if above, has := t.Above[size]; has {
				longer = append(longer, &above)
			}
			longer = append(longer, t)
		}
		tiers = longer
	}
	for ; name != ""; name = standIn[name] {
		for _, t := range tiers {
			if price := t.Field(name); price != "" {
				return price
			}
		}
	}
	return ""
}
