package billing

import (
	"context"
	"math"
	"time"
)

// Team is a group of callers with grants, limits and a budget of its own. What
// it spends counts against every ancestor's budget too.
type Team struct {
	Name    string   `json:"name"`
	Parent  string   `json:"parent,omitempty"`
	Models  []string `json:"models,omitempty"` // patterns; none: all models
	Limits  Limits   `json:"limits"`
	Weight  int64    `json:"weight,omitempty"` // its share of a provider's limits, against other teams; 0 is 1
	Budgets Budgets  `json:"budget,omitempty"`
	Users   People   `json:"users,omitempty"` // by the user that a key is of, or that a request names
	Tags    People   `json:"tags,omitempty"`  // by the tags of a request
	Source  string   `json:"source"`          // file, or store
	Created time.Time
}

// Key is a caller's credential. Only its salted hash is ever stored.
type Key struct {
	ID       string    `json:"id"`
	Account  string    `json:"account,omitempty"` // ID of the key whose budget and limits it counts in, since it was rotated; empty: its own
	Hash     [32]byte  `json:"-"`
	Salted   bool      `json:"-"`      // the hash is with the Salt already: it comes from the store
	Prefix   string    `json:"prefix"` // what may be shown of it
	Team     string    `json:"team"`
	Name     string    `json:"name"`
	User     string    `json:"user,omitempty"`   // whose it is; empty: requests say whose they are
	Models   []string  `json:"models,omitempty"` // patterns; none: all that the team has
	Prompts  []string  `json:"prompts,omitempty"`
	Roles    []string  `json:"roles,omitempty"`
	IPs      []string  `json:"ips,omitempty"` // CIDRs
	Limits   Limits    `json:"limits"`
	Budgets  Budgets   `json:"budget,omitempty"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero"` // zero: never
	LastUsed time.Time `json:"last_used,omitzero"`
	Revoked  time.Time `json:"revoked,omitzero"` // zero: in force
	Source   string    `json:"source"`
}

// MaxWeight is the most that a team may weigh.
const MaxWeight = 100

// Limits are sliding-window limits; 0 is no limit.
type Limits struct {
	RPM       int64 `json:"rpm,omitempty"`        // requests in any 60 s
	TPM       int64 `json:"tpm,omitempty"`        // tokens in any 60 s, input and output together
	InputTPM  int64 `json:"input_tpm,omitempty"`  // of input alone
	OutputTPM int64 `json:"output_tpm,omitempty"` // of output alone
	RPD       int64 `json:"rpd,omitempty"`        // requests in any 24 h
	TPD       int64 `json:"tpd,omitempty"`        // tokens in any 24 h
	Parallel  int64 `json:"parallel,omitempty"`   // calls at once
}

// MaxLimit is the most that a limit may be.
const MaxLimit = math.MaxUint32

// Fault is the first limit that cannot be, by its key; empty: there is none.
func (l *Limits) Fault() (name string, n int64) {
	for _, l := range [...]struct {
		name string
		n    int64
	}{{"rpm", l.RPM}, {"tpm", l.TPM}, {"input_tpm", l.InputTPM}, {"output_tpm", l.OutputTPM}, {"rpd", l.RPD}, {"tpd", l.TPD}, {"parallel", l.Parallel}} {
		if l.n < 0 || l.n > MaxLimit {
			return l.name, l.n
		}
	}
	return "", 0
}

// Tenants keeps the teams and keys that the admin API made.
type Tenants interface {
	Teams(ctx context.Context) ([]Team, error)
	// PutTeam makes or replaces a team.
	PutTeam(ctx context.Context, t Team) error
	DeleteTeam(ctx context.Context, name string) error
	Keys(ctx context.Context) ([]Key, error)
	// PutKey makes or replaces a key by its ID. A hash that another key has
	// is ErrConflict.
	PutKey(ctx context.Context, k Key) error
	// TouchKeys records when keys were last used.
	TouchKeys(ctx context.Context, at map[string]time.Time) error
}
