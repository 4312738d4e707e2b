package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"sluice/billing"
)

// priceFlags are a price's fields by their flags.
var priceFlags = []struct{ flag, field, help string }{
	{"input", "input", "of input"}, {"output", "output", "of output"}, {"cached-input", "cached_input", "read from the provider's cache"},
	{"cache-write", "cache_write", "written to it"}, {"cache-write-1h", "cache_write_1h", "written to it for an hour"},
	{"reasoning", "reasoning", "of reasoning"}, {"audio-input", "audio_input", "of sound heard"}, {"audio-output", "audio_output", "of sound made"},
	{"image", "image", "a picture made"}, {"request", "request", "a request"},
}

func pricesSetCommand() *cobra.Command {
	var c adminClient
	var from, source, prices string
	var end bool
	values := make([]string, len(priceFlags))
	cmd := &cobra.Command{Use: "set PROVIDER/MODEL", Short: "Set what a model costs from a time on, in a running gateway", Args: cobra.ExactArgs(1),
		Long: "Set what a model, or a pattern such as openai/gpt-5*, costs from a time on: dollars per million tokens, image and request dollars each.\n" +
			"What is set counts over the configuration's and the catalogue's prices, whole: what no flag states is not stated. Calls before that time keep\n" +
			"what they cost. --end takes what was set back: from then on the configuration's price counts again, or the catalogue's.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			provider, model, ok := strings.Cut(args[0], "/")
			if !ok || provider == "" || model == "" {
				return unusable("%q is not PROVIDER/MODEL", args[0])
			}
			spec := map[string]any{}
			for i, f := range priceFlags {
				if !cmd.Flags().Changed(f.flag) {
					continue
				}
				if n, err := billing.ParseUSD(values[i]); err != nil || n < 0 {
					return unusable("--%s %q is not an amount of dollars such as 0.15", f.flag, values[i])
				}
				spec[f.field] = values[i]
			}
			body := map[string]any{"provider": provider, "model": model, "from": from, "source": source, "prices": spec}
			switch {
			case end && (len(spec) > 0 || prices != ""):
				return unusable("--end takes no price")
			case end:
				body["prices"] = nil
			case prices != "" && len(spec) > 0:
				return unusable("--prices stands alone: it holds every price")
			case prices != "":
				parsed, err := jsonArgument(prices)
				if err != nil {
					return unusable("--prices: %w", err)
				}
				body["prices"] = parsed
			case len(spec) == 0:
				return unusable("no price: give --input, --output and so on, --prices, or --end")
			}
			b, err := c.call(cmd.Context(), http.MethodPost, "prices", nil, body)
			if err != nil {
				return err
			}
			return printFields(cmd.OutOrStdout(), b, c.json)
		})}
	c.flags(cmd)
	f := cmd.Flags()
	for i, p := range priceFlags {
		f.StringVar(&values[i], p.flag, "", "dollars "+p.help)
	}
	f.StringVar(&prices, "prices", "", `all prices as JSON, with above and tiers as in the configuration, or @FILE that holds it`)
	f.StringVar(&from, "from", "", "when it begins to count: a date (UTC) or an RFC 3339 time (default now)")
	f.StringVar(&source, "source", "", "where the price is from, such as a page and its day")
	f.BoolVar(&end, "end", false, "take back what was set")
	return cmd
}

// jsonArgument is JSON, or @FILE that holds it.
func jsonArgument(text string) (any, error) {
	raw := []byte(text)
	if name, ok := strings.CutPrefix(text, "@"); ok {
		var err error
		if raw, err = os.ReadFile(name); err != nil {
			return nil, err
		}
	}
	if !gjson.ValidBytes(raw) || !gjson.ParseBytes(raw).IsObject() {
		return nil, fmt.Errorf("it is not a JSON object")
	}
	return rawJSON(raw), nil
}

// rawJSON is JSON that stands as it came.
type rawJSON []byte

// MarshalJSON is json.Marshaler's.
func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

func pricesHistoryCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "history [PROVIDER/MODEL]", Short: "List the prices that were set, from when each counts, and where it is from", Args: cobra.MaximumNArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			query := url.Values{}
			if len(args) > 0 {
				provider, model, _ := strings.Cut(args[0], "/")
				query.Set("provider", provider)
				if model != "" {
					query.Set("model", model)
				}
			}
			b, err := c.call(cmd.Context(), http.MethodGet, "prices", query, nil)
			if err != nil {
				return err
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), b)
			}
			tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(tw, "MODEL\tFROM\tSTATE\tPRICES $\tVERSION\tSOURCE\tSET")
			for _, p := range gjson.GetBytes(b, "data").Array() {
				prices := "ended"
				if p.Get("prices").IsObject() {
					prices = strings.NewReplacer(`"`, "", "{", "", "}", "", ":", " ", ",", ", ").Replace(p.Get("prices|@ugly").Raw)
				}
				fmt.Fprintf(tw, "%s/%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Get("provider"), p.Get("model"), p.Get("from"), p.Get("state"), prices,
					cell(p.Get("version")), cell(p.Get("source")), p.Get("set"))
			}
			return tw.Flush()
		})}
	c.flags(cmd)
	return cmd
}
