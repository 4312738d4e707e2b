package admin

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"sluice/billing"
	"sluice/providers/schema"
)

// keyOut is a key as it is shown: never its secret, but once.
type keyOut struct {
	ID       string          `json:"id"`
	Key      string          `json:"key,omitempty"` // the secret, in the answer that makes it
	Prefix   string          `json:"prefix"`
	Team     string          `json:"team"`
	Name     string          `json:"name"`
	User     string          `json:"user,omitempty"`
	Models   []string        `json:"models"`
	Prompts  []string        `json:"prompts"`
	IPs      []string        `json:"ips"`
	Limits   billing.Limits  `json:"limits"`
	Budget   billing.Budgets `json:"budget"`
	Created  time.Time       `json:"created,omitzero"`
	Expires  *time.Time      `json:"expires"`   // null: never
	LastUsed *time.Time      `json:"last_used"` // null: not yet
	Revoked  *time.Time      `json:"revoked"`   // null: in force; it may lie ahead
	Source   string          `json:"source"`
}

func showKeyOf(k *billing.Key, secret string) keyOut {
	return keyOut{ID: k.ID, Key: secret, Prefix: k.Prefix, Team: k.Team, Name: k.Name, User: k.User, Models: notNil(k.Models),
		Prompts: notNil(k.Prompts), IPs: notNil(k.IPs), Limits: k.Limits, Budget: k.Budgets, Created: k.Created,
		Expires: timeOrNil(k.Expires), LastUsed: timeOrNil(k.LastUsed), Revoked: timeOrNil(k.Revoked), Source: k.Source}
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// keyIn is a key as it is asked for.
type keyIn struct {
	Team    string         `json:"team"`
	Name    string         `json:"name"` // empty: one is made up
	User    string         `json:"user"` // whose it is; empty: requests say whose they are
	Budget  budgetsIn      `json:"budget"`
	Limits  billing.Limits `json:"limits"`
	Models  []string       `json:"models"`
	Prompts []string       `json:"prompts"`
	IPs     []string       `json:"ips"`
	Expires string         `json:"expires"` // RFC 3339, or a date: its first moment
	Hash    string         `json:"hash"`    // SHA-256 of a key from elsewhere (see billing.ParseHash); empty: a new key
}

// key is the key asked for, and its secret unless it was made elsewhere.
func (in *keyIn) key(now time.Time, loc *time.Location) (k billing.Key, secret string, err error) {
	k = billing.Key{ID: NewKeyID(), Team: in.Team, Name: in.Name, User: in.User, Models: in.Models, Prompts: in.Prompts, IPs: in.IPs,
		Limits: in.Limits, Created: now.UTC(), Source: "store"}
	if k.Name == "" {
		k.Name = "key-" + strings.TrimPrefix(k.ID, idPrefix)[:8]
	}
	if err = in.check(); err != nil {
		return k, "", err
	}
	if k.Budgets, err = in.Budget.budgets("budget"); err != nil {
		return k, "", err
	}
	if k.Expires, err = expiry(in.Expires, now, loc); err != nil {
		return k, "", err
	}
	if in.Hash == "" {
		secret = billing.GenerateKey()
		k.Hash, k.Prefix = billing.HashKey(secret), billing.ShownPrefix(secret)
		return k, secret, checkName("name", k.Name)
	}
	if k.Hash, err = billing.ParseHash(in.Hash); err != nil {
		return k, "", schema.Invalid("hash", "hash: %v", err)
	}
	k.Prefix = billing.HashPrefix(k.Hash)
	return k, "", checkName("name", k.Name)
}

// check looks at the fields that stand for themselves.
func (in *keyIn) check() error {
	if err := checkName("team", in.Team); err != nil {
		return err
	}
	if err := checkUser(in.User); err != nil {
		return err
	}
	if err := checkPatterns("models", in.Models); err != nil {
		return err
	}
	if err := checkPatterns("prompts", in.Prompts); err != nil {
		return err
	}
	for _, text := range in.IPs {
		_, errNet := netip.ParsePrefix(text)
		_, errOne := netip.ParseAddr(text)
		if errNet != nil && errOne != nil {
			return schema.Invalid("ips", "ips: %.80q is neither an address nor a network such as 10.0.0.0/8", text)
		}
	}
	return nil
}

func checkUser(name string) error {
	if len(name) > 200 || strings.ContainsFunc(name, unicode.IsControl) {
		return schema.Invalid("user", "user must be at most 200 bytes, without control characters")
	}
	return nil
}

// expiry reads when a key ends; empty: never.
func expiry(text string, now time.Time, loc *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t, err = time.ParseInLocation(time.DateOnly, text, loc)
	}
	if err != nil {
		return t, schema.Invalid("expires", "expires %.40q must be a time such as 2027-01-31T12:00:00Z, or a date", text)
	}
	if !t.After(now) {
		return t, schema.Invalid("expires", "expires %q is in the past", text)
	}
	return t.UTC(), nil
}

const idPrefix = "key_"

// NewKeyID is a new key's identity: random, so that ids of one team tell
// nothing about another's.
func NewKeyID() string { return idPrefix + strings.ToLower(rand.Text()) }

func (a *api) listKeys(q *request) error {
	values, err := q.query("team", "limit", "after")
	if err != nil {
		return err
	}
	team := values.Get("team")
	if err := q.mayAsk(team); err != nil {
		return err
	}
	var keys []*billing.Key
	view := a.View()
	for i := range view.Keys {
		if k := &view.Keys[i]; q.id.ownsKey(k) && (team == "" || team == k.Team) {
			keys = append(keys, k)
		}
	}
	l, err := page(values, keys, func(k **billing.Key) string { return (*k).Team + "/" + (*k).Name + "/" + (*k).ID })
	if err != nil {
		return err
	}
	out := list[keyOut]{Data: make([]keyOut, len(l.Data)), Next: l.Next}
	for i, k := range l.Data {
		out.Data[i] = showKeyOf(k, "")
	}
	return q.answer(http.StatusOK, out)
}

func (a *api) showKey(q *request) error {
	view := a.View()
	k, err := a.ownKey(q, &view)
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, showKeyOf(k, ""))
}

// ownKey is the key that the path names. Those of other teams do not exist for
// a team-owner.
func (a *api) ownKey(q *request, view *View) (*billing.Key, error) {
	k := view.Key(q.PathValue("id"))
	if k == nil || !q.id.ownsKey(k) {
		return nil, errNotFound("there is no key %q", q.PathValue("id"))
	}
	return k, nil
}

func (a *api) createKey(q *request) error {
	var in keyIn
	if err := q.read(&in); err != nil {
		return err
	}
	k, secret, err := in.key(a.Now(), a.Location())
	if err != nil {
		return err
	}
	if err := q.mayAsk(k.Team); err != nil {
		return err
	}
	if h := q.id.Key; h == nil || len(h.Prompts) == 0 { // else it gives of its own
		err = a.ownPrompts(q, k.Team, k.Prompts)
	}
	if err = cmp.Or(err, q.id.inherit(&k)); err != nil {
		return err
	}
	a.changes.Lock()
	defer a.changes.Unlock()
	view := a.View()
	if view.Team(k.Team) == nil {
		return schema.Invalid("team", "there is no team %q", k.Team)
	}
	for i := range view.Keys {
		switch other := &view.Keys[i]; {
		case !other.Salted && other.Hash == k.Hash: // of those that are salted the store knows
			return errExists()
		case other.Team == k.Team && other.Name == k.Name && other.InForce(a.Now()):
			return errConflict("team %q has a key %q already: revoke or rotate it, or take another name", k.Team, k.Name)
		}
	}
	if err := check(view.Teams, append(slices.Clone(view.Keys), k)); err != nil {
		return err
	}
	return a.storeKeys(q, secret, k)
}

func errExists() error {
	return errConflict("this key exists already: another one, perhaps revoked or expired, has the same value (hash)")
}

// storeKeys stores keys in turn and puts them in force; the last one is shown,
// as a new one with its secret.
func (a *api) storeKeys(q *request, secret string, keys ...billing.Key) error {
	ctx := context.WithoutCancel(q.Context()) // half a change must not be
	for _, k := range keys {
		err := a.Tenants.PutKey(ctx, k)
		if errors.Is(err, billing.ErrConflict) { // with one whose hash only the store knows
			return errExists()
		}
		if err != nil {
			return err
		}
	}
	if err := a.apply(ctx); err != nil {
		return err
	}
	return q.answer(http.StatusCreated, showKeyOf(&keys[len(keys)-1], secret))
}

// longestGrace bounds how long a rotated key may still be used.
const longestGrace = 30 * 24 * time.Hour

// rotateKey makes a key with the same terms, which goes on in the same budget and
// limits. The old one ends after the grace.
func (a *api) rotateKey(q *request) error {
	var in struct {
		Grace string `json:"grace"` // such as 10m; empty: none
	}
	if err := q.read(&in); err != nil {
		return err
	}
	var grace time.Duration
	if in.Grace != "" {
		var err error
		if grace, err = time.ParseDuration(in.Grace); err != nil || grace < 0 || grace > longestGrace {
			return schema.Invalid("grace", "grace %.40q must be a duration from 0s to 720h, such as 10m", in.Grace)
		}
	}
	a.changes.Lock()
	defer a.changes.Unlock()
	view := a.View()
	found, err := a.ownKey(q, &view)
	if err != nil {
		return err
	}
	if err := a.mayEnd(found); err != nil {
		return err
	}
	now := a.Now().UTC()
	old, secret := *found, billing.GenerateKey()
	fresh := old
	fresh.Account = cmp.Or(old.Account, old.ID) // its budget and limits go on
	fresh.ID, fresh.Hash, fresh.Salted, fresh.Prefix = NewKeyID(), billing.HashKey(secret), false, billing.ShownPrefix(secret)
	fresh.Created, fresh.LastUsed = now, time.Time{}
	old.Revoked = now.Add(grace)
	// The old key ends first: if storing stops in between, none is left over.
	return a.storeKeys(q, secret, old, fresh)
}

// mayEnd tells whether a key can be revoked or rotated.
func (a *api) mayEnd(k *billing.Key) error {
	switch {
	case k.Source == "file":
		return errDeclared("key", k.Team+"/"+k.Name)
	case !k.Revoked.IsZero():
		return errConflict("key %q is revoked already", k.ID)
	case !k.InForce(a.Now()):
		return errConflict("key %q has expired", k.ID)
	}
	return nil
}

// revokeKey ends a key at once, also one that a rotation left a grace.
func (a *api) revokeKey(q *request) error {
	if _, err := q.query(); err != nil {
		return err
	}
	a.changes.Lock()
	defer a.changes.Unlock()
	view := a.View()
	found, err := a.ownKey(q, &view)
	if err != nil {
		return err
	}
	if found.Source == "file" {
		return errDeclared("key", found.Team+"/"+found.Name)
	}
	now := a.Now().UTC()
	if !found.Revoked.IsZero() && !found.Revoked.After(now) {
		return q.done() // it is as it should be
	}
	k := *found
	k.Revoked = now
	ctx := context.WithoutCancel(q.Context())
	if err := a.Tenants.PutKey(ctx, k); err != nil {
		return err
	}
	if err := a.apply(ctx); err != nil {
		return err
	}
	return q.done()
}
