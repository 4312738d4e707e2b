package billing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/billing/lease"
)

// Book keeps what every team and key has spent, holds, and used of its limits.
// It is in memory; Restore fills it from the ledger. All methods may be called
// at once, but Rebuild and Restore want one caller.
type Book struct {
	loc    *time.Location
	now    func() time.Time
	start  time.Time // when it was made, with the monotonic clock's reading
	warned func(BudgetStatus)

	mu       sync.Mutex
	view     uint32 // counts Rebuilds
	accounts map[accountName]*account
	people   map[personName]*account
	filled   map[fillKey]bool
	nextID   uint64
	latest   *Owners

	holds  openHolds
	leases *lease.Broker // nil: replicas share no limits and no budgets
	common commonLedger
}

// NewBook is an empty book whose calendar is that of loc; nil: UTC. now is the
// clock; nil: time.Now.
func NewBook(loc *time.Location, now func() time.Time) *Book {
	if loc == nil {
		loc = time.UTC
	}
	if now == nil {
		now = time.Now
	}
	return &Book{loc: loc, now: now, start: now(), accounts: map[accountName]*account{}, people: map[personName]*account{}, filled: map[fillKey]bool{}, latest: &Owners{},
		common: commonLedger{wake: make(chan struct{}, 1), wanted: map[*meter]*account{}, urgent: map[*meter]*account{}}}
}

// OnWarn has a function called whenever a budget reaches a level to warn at. It
// is called by the call that reached it, and must not wait. Set it before the
// first Rebuild.
func (b *Book) OnWarn(f func(BudgetStatus)) { b.warned = f }

func (b *Book) warn(s BudgetStatus) {
	if b.warned != nil {
		b.warned(s)
	}
}

// steady is a time in nanoseconds since 1970 by a clock that does not jump when
// the machine's is set: the Book's start, and what has passed since.
func (b *Book) steady(now time.Time) int64 { return b.start.UnixNano() + int64(now.Sub(b.start)) }

// Rebuild makes the view of teams and keys that a configuration declares, and
// keeps pointers into keys, which must not change any more. What has the same
// name (a key: the same ID) as before keeps its state. A fault
// (an unknown parent or team, a circle of parents, a name twice, a budget or
// limit that cannot be) is an error that names it, and changes nothing. Call
// Restore before using the view: it may have budgets that are new.
func (b *Book) Rebuild(teams []Team, keys []Key) (*Owners, error) {
	v := &Owners{teams: make(map[string]*Owner, len(teams)), keys: make(map[string]*Owner, len(keys)), rotated: map[string][]string{}}
	declared, err := declare(teams)
	if err != nil {
		return nil, err
	}
	order, err := parentsFirst(declared)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		k := &keys[i]
		if declared[k.Team] == nil {
			return nil, fmt.Errorf("key %q: team %q is not known", k.Name, k.Team)
		}
		if err := checkTerms(k.Budgets, k.Limits); err != nil {
			return nil, fmt.Errorf("key %q: %w", k.Team+"/"+k.Name, err)
		}
		if v.keys[k.ID] != nil {
			return nil, fmt.Errorf("key id %q is declared twice", k.ID)
		}
		v.keys[k.ID] = &Owner{} // made below, once nothing can fail
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	b.view++
	all := &people{}
	for _, t := range order {
		o := &Owner{Name: t.Name, Team: t.Name, parent: v.teams[t.Parent]}
		o.more = moreOf(t, o.parent, all)
		b.join(o, accountOf(b, b.accounts, accountName{team: t.Name}), terms{t.Models, t.Limits, t.Budgets})
		v.teams[t.Name] = o
	}
	for i := range keys {
		k := &keys[i]
		o := &Owner{Name: k.Team + "/" + k.Name, Team: k.Team, Key: k, parent: v.teams[k.Team]}
		b.join(o, accountOf(b, b.accounts, accountName{key: k.account()}), terms{k.Models, k.Limits, k.Budgets})
		v.keys[k.ID] = o
		if k.Account != "" {
			v.rotated[k.Account] = append(v.rotated[k.Account], k.ID)
		}
	}
	b.keepPeople(v)
	b.forget()
	b.latest = v
	return v, nil
}

// declare finds teams by name, and what cannot be in one.
func declare(teams []Team) (map[string]*Team, error) {
	declared := make(map[string]*Team, len(teams))
	for i := range teams {
		t := &teams[i]
		if declared[t.Name] != nil {
			return nil, fmt.Errorf("team %q is declared twice", t.Name)
		}
		if err := checkTerms(t.Budgets, t.Limits); err != nil {
			return nil, fmt.Errorf("team %q: %w", t.Name, err)
		}
		if t.Weight < 0 || t.Weight > MaxWeight {
			return nil, fmt.Errorf("team %q: weight: %d is not between 1 and %d", t.Name, t.Weight, MaxWeight)
		}
		if err := cmp.Or(t.Users.check("users"), t.Tags.check("tags")); err != nil {
			return nil, fmt.Errorf("team %q: %w", t.Name, err)
		}
		declared[t.Name] = t
	}
	return declared, nil
}

// terms is what a team and a key may both have.
type terms struct {
	models  []string
	limits  Limits
	budgets Budgets
}

// accountOf finds the account of a name, or makes it.
func accountOf[Name comparable](b *Book, all map[Name]*account, name Name) *account {
	a := all[name]
	if a == nil {
		b.nextID++
		a = &account{id: b.nextID}
		all[name] = a
	}
	return a
}

// join ties an owner to its account and to everything above it.
func (b *Book) join(o *Owner, a *account, t terms) {
	a.seen = b.view
	o.book = b
	own := link{account: a, owner: o}
	for _, budget := range t.budgets {
		m := a.meterOf(&budget, b)
		if b.shares(o, &budget) {
			a.shareBudget(m, o, &budget)
		}
		own.budgets = append(own.budgets, budgetLink{o, &budget, m})
	}
	o.links = []link{own}
	if len(t.models) > 0 {
		o.grants = [][]string{t.models}
	}
	if t.limits != (Limits{}) {
		if a.limiter == nil {
			a.limiter = &limiter{}
		}
		a.limiter.ready(t.limits)
		var own *Limits
		if o.Key != nil {
			own = &o.Key.Limits // which is kept anyway
		} else {
			limits := t.limits
			own = &limits
		}
		if b.leases != nil {
			a.limiter.share(b.leases, o, own)
		}
		o.limits = []limitLink{{a.limiter, o, own}}
	}
	if p := o.parent; p != nil {
		o.links = append(o.links, p.links...)
		o.limits = append(o.limits, p.limits...)
		o.grants = append(o.grants, p.grants...)
	}
	o.linked()
}

// id is the id of the owner's own account.
func (o *Owner) id() uint64 {
	for _, l := range o.links {
		if l.owner == o.self() {
			return l.account.id
		}
	}
	return 0
}

// meterOf finds the account's meter for a budget, or makes it.
func (a *account) meterOf(budget *Budget, b *Book) *meter {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.meters {
		if m.meterKey == budget.meterKey() {
			m.seen = b.view
			return m
		}
	}
	m := newMeter(budget, b.now(), b.loc)
	m.seen = b.view
	a.meters = append(a.meters, m)
	a.metered.Store(true)
	return m
}

// forget drops the accounts, and the meters of those that stay, that neither
// this view nor the one before it has, unless calls are still running on them.
// One that comes back later is restored from the ledger.
func (b *Book) forget() {
	forget(b, b.accounts)
	forget(b, b.people)
}

func forget[Name comparable](b *Book, all map[Name]*account) {
	for _, a := range all {
		a.mu.Lock()
		a.drop(func(m *meter) bool { return m.seen+1 < b.view && m.held == 0 })
		a.mu.Unlock()
	}
	maps.DeleteFunc(all, func(_ Name, a *account) bool { return a.seen+1 < b.view && a.end() })
}

// drop forgets meters. The account is locked.
func (a *account) drop(which func(*meter) bool) {
	a.meters = slices.DeleteFunc(a.meters, func(m *meter) bool {
		if !which(m) {
			return false
		}
		m.end()
		return true
	})
}

// end tells whether no call is running, and that no more come if so.
func (a *account) end() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.ContainsFunc(a.meters, func(m *meter) bool { return m.held != 0 }) || a.limiter != nil && !a.limiter.idle() {
		return false
	}
	for _, m := range a.meters {
		m.end()
	}
	return true
}

// parentsFirst sorts teams so that each comes after its parent.
func parentsFirst(declared map[string]*Team) ([]*Team, error) {
	order := make([]*Team, 0, len(declared))
	done := make(map[string]bool, len(declared))
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		var path []string // from the team up to the first that is done
		for at := name; at != "" && !done[at]; at = declared[at].Parent {
			if i := slices.Index(path, at); i >= 0 {
				return nil, fmt.Errorf("teams are their own ancestors: %s", strings.Join(append(path[i:], at), " → "))
			}
			if parent := declared[at].Parent; parent != "" && declared[parent] == nil {
				return nil, fmt.Errorf("team %q: parent %q is not known", at, parent)
			}
			path = append(path, at)
		}
		for _, at := range slices.Backward(path) {
			order, done[at] = append(order, declared[at]), true
		}
	}
	return order, nil
}

// checkTerms finds what cannot be in budgets or in limits.
func checkTerms(budgets Budgets, limits Limits) error {
	if err := budgets.check(); err != nil {
		return err
	}
	if name, n := limits.Fault(); name != "" {
		return fmt.Errorf("limits.%s: %d is not between 0 and %d", name, n, int64(MaxLimit))
	}
	return nil
}
