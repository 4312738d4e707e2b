package config

import (
	"encoding/hex"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sluice/billing"
)

func (k *checker) teams() {
	seen := map[Secret]string{} // by their hashes, for of some keys only that is known
	if t := k.config.Admin.Token; t != "" {
		seen[hashOf(t)] = "admin.token"
	}
	for i, t := range k.config.Admin.Tokens {
		seen[hashOf(t.Value)] = show([]string{"admin", "tokens", strconv.Itoa(i), "value"})
	}
	for _, name := range sortedKeys(k.config.Teams) {
		path, team := []string{"teams", name}, k.config.Teams[name]
		k.name(path, name)
		k.budgets(below(path, "budget"), team.Budget)
		k.people(below(path, "users"), team.Users)
		k.people(below(path, "tags"), team.Tags)
		k.limits(below(path, "limits"), team.Limits)
		if w := below(path, "weight"); team.Weight < 1 || team.Weight > billing.MaxWeight {
			k.fault(w, "want a whole number from 1 to %d", billing.MaxWeight)
		}
		k.patterns(below(path, "models"), team.Models)
		k.parent(below(path, "parent"), name)
		k.onDisconnect(below(path, "on_disconnect"), team.OnDisconnect)
		k.whenSpent(below(path, "when_spent"), team.WhenSpent)
		for _, model := range sortedKeys(team.Prices) {
			k.teamPrice(below(below(path, "prices"), model), model, team.Prices[model])
		}
		names := map[string]int{}
		for i, key := range team.Keys {
			at := below(below(path, "keys"), strconv.Itoa(i))
			k.key(at, key, seen)
			if first, again := names[key.Name]; again && key.Name != "" {
				k.fault(below(at, "name"), "the same name as %s", show(below(below(path, "keys"), strconv.Itoa(first))))
			} else {
				names[key.Name] = i
			}
		}
	}
}

func (k *checker) plans() {
	for _, name := range sortedKeys(k.config.Plans) {
		path, plan := []string{"plans", name}, k.config.Plans[name]
		k.name(path, name)
		k.budgets(below(path, "budget"), plan.Budget)
		k.limits(below(path, "limits"), plan.Limits)
		for i := range plan.Budget {
			if plan.Budget[i].CarryOver {
				k.fault(below(path, "budget"), "only budgets of teams and keys carry over")
			}
		}
		for _, model := range sortedKeys(plan.Prices) {
			k.teamPrice(below(below(path, "prices"), model), model, plan.Prices[model])
		}
	}
}

// teamPrice checks that one of the three ways to charge a team is given.
func (k *checker) teamPrice(path []string, model string, p TeamPrice) {
	k.price(path, model, p.Price)
	var given []string
	own := false
	for _, name := range known(reflect.TypeFor[TeamPrice]()) {
		if !k.origin.given(below(path, name)...) {
			continue
		}
		if name == "discount" || name == "margin" {
			given = append(given, name)
		} else {
			own = true
		}
	}
	switch {
	case len(given) == 2:
		k.fault(path, "want a discount or a margin, not both")
	case len(given) == 1 && own:
		k.fault(path, "want a %s or prices, not both", given[0])
	case len(given) == 0 && !own:
		k.fault(path, "want a discount, a margin, or prices such as input and output")
	case p.Discount > Percent(billing.Whole):
		k.fault(below(path, "discount"), "want at most 100%%")
	}
}

func (k *checker) people(path []string, p billing.People) {
	for _, name := range sortedKeys(p) {
		at, t := below(path, name), p[name]
		if name == "" {
			k.fault(at, "a name is empty")
		}
		k.budgets(below(at, "budget"), t.Budgets)
		k.limits(below(at, "limits"), t.Limits)
		for i := range t.Budgets {
			if t.Budgets[i].CarryOver {
				k.fault(below(at, "budget"), "only budgets of teams and keys carry over")
			}
		}
	}
}

func (k *checker) key(path []string, key Key, seen map[Secret]string) {
	if name := below(path, "name"); key.Name == "" {
		k.fault(name, "is needed")
	} else {
		k.name(name, key.Name)
	}
	if key.Hash != "" {
		k.hash(path, key, seen)
	} else {
		k.secret(below(path, "value"), hashOf(key.Value), seen)
	}
	k.budgets(below(path, "budget"), key.Budget)
	k.limits(below(path, "limits"), key.Limits)
	k.patterns(below(path, "models"), key.Models)
	k.patterns(below(path, "prompts"), key.Prompts)
}

// hashOf stands for a secret among those seen; nothing stays nothing.
func hashOf(s Secret) Secret {
	if s == "" {
		return ""
	}
	sum := billing.HashKey(s.Reveal())
	return Secret(hex.EncodeToString(sum[:]))
}

// hash looks at a key of which only the hash is declared.
func (k *checker) hash(path []string, key Key, seen map[Secret]string) {
	at := below(path, "hash")
	sum, err := billing.ParseHash(key.Hash)
	switch {
	case key.Value != "":
		k.fault(at, "want either the hash or the value, not both")
	case err != nil:
		k.fault(at, "%v", err)
	default:
		k.secret(at, Secret(hex.EncodeToString(sum[:])), seen)
	}
}

// parent follows a team's parents to the top. A loop is reported at each of its
// teams, for any of them may be the wrong one.
func (k *checker) parent(path []string, name string) {
	parent := k.config.Teams[name].Parent
	if parent == "" {
		return
	}
	if _, ok := k.config.Teams[parent]; !ok {
		hint := k.said(path, parent) + meant(parent, sortedKeys(k.config.Teams))
		if k.origin.find(path).expanded {
			hint = ""
		}
		k.fault(path, "want the name of another team%s", hint)
		return
	}
	trail := []string{name}
	for ; parent != "" && !slices.Contains(trail, parent); parent = k.config.Teams[parent].Parent {
		trail = append(trail, parent)
	}
	if parent == name {
		k.fault(path, "leads back to itself: %s", strings.Join(append(trail, name), " → "))
	}
}
