package billing

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Owner is one team or key as the configuration has it, with all that is above
// it: grants, limits and budgets. It never changes, and any number of
// goroutines may use it; the state that it reaches is the Book's, so that an
// Owner of an older view counts in the same budgets and windows.
type Owner struct {
	Name string // the team's, or team/name of a key
	Team string
	Key  *Key // nil: the owner is a team, or a person of it

	book   *Book
	parent *Owner
	grants [][]string  // the lists of model patterns, its own and those above
	links  []link      // its account and those above it, in the order of their ids
	limits []limitLink // of these, those with limits
	hard   bool        // a hard budget is among the links
	// budgeted: any budget is; choosy: one is for some models only. bound is
	// that of all models, if none is.
	budgeted, choosy bool
	bound            Bound

	more *more // nil: nothing, as of nearly all keys
}

// more is what few owners have.
type more struct {
	weight int64   // of a team, against others; 0 is 1
	made   int64   // when the team was, if it has budgets, or the person's team
	person         // that it is
	base   *Owner  // that it was made from: see For; nil: it was not
	users  People  // of a team
	tags   People  // likewise
	people *people // nil: neither the team nor one above it has users or tags
}

// self is the owner that its links know it by.
func (o *Owner) self() *Owner {
	if o.more != nil && o.more.base != nil {
		return o.more.base
	}
	return o
}

// isPerson tells whether it is a user or tag of a team.
func (o *Owner) isPerson() bool { return o.more != nil && o.more.person != person{} }

// link is one account above an owner, with the budgets it has there.
type link struct {
	account *account
	owner   *Owner
	budgets []budgetLink
}

// budgetLink is a budget and the meter of what it counts.
type budgetLink struct {
	owner  *Owner
	budget *Budget
	meter  *meter
}

// limitLink is one account above an owner that has limits.
type limitLink struct {
	limiter *limiter
	owner   *Owner
	limits  *Limits // its own, which do not change
}

// account is the state of one team or key. It outlives every view.
type account struct {
	id   uint64 // locks are taken in the order of ids
	seen uint32 // the last view that had it; the Book's lock guards it

	metered atomic.Bool // there are meters
	mu      sync.Mutex
	meters  []*meter // those of its budgets, now and a view ago

	limiter *limiter // made with the first limits, then never changed
	share   *share   // of a provider's limits; the limiter's lock guards it
}

// accountName tells the accounts of teams and keys apart; one of the two is set.
type accountName struct{ team, key string }

// Parent is the team that the owner belongs to; nil: none.
func (o *Owner) Parent() *Owner { return o.parent }

// linked ends the making of an owner: it puts the links in the order of their
// accounts' ids, and notes what budgets there are.
func (o *Owner) linked() {
	o.hard, o.budgeted, o.choosy = false, false, false
	for i := range o.links {
		for _, b := range o.links[i].budgets {
			o.hard, o.budgeted, o.choosy = o.hard || b.budget.Hard, true, o.choosy || len(b.budget.Models) > 0
		}
	}
	if !o.choosy {
		o.bound = o.boundOf(Called{})
	}
	slices.SortFunc(o.links, func(x, y link) int { return cmp.Compare(x.account.id, y.account.id) })
	slices.SortFunc(o.limits, func(x, y limitLink) int { return cmp.Compare(x.owner.id(), y.owner.id()) })
}

// AllowsModel tells whether a model's name is granted: by the key, its team and
// every team above, each of which grants all that its patterns match, or
// everything if it has none.
func (o *Owner) AllowsModel(name string) bool {
	for _, patterns := range o.grants {
		if !MatchModel(patterns, name) {
			return false
		}
	}
	return true
}

// Owners is a view of all teams and keys. It never changes.
type Owners struct {
	teams map[string]*Owner
	keys  map[string]*Owner

	rotated map[string][]string // account → the other keys that count in it
}

// Team finds a team by name; nil: there is none.
func (v *Owners) Team(name string) *Owner { return v.teams[name] }

// Key finds a key by its ID; nil: there is none.
func (v *Owners) Key(id string) *Owner { return v.keys[id] }

// All goes through the teams, then the keys, each by name.
func (v *Owners) All() iter.Seq[*Owner] {
	byName := func(a, b *Owner) int { return cmp.Compare(a.Name, b.Name) }
	teams := slices.SortedFunc(maps.Values(v.teams), byName)
	keys := slices.SortedFunc(maps.Values(v.keys), byName)
	return slices.Values(append(teams, keys...))
}
