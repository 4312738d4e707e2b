package console

import (
	"encoding/json"
	"time"

	"sluice/billing"
)

// This file has the shapes of what the admin API answers, as far as pages show
// it, where no exported type of its own has them.

// amount is so many dollars, or a number of tokens or requests.
type amount struct {
	N     int64 // nano-dollars, or the number
	Money bool
}

// UnmarshalJSON reads dollars as text, and other units as numbers.
func (a *amount) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		a.Money = true
		return (*billing.Nano)(&a.N).UnmarshalJSON(b)
	}
	return json.Unmarshal(b, &a.N)
}

// String is the amount for people.
func (a amount) String() string {
	if a.Money {
		return usd(billing.Nano(a.N))
	}
	return count(a.N)
}

// Exactly is the amount unrounded.
func (a amount) Exactly() string {
	if a.Money {
		return billing.Nano(a.N).String() + " dollars"
	}
	return count(a.N)
}

// budget is a budget and how it stands.
type budget struct {
	Owner     billing.OwnerName `json:"owner"`
	USD       *amount           `json:"usd"`
	Tokens    *amount           `json:"tokens"`
	Requests  *amount           `json:"requests"`
	Per       string            `json:"per"`
	Spent     amount            `json:"spent"`
	Held      amount            `json:"held"`
	Remaining amount            `json:"remaining"`
	Resets    *time.Time        `json:"resets"`
	Models    []string          `json:"models"`
	Hard      bool              `json:"hard"`
	RunsOut   *time.Time        `json:"runs_out"`
	Forecast  *amount           `json:"forecast"`
	Low       *amount           `json:"forecast_low"` // of its band
	High      *amount           `json:"forecast_high"`
}

// Limit is what may be spent in all.
func (b *budget) Limit() amount {
	for _, a := range []*amount{b.USD, b.Tokens, b.Requests} {
		if a != nil {
			return *a
		}
	}
	return amount{}
}

// Unit follows the amounts that are not money.
func (b *budget) Unit() string {
	switch {
	case b.Tokens != nil:
		return " tokens"
	case b.Requests != nil:
		return " requests"
	}
	return ""
}

// Share is how many thousandths of it are spent or held.
func (b *budget) Share() int64 { return thousandths(b.Spent.N+b.Held.N, b.Limit().N) }

// Name is whose it is.
func (b *budget) Name() string {
	switch o := b.Owner; {
	case o.Key != "":
		return o.Key
	case o.User != "":
		return o.Team + ", user " + o.User
	case o.Tag != "":
		return o.Team + ", tag " + o.Tag
	default:
		return o.Team
	}
}

// team is a team and how it stands.
type team struct {
	Name    string          `json:"name"`
	Parent  string          `json:"parent"`
	Models  []string        `json:"models"`
	Limits  billing.Limits  `json:"limits"`
	Budget  billing.Budgets `json:"budget"`
	Budgets []budget        `json:"budgets"` // its own and those above it
	Spent   struct {
		USD   billing.Nano `json:"usd"`
		Since time.Time    `json:"since"`
	} `json:"spent"`
	Keys   int    `json:"keys"` // in force
	Source string `json:"source"`
}

// Declared tells that the configuration file has it, and the console may not
// change it.
func (t *team) Declared() bool { return t.Source == "file" }

// key is a key; its secret is there in the answer that makes it alone.
type key struct {
	ID       string          `json:"id"`
	Secret   string          `json:"key"`
	Prefix   string          `json:"prefix"`
	Team     string          `json:"team"`
	Name     string          `json:"name"`
	User     string          `json:"user"`
	Models   []string        `json:"models"`
	Prompts  []string        `json:"prompts"`
	IPs      []string        `json:"ips"`
	Limits   billing.Limits  `json:"limits"`
	Budget   billing.Budgets `json:"budget"`
	Created  time.Time       `json:"created"`
	Expires  *time.Time      `json:"expires"`
	LastUsed *time.Time      `json:"last_used"`
	Revoked  *time.Time      `json:"revoked"`
	Source   string          `json:"source"`
}

// Declared tells that the configuration file has it.
func (k *key) Declared() bool { return k.Source == "file" }

// ended is when the key was revoked, or else when it expires.
func (k *key) ended() time.Time {
	for _, at := range []*time.Time{k.Revoked, k.Expires} {
		if at != nil {
			return *at
		}
	}
	return time.Time{}
}

// Label is the key as figures name it.
func (k *key) Label() string { return k.Team + "/" + k.Name }
