package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"sluice/billing"
	"sluice/cmd/sluice/config"
	"sluice/store"
)

// repriced prints what a time would have cost with the prices of a file.
func (r *reporting) repriced(cmd *cobra.Command, from, to string) error {
	if r.with == "" {
		return unusable("--reprice needs --with FILE, which holds the prices")
	}
	if _, err := billing.ParseQuery(from, to, "model", time.Now(), time.UTC); err != nil {
		return unusable("%w", err)
	}
	file, err := config.LoadPrices(r.with)
	if err != nil {
		return unusable("%w", err)
	}
	specs := map[string]map[string]billing.PriceSpec{}
	for provider, models := range file {
		specs[provider] = map[string]billing.PriceSpec{}
		for model, price := range models {
			specs[provider][model] = configPrices(price)
		}
	}
	out, err := r.reprice(cmd.Context(), from, to, specs)
	if err != nil {
		return err
	}
	return out.Render(cmd.OutOrStdout(), r.format)
}

func (r *reporting) reprice(ctx context.Context, from, to string, specs map[string]map[string]billing.PriceSpec) (out *billing.Repriced, err error) {
	if r.direct {
		price, err := billing.PricesOf(specs)
		if err != nil {
			return nil, unusable("%w", err)
		}
		err = r.withLedger(ctx, func(l billing.Ledger, loc *time.Location) error {
			span, err := billing.ParseQuery(from, to, "model", time.Now(), loc)
			if err != nil {
				return err
			}
			out, err = billing.Reprice(ctx, l.(*store.Ledger), span.From, span.To, price)
			return err
		})
		return out, err
	}
	body := map[string]any{"from": from, "to": to, "prices": specs}
	b, err := r.client.call(ctx, http.MethodPost, "usage/reprice", nil, body)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("cannot read the answer: %w", err)
	}
	return out, nil
}
