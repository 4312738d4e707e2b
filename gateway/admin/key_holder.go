package admin

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"sluice/billing"
)

// holders is what somebody may ask who is known by a key alone, as in the
// portal: of its own team, and of keys those of its family.
var holders = []string{
	"GET /admin/v1/keys", "POST /admin/v1/keys", "POST /admin/v1/keys/{id}/rotate", "DELETE /admin/v1/keys/{id}",
	"GET /admin/v1/usage", "GET /admin/v1/budgets",
	"GET /admin/v1/subscriptions", "POST /admin/v1/subscriptions", "DELETE /admin/v1/subscriptions/{id}",
}

// ownsKey tells whether an identity may see, rotate and revoke a key. Who is
// known by a key may do so with that key and those of its family (what was made
// with it, or it was made with) that may do no more than it; a person with those
// of the same user.
func (id Identity) ownsKey(k *billing.Key) bool {
	if !id.Owns(k.Team) {
		return false
	}
	h := id.Key
	if id.IsPerson() {
		return k.User == h.User
	}
	return h == nil || h.ID == k.ID || family(h) == family(k) && exceeds(h, k) == ""
}

// family is the id of the key in whose budget and limits a key counts.
func family(k *billing.Key) string { return cmp.Or(k.Account, k.ID) }

// inherit has a key that another one makes count in that one's budget and
// limits, and gives it the terms of the maker where it has none of its own. One
// that a person makes counts for itself, and is that person's.
func (id Identity) inherit(k *billing.Key) error {
	h := id.Key
	if h == nil {
		return nil
	}
	k.Account, k.User = family(h), cmp.Or(k.User, h.User)
	for _, l := range []struct{ own, of *[]string }{{&k.Models, &h.Models}, {&k.Prompts, &h.Prompts}, {&k.IPs, &h.IPs}} {
		if len(*l.own) == 0 {
			*l.own = slices.Clone(*l.of)
		}
	}
	if len(k.Budgets) == 0 {
		k.Budgets = slices.Clone(h.Budgets)
	}
	if k.Expires.IsZero() {
		k.Expires = h.Expires
	}
	for _, l := range limitPairs(&h.Limits, &k.Limits) {
		if *l.of == 0 {
			*l.of = l.most
		}
	}
	if name := exceeds(h, k); name != "" {
		return forbiddenField(name, "a key may give no more than it has itself: "+name+" must be within those of "+h.Team+"/"+h.Name)
	}
	return nil
}

// exceeds is in what a key may do more than another one; empty: in nothing.
func exceeds(h, k *billing.Key) string {
	granted := func(name string) bool { return slices.Contains(h.Models, name) || billing.MatchModel(h.Models, name) }
	switch {
	case h.User != "" && k.User != h.User:
		return "user"
	case beyond(h.Models, k.Models, granted):
		return "models"
	case beyond(h.Prompts, k.Prompts, func(name string) bool { return slices.Contains(h.Prompts, name) }):
		return "prompts"
	case beyond(h.IPs, k.IPs, func(net string) bool { return withinNets(h.IPs, net) }):
		return "ips"
	case slices.ContainsFunc(k.Roles, func(role string) bool { return !slices.Contains(h.Roles, role) }):
		return "roles"
	case !budgetsWithin(h.Budgets, k.Budgets):
		return "budget"
	case endsLater(h.Expires, k.Expires):
		return "expires"
	}
	for _, l := range limitPairs(&h.Limits, &k.Limits) {
		if l.most > 0 && (*l.of == 0 || *l.of > l.most) {
			return "limits." + l.name
		}
	}
	return ""
}

// beyond tells whether a list grants what another one does not; an empty one
// grants all.
func beyond(own, other []string, granted func(string) bool) bool {
	return len(own) > 0 && (len(other) == 0 || slices.ContainsFunc(other, func(name string) bool { return !granted(name) }))
}

func endsLater(own, other time.Time) bool {
	return !own.IsZero() && (other.IsZero() || other.After(own))
}

// withinNets tells whether an address or network lies in one of others.
func withinNets(nets []string, text string) bool {
	one, ok := network(text)
	return ok && slices.ContainsFunc(nets, func(other string) bool {
		net, ok := network(other)
		return ok && net.Bits() <= one.Bits() && net.Contains(one.Addr())
	})
}

func network(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, true
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// limitPair is a limit of one key beside the same of another.
type limitPair struct {
	name string
	most int64
	of   *int64
}

func limitPairs(h, k *billing.Limits) []limitPair {
	return []limitPair{{"rpm", h.RPM, &k.RPM}, {"tpm", h.TPM, &k.TPM}, {"input_tpm", h.InputTPM, &k.InputTPM},
		{"output_tpm", h.OutputTPM, &k.OutputTPM}, {"rpd", h.RPD, &k.RPD}, {"tpd", h.TPD, &k.TPD}, {"parallel", h.Parallel, &k.Parallel}}
}
