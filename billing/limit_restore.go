package billing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RestoreLimits fills the windows of a day that the last Rebuild made, and that
// are not filled yet, with what the ledger has of the last 24 hours: a limit of
// a day outlives a restart. Call it like Restore. The ledger tells it by the
// hour, of which all counts as used at its end, so that no window ever holds
// more than the limit. What was refused does not count.
func (b *Book) RestoreLimits(ctx context.Context, ledger Ledger) error {
	now := b.now()
	byDimension := map[string][]dayUse{}
	for o := range b.unfilled() {
		dimension, values := b.usage(o)
		byDimension[dimension] = append(byDimension[dimension], dayUse{o.ownLimiter(), values})
	}
	for dimension, owners := range byDimension {
		since := now.Add(-time.Duration(daySpan.width*daySpan.slots) * time.Second)
		report, err := ledger.Usage(ctx, Query{From: since, To: now.Add(time.Hour), GroupBy: []string{dimension, "hour"}, Location: time.UTC})
		if err != nil {
			return err
		}
		hours, err := usedByHour(report.Rows)
		if err != nil {
			return err
		}
		for _, d := range owners {
			d.limiter.fill(d.of(hours), now, b.steady(now))
		}
	}
	return nil
}

// LimitsRestored tells whether RestoreLimits has nothing to do.
func (b *Book) LimitsRestored() bool {
	for range b.unfilled() {
		return false
	}
	return true
}

// unfilled goes through the owners with a limit of a day whose window is not
// filled.
func (b *Book) unfilled() func(yield func(*Owner) bool) {
	b.mu.Lock()
	view := b.latest
	b.mu.Unlock()
	return func(yield func(*Owner) bool) {
		for _, owners := range [...]map[string]*Owner{view.teams, view.keys} {
			for _, o := range owners {
				if o.unfilled() && !yield(o) {
					return
				}
			}
		}
	}
}

func (o *Owner) unfilled() bool {
	limits := o.OwnLimits()
	if limits == nil || limits.RPD == 0 && limits.TPD == 0 {
		return false
	}
	l := o.ownLimiter()
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.day().filled
}

// ownLimiter is that of an owner with limits of its own.
func (o *Owner) ownLimiter() *limiter {
	i := slices.IndexFunc(o.limits, func(l limitLink) bool { return l.owner == o })
	return o.limits[i].limiter
}

// usage is what the ledger calls an owner's calls: the values of a dimension.
func (b *Book) usage(o *Owner) (dimension string, values []string) {
	if o.Key != nil {
		return "key", []string{o.Name}
	}
	if what, name, ok := strings.Cut(o.Name, " "); ok { // model, provider or prompt
		return what, []string{name}
	}
	return "team", b.latest.below(o)
}

// dayUse is an account whose day is to be filled.
type dayUse struct {
	limiter *limiter
	values  []string
}

// usedIn is what was used in the hour from a time on.
type usedIn struct {
	from time.Time
	use
}

// usedByHour is what each value of the first column used.
func usedByHour(rows []Row) (map[string][]usedIn, error) {
	hours := map[string][]usedIn{}
	for i := range rows {
		r := &rows[i]
		from, err := time.Parse(time.RFC3339, r.Values[1])
		if err != nil {
			return nil, fmt.Errorf("the ledger has an hour %q: %w", r.Values[1], err)
		}
		hours[r.Values[0]] = append(hours[r.Values[0]], usedIn{from, use{r.Calls, r.InputTokens, r.OutputTokens}})
	}
	return hours, nil
}

// of is what the account's own values used, the oldest first.
func (d *dayUse) of(hours map[string][]usedIn) []usedIn {
	var own []usedIn
	for _, v := range d.values {
		own = append(own, hours[v]...)
	}
	slices.SortFunc(own, func(a, b usedIn) int { return cmp.Or(a.from.Compare(b.from), cmp.Compare(a.requests, b.requests)) })
	return own
}

// fill puts what the ledger has before what the window has counted by now, at a
// time of the Book's steady clock.
func (l *limiter) fill(hours []usedIn, now time.Time, at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	day := l.day()
	if day.filled {
		return
	}
	counted := day.window
	day.window = window{span: &daySpan}
	var last int64
	for _, h := range hours {
		last = (at - int64(max(now.Sub(h.from.Add(time.Hour)), 0))) / 1e9
		day.add(last, h.use)
	}
	for i := range counted.n {
		s := counted.nth(i)
		last = max(last, s.at*daySpan.width)
		day.add(last, s.use)
	}
	day.filled = true
}
