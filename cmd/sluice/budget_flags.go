package main

import (
	"github.com/spf13/cobra"

	"sluice/billing"
)

// budgetFlags are the flags of a team's or key's budget.
type budgetFlags struct {
	usd, per         string
	tokens, requests int64
	hard, carryOver  bool
	warnAt           []float64
	models           []string
	zone             string
	raise, until     string
}

func (b *budgetFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&b.usd, "budget", "", "budget in dollars, such as 20 or 0.5")
	f.Int64Var(&b.tokens, "budget-tokens", 0, "budget in tokens, instead of dollars")
	f.Int64Var(&b.requests, "budget-requests", 0, "budget in requests, instead of dollars")
	f.StringVar(&b.per, "per", "month", "period of the budget: hour, day, week, month, total or 30d")
	f.BoolVar(&b.hard, "hard", true, "refuse what goes beyond the budget; --hard=false only counts")
	f.Float64SliceVar(&b.warnAt, "warn-at", nil, "shares of the budget to warn at, such as 0.8,0.95")
	f.StringSliceVar(&b.models, "budget-models", nil, "patterns of the models that the budget is for (default all)")
	f.BoolVar(&b.carryOver, "carry-over", false, "what is left at the end of a period adds to the next")
	f.StringVar(&b.zone, "time-zone", "", "time zone of the budget's periods, such as Europe/Berlin (default the gateway's)")
	f.StringVar(&b.raise, "raise", "", "raise the budget by so much, until --raise-until; none ends a raise")
	f.StringVar(&b.until, "raise-until", "", "when the raise ends: an RFC 3339 time")
}

// none tells whether the budget is to be taken away.
func (b *budgetFlags) none() bool { return b.usd == "none" }

// amounts are the flags of which one makes a budget.
var amounts = []string{"budget", "budget-tokens", "budget-requests"}

// change puts what the flags say into a budget as the admin API has it; now is
// nil where there is none yet.
func (b *budgetFlags) change(cmd *cobra.Command, now map[string]any) (map[string]any, error) {
	given := cmd.Flags().Changed
	made := now == nil
	if made {
		now = map[string]any{"per": b.per, "hard": b.hard}
	}
	for _, name := range amounts {
		made = made && !given(name)
	}
	if made {
		for _, name := range []string{"per", "hard", "warn-at", "budget-models", "carry-over", "time-zone", "raise"} {
			if given(name) {
				return nil, unusable("--%s needs --budget, for there is none yet", name)
			}
		}
		return nil, nil
	}
	for _, f := range []struct {
		flag, field string
		value       any
	}{{"hard", "hard", b.hard}, {"warn-at", "warn_at", b.warnAt}, {"carry-over", "carry_over", b.carryOver},
		{"budget-models", "models", b.models}, {"time-zone", "time_zone", b.zone}} {
		if given(f.flag) {
			now[f.field] = f.value
		}
	}
	if given("per") {
		per, err := billing.ParsePeriod(b.per)
		if err != nil {
			return nil, unusable("--per: %w", err)
		}
		now["per"] = per
	}
	if err := b.amount(cmd, now); err != nil {
		return nil, err
	}
	return now, b.raised(cmd, now)
}

// amount sets what the budget is of.
func (b *budgetFlags) amount(cmd *cobra.Command, now map[string]any) error {
	set := func(field string, value any) {
		for _, unit := range []string{"usd", "tokens", "requests"} {
			delete(now, unit)
		}
		now[field] = value
	}
	count := 0
	if cmd.Flags().Changed("budget") {
		usd, err := billing.ParseUSD(b.usd)
		if err != nil {
			return unusable("--budget: %w", err)
		}
		set("usd", usd)
		count++
	}
	for flag, n := range map[string]int64{"budget-tokens": b.tokens, "budget-requests": b.requests} {
		if cmd.Flags().Changed(flag) {
			if n <= 0 {
				return unusable("--%s: want a number above 0", flag)
			}
			set(flag[len("budget-"):], n)
			count++
		}
	}
	if count > 1 {
		return unusable("--budget, --budget-tokens and --budget-requests are for one budget each")
	}
	return nil
}

func (b *budgetFlags) raised(cmd *cobra.Command, now map[string]any) error {
	switch {
	case b.raise == "none":
		delete(now, "raise")
	case (b.raise == "") != (b.until == ""):
		return unusable("--raise and --raise-until go together")
	case b.raise != "":
		now["raise"] = map[string]string{"by": b.raise, "until": b.until}
	}
	return nil
}
