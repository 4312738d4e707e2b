package billing

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Restore fills the budgets that the last Rebuild made, and that are not filled
// yet, with what the ledger says was spent since their windows began. Call it
// after every Rebuild and before the view is used, when everything spooled is
// in the ledger (Spool.Flush). What calls settle meanwhile is counted too, at
// worst twice, so that the budget is never passed. On an error, the budgets
// that it did not come to stay unfilled, and the next Restore takes them up.
func (b *Book) Restore(ctx context.Context, ledger Ledger) error {
	b.mu.Lock()
	view := b.latest
	b.mu.Unlock()
	for o := range view.All() {
		for i := range o.links {
			l := &o.links[i]
			if l.owner != o || l.budget == nil {
				continue
			}
			r := restoration{book: b, ledger: ledger, view: view, owner: o, account: l.account, meter: l.meter}
			if err := r.run(ctx); err != nil {
				return fmt.Errorf("cannot restore the budget of %v: %w", o.ownerName(), err)
			}
		}
	}
	return nil
}

// Restored tells whether Restore has nothing to do: then the ledger is not
// needed, and may be down.
func (b *Book) Restored() bool {
	b.mu.Lock()
	view := b.latest
	b.mu.Unlock()
	for o := range view.All() {
		for i := range o.links {
			if l := &o.links[i]; l.owner == o && l.budget != nil && !l.filled() {
				return false
			}
		}
	}
	return true
}

// filled tells whether the link's meter has what the ledger knows.
func (l *link) filled() bool {
	l.account.mu.Lock()
	defer l.account.mu.Unlock()
	return l.meter.restored
}

// below lists the teams whose spending counts for a team: itself and all its
// descendants; none for a key.
func (v *Owners) below(o *Owner) []string {
	if o.Key != nil {
		return nil
	}
	var names []string
	for name, t := range v.teams {
		for at := t; at != nil; at = at.parent {
			if at == o {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// restoration fills one meter.
type restoration struct {
	book    *Book
	ledger  Ledger
	view    *Owners
	owner   *Owner
	teams   []string // whose spending counts; none: it is a key
	account *account
	meter   *meter
}

func (r *restoration) run(ctx context.Context) error {
	m := r.meter
	r.account.mu.Lock()
	done := m.restored
	if !done {
		m.roll(r.book.now(), r.book.loc)
		m.empty()
	}
	start, since := m.start(), m.since
	r.account.mu.Unlock()
	if done {
		return nil
	}
	r.teams = r.view.below(r.owner)
	if m.hours != nil {
		return r.hours(ctx, hourOf(start))
	}
	spent, err := r.spent(ctx, start)
	if err != nil {
		return err
	}
	r.account.mu.Lock()
	defer r.account.mu.Unlock()
	if m.since == since { // else the window has ended meanwhile
		m.spent += spent
	}
	m.restored = true
	return nil
}

// spent is what the ledger has since a time; zero: of all time.
func (r *restoration) spent(ctx context.Context, since time.Time) (Nano, error) {
	var sum Nano
	if key := r.owner.Key; key != nil {
		for _, id := range append([]string{key.account()}, r.view.rotated[key.account()]...) {
			n, err := r.ledger.Spent(ctx, "", id, since)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	for _, team := range r.teams {
		n, err := r.ledger.Spent(ctx, team, "", since)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// hours fills a rolling meter hour by hour.
func (r *restoration) hours(ctx context.Context, first int64) error {
	sums, err := r.hourly(ctx, first)
	if err != nil {
		return err
	}
	m := r.meter
	r.account.mu.Lock()
	defer r.account.mu.Unlock()
	for hour, spent := range sums {
		if hour >= m.oldest() && hour <= m.hour {
			*m.slot(hour) += spent
			m.spent += spent
		}
	}
	m.restored = true
	return nil
}

// HourlyLedger is a Ledger that tells what was spent in each hour (since 1970)
// from a time on. Of one that cannot, rolling budgets are restored with many
// more questions.
type HourlyLedger interface {
	SpentByHour(ctx context.Context, team, keyID string, from time.Time) (map[int64]Nano, error)
}

// hourly is what was spent in each hour from first on.
func (r *restoration) hourly(ctx context.Context, first int64) (map[int64]Nano, error) {
	sums, from := map[int64]Nano{}, time.Unix(first*3600, 0).UTC()
	l, ok := r.ledger.(HourlyLedger)
	if !ok {
		// It only tells what was spent since a time: a span of hours is halved
		// until nothing was spent in it or it is one hour.
		all, err := r.spent(ctx, from)
		if err != nil {
			return nil, err
		}
		return sums, r.halve(ctx, span{first, first + int64(len(r.meter.hours)), all, 0}, sums)
	}
	add := func(team, keyID string) error {
		hours, err := l.SpentByHour(ctx, team, keyID, from)
		for hour, spent := range hours {
			sums[hour] += spent
		}
		return err
	}
	if key := r.owner.Key; key != nil {
		for _, id := range append([]string{key.account()}, r.view.rotated[key.account()]...) {
			if err := add("", id); err != nil {
				return nil, err
			}
		}
	}
	for _, team := range r.teams {
		if err := add(team, ""); err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// span is the hours from first to before end, with what was spent since each.
type span struct {
	first, end           int64
	sinceFirst, sinceEnd Nano
}

func (r *restoration) halve(ctx context.Context, s span, sums map[int64]Nano) error {
	if s.sinceFirst <= s.sinceEnd {
		return nil
	}
	if s.end-s.first == 1 {
		sums[s.first] = s.sinceFirst - s.sinceEnd
		return nil
	}
	middle := (s.first + s.end) / 2
	since, err := r.spent(ctx, time.Unix(middle*3600, 0).UTC())
	if err != nil {
		return err
	}
	if err := r.halve(ctx, span{s.first, middle, s.sinceFirst, since}, sums); err != nil {
		return err
	}
	return r.halve(ctx, span{middle, s.end, since, s.sinceEnd}, sums)
}
