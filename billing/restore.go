package billing

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
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
	for b := range view.ownBudgets() {
		r := restoration{book: b.book, ledger: ledger, view: view, budgetLink: b.budgetLink, account: b.account}
		if err := r.run(ctx); err != nil {
			return fmt.Errorf("cannot restore the budget of %v: %w", b.owner.ownerName(), err)
		}
	}
	return b.fillPeople(ctx, ledger, view)
}

// Restored tells whether Restore has nothing to do: then the ledger is not
// needed, and may be down.
func (b *Book) Restored() bool {
	b.mu.Lock()
	view := b.latest
	b.mu.Unlock()
	for own := range view.ownBudgets() {
		if !own.filled() {
			return false
		}
	}
	missing, _ := b.unfilledPeople(view)
	return len(missing) == 0
}

// ownBudget is a budget, where its owner has it.
type ownBudget struct {
	*budgetLink
	account *account
	book    *Book
}

// ownBudgets goes through the budgets of all teams and keys.
func (v *Owners) ownBudgets() iter.Seq[ownBudget] {
	return func(yield func(ownBudget) bool) {
		for o := range v.All() {
			for i := range o.links {
				l := &o.links[i]
				if l.owner != o.self() {
					continue
				}
				for j := range l.budgets {
					if !yield(ownBudget{&l.budgets[j], l.account, o.book}) {
						return
					}
				}
			}
		}
	}
}

// filled tells whether the meter has what the ledger knows.
func (b *ownBudget) filled() bool {
	b.account.mu.Lock()
	defer b.account.mu.Unlock()
	return b.meter.restored
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
	*budgetLink
	book    *Book
	ledger  Ledger
	view    *Owners
	account *account
}

func (r *restoration) run(ctx context.Context) error {
	m := r.meter
	r.account.mu.Lock()
	done := m.restored
	if !done {
		m.roll(r.book.now())
		m.empty()
	}
	start, since, former, common := m.start(), m.since, m.former, m.common() != nil
	r.account.mu.Unlock()
	switch {
	case done:
		return nil
	case m.hours != nil && !common:
		return r.hours(ctx, start)
	}
	now, err := r.used(ctx, Query{From: start})
	if err != nil {
		return err
	}
	var before used
	if r.budget.CarryOver {
		if before, err = r.used(ctx, Query{From: time.Unix(0, former).UTC(), To: start}); err != nil {
			return err
		}
		ever, err := r.used(ctx, Query{To: start})
		if err != nil {
			return err
		}
		before.calls = ever.calls
	}
	r.account.mu.Lock()
	defer r.account.mu.Unlock()
	m.used = m.used || now.calls+before.calls > 0
	m.inUse = m.inUse || before.calls > 0
	if m.since == since {
		m.restore(0, now.amount)
		m.restore(1, before.amount)
	} else { // the window has ended meanwhile
		m.inUse = m.used
		if m.former == since {
			m.restore(1, now.amount)
		}
	}
	r.filled()
	return nil
}

// restore adds what the ledger says of the window (0), or of the one before (1).
func (m *meter) restore(part int, n int64) {
	switch c := m.common(); {
	case c != nil:
		c.read[part] += n
	case part == 0:
		m.spent += n
	default:
		m.before += n
	}
}

// filled notes that the meter, whose account is locked, has what the ledger
// knows, which other replicas are told. Levels that were reached before are not
// told of again.
func (r *restoration) filled() {
	r.meter.warned = r.level(r.book.now())
	r.meter.restored = true
	r.meter.changed()
}

// hours fills a rolling meter hour by hour.
func (r *restoration) hours(ctx context.Context, start time.Time) error {
	hours := map[int64]int64{}
	err := r.rows(ctx, Query{From: start, GroupBy: []string{"hour"}}, func(values []string, u used) error {
		at, err := time.Parse(time.RFC3339, values[0])
		hours[hourOf(at)] += u.amount
		return err
	})
	if err != nil {
		return err
	}
	m := r.meter
	r.account.mu.Lock()
	defer r.account.mu.Unlock()
	for hour, n := range hours {
		if hour >= m.oldest() && hour <= m.hour {
			*m.slot(hour) += n
			m.spent += n
		}
	}
	r.filled()
	return nil
}

// used is what the ledger says of some calls, in the budget's unit.
type used struct{ amount, calls int64 }

// used sums what a query selects of the owner's calls.
func (r *restoration) used(ctx context.Context, q Query) (sum used, err error) {
	err = r.rows(ctx, q, func(_ []string, u used) error {
		sum.amount += u.amount
		sum.calls += u.calls
		return nil
	})
	return sum, err
}

// rows goes through what the ledger has of a query, for all whose calls count
// for the owner: keys of a rotation, teams below. The
// values are those that it groups by.
func (r *restoration) rows(ctx context.Context, q Query, each func(values []string, u used) error) error {
	if len(r.meter.patterns) > 0 {
		q.GroupBy = append(q.GroupBy, "model", "target")
	}
	if q.Location == nil {
		q.Location = time.UTC
	}
	var asked []Query
	if key := r.owner.Key; key != nil {
		for _, q.KeyID = range append([]string{key.account()}, r.view.rotated[key.account()]...) {
			asked = append(asked, q)
		}
	}
	team := r.owner
	if team.isPerson() {
		q.Only.User, q.Only.Tag = team.more.user, team.more.tag
		team = r.view.teams[team.Team]
	}
	for _, q.Team = range r.view.below(team) {
		asked = append(asked, q)
	}
	for _, q := range asked {
		report, err := r.ledger.Usage(ctx, q)
		if err != nil {
			return err
		}
		for i := range report.Rows {
			row := &report.Rows[i]
			if n := len(row.Values); len(r.meter.patterns) > 0 && !r.meter.counts(calledAs(row.Values[n-2], row.Values[n-1])) {
				continue
			}
			amount := [...]int64{int64(row.USD), row.InputTokens + row.OutputTokens, row.Calls}[r.meter.unit]
			if err := each(row.Values, used{amount, row.Calls}); err != nil {
				return err
			}
		}
	}
	return nil
}

// calledAs is Called from what the ledger has: the target that answered counts
// if it was asked for by its own name, or without its provider's.
func calledAs(model, target string) Called {
	if target == model || strings.HasSuffix(target, "/"+model) {
		return Called{model, target}
	}
	return Called{Model: model}
}
