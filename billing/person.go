package billing

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Terms are the budgets and limits of a user or of a tag.
type Terms struct {
	Budgets Budgets `json:"budget,omitempty"`
	Limits  Limits  `json:"limits,omitzero"`
}

// People are the terms of a team's users, or of its tags, by name. Those under
// * are for each that is not named, each for itself.
type People map[string]Terms

// Everyone is the name in People for all that are not named.
const Everyone = "*"

func (p People) of(name string) (pattern string, t Terms, ok bool) {
	if t, ok = p[name]; ok {
		return name, t, true
	}
	t, ok = p[Everyone]
	return Everyone, t, ok
}

func (p People) check(what string) error {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		t := p[name]
		if name == "" {
			return fmt.Errorf("%s: a name is empty", what)
		}
		if err := checkTerms(t.Budgets, t.Limits); err != nil {
			return fmt.Errorf("%s.%s.%w", what, name, err)
		}
		for i := range t.Budgets {
			if t.Budgets[i].CarryOver {
				return fmt.Errorf("%s.%s.budget.carry_over: only budgets of teams and keys carry over", what, name)
			}
		}
	}
	return nil
}

// mostPeople bounds the accounts of users and tags, whose names callers choose.
// Those beyond it share one account for each team, so that a budget is never
// passed by making up names.
const mostPeople = 100_000

// person is a user or a tag of a team; one of the two is set.
type person struct{ user, tag string }

func (p person) name() string { return cmp.Or(p.user, p.tag) }

func (p person) kind() string {
	if p.tag != "" {
		return "tag"
	}
	return "user"
}

// personName tells the accounts of users and tags apart.
type personName struct {
	team string
	person
}

// moreOf is what a team has that few have; nil: nothing.
func moreOf(t *Team, parent *Owner, all *people) *more {
	m := more{weight: t.Weight, users: t.Users, tags: t.Tags, made: t.Created.UnixNano()}
	if len(t.Users)+len(t.Tags) > 0 || parent.peopleAbove() != nil {
		m.people = all
	}
	if m.weight <= 1 && m.people == nil && len(t.Budgets) == 0 {
		return nil
	}
	return &m
}

func (o *Owner) peopleAbove() *people {
	if o == nil || o.more == nil {
		return nil
	}
	return o.more.people
}

// team is the owner itself, or the team of a key.
func (o *Owner) team() *Owner {
	if o.Key != nil {
		return o.parent
	}
	return o
}

func (p person) overflow() person {
	if p.user != "" {
		return person{user: Everyone}
	}
	return person{tag: Everyone}
}

// people are the derived owners of a view.
type people struct {
	owners sync.Map // of personKey: *Owner
	n      atomic.Int64
}

type personKey struct {
	owner      *Owner
	user, tags string
}

// For is the owner for a call by a user, with tags: what its teams set for them
// bounds the call too.
func (o *Owner) For(user string, tags []string) *Owner {
	all := o.team().peopleAbove()
	if all == nil || user == "" && len(tags) == 0 {
		return o
	}
	key := personKey{o, user, strings.Join(tags, "\x00")}
	if made, ok := all.owners.Load(key); ok {
		return made.(*Owner)
	}
	made := o.forPeople(user, tags)
	key.user, key.tags = strings.Clone(key.user), strings.Clone(key.tags) // they may be views of the request
	if all.n.Add(1) <= mostPeople {
		all.owners.Store(key, made)
	}
	return made
}

func (o *Owner) forPeople(user string, tags []string) *Owner {
	all := make([]person, 0, 1+len(tags))
	if user != "" {
		all = append(all, person{user: strings.Clone(user)})
	}
	for i, tag := range tags {
		if tag != "" && !slices.Contains(tags[:i], tag) {
			all = append(all, person{tag: strings.Clone(tag)})
		}
	}
	d := *o
	d.more = &more{base: o}
	if o.more != nil {
		*d.more = *o.more
		d.more.base = o
	}
	d.links, d.limits = slices.Clone(o.links), slices.Clone(o.limits)
	b := o.book
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := map[uint64]bool{} // all that are beyond the bound may share an account
	for team := o.team(); team != nil; team = team.parent {
		for _, who := range all {
			p, _ := b.personOwner(team, who)
			if p == nil || seen[p.id()] {
				continue
			}
			seen[p.id()] = true
			d.links, d.limits = append(d.links, p.links...), append(d.limits, p.limits...)
		}
	}
	d.linked()
	return &d
}

// personOwner is the owner that a user or tag of a team is by itself, and the
// name under which its terms are; nil: it has none. The Book is locked.
func (b *Book) personOwner(team *Owner, who person) (*Owner, string) {
	pattern, t, ok := team.group(who.kind()).of(who.name())
	if !ok {
		return nil, ""
	}
	name := personName{team.Name, who}
	if b.people[name] == nil && len(b.people) >= mostPeople {
		who = who.overflow()
		name.person = who
	}
	p := &Owner{Name: who.name(), Team: team.Name, more: &more{person: who, made: team.more.made}}
	b.join(p, accountOf(b, b.people, name), terms{limits: t.Limits, budgets: t.Budgets})
	for i := range p.links[0].budgets {
		m := p.links[0].budgets[i].meter
		p.links[0].account.mu.Lock()
		m.restored = true // what the ledger knew was there before: see fillPeople
		p.links[0].account.mu.Unlock()
	}
	return p, pattern
}

// keepPeople marks the accounts of users and tags that the view still has terms
// for, but for those that nothing was used of. The Book is locked.
func (b *Book) keepPeople(v *Owners) {
	for name, a := range b.people {
		team := v.teams[name.team]
		if team == nil || a.unused(b.now(), b) {
			continue
		}
		if _, t, ok := team.group(name.kind()).of(name.name()); ok {
			a.seen = b.view
			a.mark(t.Budgets, b.view)
		}
	}
	for key := range b.filled {
		if !key.in(v) {
			delete(b.filled, key) // it begins anew if it comes back
		}
	}
}

// unused tells whether nothing was used in any window that is still open.
func (a *account) unused(now time.Time, b *Book) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.meters {
		if m.roll(now); m.spent != 0 || m.held != 0 {
			return false
		}
	}
	return a.limiter == nil || a.limiter.unused(b.steady(now)/1e9)
}

func (l *limiter) unused(second int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(second)
	return l.empty()
}

// mark has the meters of budgets count as seen by a view.
func (a *account) mark(budgets Budgets, view uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.meters {
		for i := range budgets {
			if m.meterKey == budgets[i].meterKey() {
				m.seen = view
			}
		}
	}
}

// fillKey is a budget in People of which the ledger's part is in the meters.
type fillKey struct {
	team, kind, pattern string
	meter               meterKey
}

// in tells whether a view still has the budget.
func (k fillKey) in(v *Owners) bool {
	team := v.teams[k.team]
	if team == nil {
		return false
	}
	for _, b := range team.group(k.kind)[k.pattern].Budgets {
		if b.meterKey() == k.meter {
			return true
		}
	}
	return false
}

// Kinds of people, as the ledger's dimensions have them.
var peopleKinds = [...]string{"user", "tag"}

// group is a team's People of a kind.
func (o *Owner) group(kind string) People {
	switch {
	case o.more == nil:
		return nil
	case kind == "tag":
		return o.more.tags
	}
	return o.more.users
}

// unfilledPeople lists the budgets in People that Restore has not come to yet.
func (b *Book) unfilledPeople(v *Owners) (keys []fillKey, budgets []Budget) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, team := range v.teams {
		for _, kind := range peopleKinds {
			for pattern, t := range team.group(kind) {
				for i := range t.Budgets {
					key := fillKey{team.Name, kind, pattern, t.Budgets[i].meterKey()}
					if !b.filled[key] {
						keys, budgets = append(keys, key), append(budgets, t.Budgets[i])
					}
				}
			}
		}
	}
	return keys, budgets
}

// fillPeople is Restore for users and tags: all that the ledger has of a
// budget's window get their accounts, so that one who is new has used nothing.
func (b *Book) fillPeople(ctx context.Context, ledger Ledger, v *Owners) error {
	keys, budgets := b.unfilledPeople(v)
	for i, key := range keys {
		if err := b.fillGroup(ctx, ledger, v, key, &budgets[i]); err != nil {
			return fmt.Errorf("cannot restore the budgets of the %ss of team %q: %w", key.kind, key.team, err)
		}
	}
	return nil
}

func (b *Book) fillGroup(ctx context.Context, ledger Ledger, v *Owners, key fillKey, budget *Budget) error {
	team, model := v.teams[key.team], newMeter(budget, b.now(), b.loc)
	r := restoration{book: b, ledger: ledger, view: v, budgetLink: &budgetLink{owner: team, budget: budget, meter: model}}
	q := Query{From: model.start(), GroupBy: []string{key.kind}}
	if model.hours != nil {
		q.GroupBy = append(q.GroupBy, "hour")
	}
	begun := map[*meter]bool{}
	err := r.rows(ctx, q, func(values []string, u used) error {
		who := person{user: values[0]}
		if key.kind == "tag" {
			who = person{tag: values[0]}
		}
		if values[0] == "" {
			return nil
		}
		at := b.now()
		if model.hours != nil {
			var err error
			if at, err = time.Parse(time.RFC3339, values[1]); err != nil {
				return err
			}
		}
		b.mu.Lock()
		p, pattern := b.personOwner(team, who)
		b.mu.Unlock()
		if pattern != key.pattern {
			return nil // it is named, and has a budget of its own
		}
		own := &p.links[0]
		for i := range own.budgets {
			if m := own.budgets[i].meter; m.meterKey == key.meter {
				own.account.mu.Lock()
				if !begun[m] {
					begun[m] = true
					m.roll(b.now())
					m.empty()
				}
				if c := m.common(); c != nil {
					c.read[0] += u.amount
				} else {
					m.charge(u.amount, at)
				}
				m.warned = own.budgets[i].level(b.now())
				own.account.mu.Unlock()
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.filled[key] = true
	b.mu.Unlock()
	return nil
}

// People is how the budgets of users and tags stand that have used anything of
// them, or did lately, by team and name.
func (v *Owners) People(now time.Time) []BudgetStatus {
	var all []BudgetStatus
	var b *Book
	for _, o := range v.teams {
		b = o.book
	}
	if b == nil {
		return nil
	}
	b.mu.Lock()
	var owners []*Owner
	for name := range b.people {
		if team := v.teams[name.team]; team != nil {
			if p, _ := b.personOwner(team, name.person); p != nil {
				owners = append(owners, p)
			}
		}
	}
	b.mu.Unlock()
	slices.SortFunc(owners, func(x, y *Owner) int {
		return cmp.Or(cmp.Compare(x.Team, y.Team), cmp.Compare(x.more.user, y.more.user), cmp.Compare(x.more.tag, y.more.tag))
	})
	for _, o := range owners {
		all = append(all, o.OwnBudgets(now)...)
	}
	return all
}
