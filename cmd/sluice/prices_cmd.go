package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sluice/cmd/sluice/config"
	"sluice/providers/catalog"
)

// pricing is the flags of prices.
type pricing struct {
	provider, config string
	check, tolerance string
	json             bool
}

func pricesCommand() *cobra.Command {
	var p pricing
	cmd := &cobra.Command{Use: "prices", Short: "List what models cost, with the source and date of each price, or compare it with a LiteLLM price file", Args: cobra.NoArgs,
		Long: "List what models cost in dollars per million tokens (image and request: dollars each), with the source and date of each price.\n" +
			"A row is a condition: always, above so many input tokens, or in a service tier. With -c the prices of a configuration stand over the catalogue's.\n\n" +
			"--check compares with a LiteLLM price file. Exit code 0: nothing differs by more than --tolerance; 1: something does.",
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			list, err := p.list()
			if err != nil {
				return err
			}
			if p.check != "" {
				return p.compare(cmd, list)
			}
			if p.json {
				b, err := json.Marshal(list)
				if err != nil {
					return err
				}
				return printJSON(cmd.OutOrStdout(), b)
			}
			return printPrices(cmd.OutOrStdout(), list)
		})}
	cmd.AddCommand(pricesSetCommand(), pricesHistoryCommand())
	f := cmd.Flags()
	f.StringVar(&p.provider, "provider", "", "only this provider's")
	f.StringVarP(&p.config, "config", "c", "", "a configuration whose prices stand over the catalogue's")
	f.StringVar(&p.check, "check", "", "compare with this LiteLLM price file")
	f.StringVar(&p.tolerance, "tolerance", "0.01", "for --check: the percentage by which prices may differ")
	f.BoolVar(&p.json, "json", false, "print JSON")
	return cmd
}

// priced is what one model costs.
type priced struct {
	Provider string         `json:"provider"`
	Model    string         `json:"model"` // or the user's pattern
	Mode     string         `json:"mode,omitempty"`
	Prices   catalog.Prices `json:"prices"`
	Source   string         `json:"source"`
	Date     string         `json:"date,omitempty"`
}

// list is every model that has a price: the user's own over the catalogue's.
func (p *pricing) list() ([]priced, error) {
	known := catalog.Load()
	own := map[string]config.Provider{}
	if p.config != "" {
		if err := readable(p.config); err != nil {
			return nil, err
		}
		cfg, err := loadConfig(p.config, "")
		if err != nil {
			return nil, err
		}
		own = cfg.Providers
	}
	names := slices.Collect(maps.Keys(own))
	for _, e := range known.Providers() {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if p.provider != "" {
		if !slices.Contains(names, p.provider) {
			return nil, unusable("neither the catalogue nor a configuration has a provider %q", p.provider)
		}
		names = []string{p.provider}
	}
	var list []priced
	for _, name := range names {
		list = append(list, pricesOf(name, lookUp(known, name, own[name].Kind), own[name].Prices, p.config)...)
	}
	return list, nil
}

// pricesOf are the prices of one provider.
func pricesOf(name string, entry catalog.Provider, own map[string]config.Price, file string) []priced {
	var list []priced
	listed := map[string]bool{}
	for i := range entry.Models {
		m := &entry.Models[i]
		listed[m.ID] = true
		row := priced{name, m.ID, m.Mode, m.Prices, m.Source, m.Date}
		if price, ok := bestPrice(own, m.ID); ok {
			row.Prices, row.Source, row.Date = userPrices(price), file, ""
		}
		if row.Prices.Known() {
			list = append(list, row)
		}
	}
	for _, pattern := range sortedKeys(own) {
		if prices := userPrices(own[pattern]); !listed[pattern] && prices.Known() {
			list = append(list, priced{Provider: name, Model: pattern, Prices: prices, Source: file})
		}
	}
	slices.SortFunc(list, func(a, b priced) int { return strings.Compare(a.Model, b.Model) })
	return list
}

// userPrices are a configuration's prices in the catalogue's form.
func userPrices(p config.Price) catalog.Prices {
	out := catalog.Prices{Input: string(p.Input), Output: string(p.Output), CachedInput: string(p.CachedInput),
		CacheWrite: string(p.CacheWrite), CacheWrite1h: string(p.CacheWrite1h), Reasoning: string(p.Reasoning),
		AudioInput: string(p.AudioInput), AudioOutput: string(p.AudioOutput), Image: string(p.Image), Request: string(p.Request)}
	for size, tier := range p.Above {
		if out.Above == nil {
			out.Above = map[int64]catalog.Prices{}
		}
		out.Above[size] = userPrices(tier)
	}
	for name, tier := range p.Tiers {
		if out.Service == nil {
			out.Service = map[string]catalog.Prices{}
		}
		out.Service[name] = userPrices(tier)
	}
	return out
}

// printPrices prints a row for each condition.
func printPrices(w io.Writer, list []priced) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "PROVIDER\tMODEL\tWHEN\tIN $\tCACHED $\tWRITE $\tWRITE 1H $\tOUT $\tREASONING $\tAUDIO IN $\tAUDIO OUT $\tIMAGE $\tREQUEST $\tSOURCE\tDATE")
	for i := range list {
		r := &list[i]
		conditions(&r.Prices, func(when string, p *catalog.Prices) {
			fmt.Fprintf(tw, "%s\t%s\t%s", r.Provider, r.Model, cmp.Or(when, "always"))
			for _, v := range []string{p.Input, p.CachedInput, p.CacheWrite, p.CacheWrite1h, p.Output, p.Reasoning, p.AudioInput, p.AudioOutput, p.Image, p.Request} {
				fmt.Fprint(tw, "\t", cmp.Or(v, "-"))
			}
			fmt.Fprintf(tw, "\t%s\t%s\n", cmp.Or(r.Source, "-"), cmp.Or(r.Date, "-"))
		})
	}
	return tw.Flush()
}

// conditions tells the prices of every condition: always (""), "above 200000",
// "batch", "batch above 200000".
func conditions(p *catalog.Prices, tell func(when string, p *catalog.Prices)) {
	tell("", p)
	sizes(p, "", tell)
	for _, service := range sortedKeys(p.Service) {
		prices := p.Service[service]
		tell(service, &prices)
		sizes(&prices, service+" ", tell)
	}
}

func sizes(p *catalog.Prices, before string, tell func(when string, p *catalog.Prices)) {
	for _, size := range slices.Sorted(maps.Keys(p.Above)) {
		tier := p.Above[size]
		tell(before+"above "+strconv.FormatInt(size, 10), &tier)
	}
}
