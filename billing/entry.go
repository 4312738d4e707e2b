package billing

import (
	"context"
	"errors"
	"time"

	"sluice/providers/schema"
)

// Errors of the store, for callers that must tell them apart.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("conflict")
)

// Entry is one line of the ledger: one call, one failed attempt of a call that
// the provider charges for, or a correction. It is appended once and never
// changed; (Call, Attempt) is its identity, so that writing it twice does
// nothing.
type Entry struct {
	Call    string // the call's id, or the correction's, unique for ever
	Attempt int    // 0: the call itself; 1…: a charged attempt that failed; Correction
	Time    time.Time

	Team, KeyID, Key string // Key is team/name
	User             string
	Tags             []string
	Operation        string

	Model    string // as the caller asked
	Provider string
	Target   string // provider/model that answered; empty: none did
	Prompt   string
	Version  int

	Usage        schema.Usage
	PriceVersion string
	Cost         Nano
	Excess       Nano // of Cost, what went beyond the hold
	Saved        Nano // what a cache hit did not cost, its price taken off
	Markup       Nano // of Cost, what the provider does not charge; less than nothing: a discount

	Status     int
	Code       string // empty: success
	Origin     string
	Refused    bool // turned away by us: no call was admitted
	Stream     bool
	Cache      string // hit, semantic, miss or empty
	Disconnect bool   // the caller left before the end
	Delivered  int64  // output tokens that reached the caller; -1: all

	Latency   time.Duration
	TTFT      time.Duration // to the first byte of the answer; 0: none came
	RequestID string        // the caller's, or the call's own
	Trace     string        // the id of the trace that it is part of; empty: none
	Attempts  []AttemptLog
	Guards    string // what guards did, a list in JSON; empty: nothing

	Split SplitMark // that gave the call to its version of the prompt

	Corrects string // of a correction: the call whose entry it mends; empty: none
	Reason   string // of a correction: why, in the words of whoever made it
}

// SplitMark has a call count for a version of a prompt's split.
type SplitMark struct {
	Since  int64 // when the split began, in Unix nanoseconds: it tells it from others; 0: there is none
	Failed bool
	Cost   Nano // of the call, with its steps and given up attempts
}

// Correction is the Attempt of an entry that is no call but mends what earlier
// entries say: a refund, or a charge that came to light later. Its Cost may be
// less than nothing.
const Correction = -1

// ShadowTeam is the team that shadow calls are charged to: the calls that the
// operator has made beside those of callers, to see what another model answers.
const ShadowTeam = "shadow"

// ShadowModel is the Model of the shadow calls of a name under models:, so that
// no figure of the name itself has them.
func ShadowModel(name string) string { return name + " (shadow)" }

// AttemptLog tells one attempt of a call.
type AttemptLog struct {
	Call      string `json:"call,omitempty"` // which of a composed answer's calls it was for
	Target    string `json:"target"`
	Key       string `json:"key,omitempty"` // which of the provider's keys: its last four characters or name
	Status    int    `json:"status"`
	Code      string `json:"code,omitempty"`
	LatencyMS int64  `json:"latency_ms"`
	USD       Nano   `json:"usd"`
}

// Ledger is where entries end up, and what every figure is derived from.
type Ledger interface {
	// Append writes entries and their sums in one transaction; entries
	// that are there already change nothing.
	Append(ctx context.Context, entries []Entry) error
	// Usage sums entries.
	Usage(ctx context.Context, q Query) (*Report, error)
	// Requests lists entries, newest first.
	Requests(ctx context.Context, q RequestQuery) ([]Entry, string, error)
	// Request is the entry of a call, by its id or its caller's request id:
	// ErrNotFound if there is none.
	Request(ctx context.Context, call string) (*Entry, error)
	// Account is the account of a call, by its id or its caller's request id:
	// ErrNotFound if there is none.
	Account(ctx context.Context, call string) (*Account, error)
	// CorrectionsIn lists the corrections of q.Team, or without one of all, from
	// q.From to q.To, oldest first.
	CorrectionsIn(ctx context.Context, q Query) ([]Entry, error)
	Walker
	// Verify compares every sum that is kept with that of its entries.
	Verify(ctx context.Context) (entries int64, differences []string, err error)
}

// Walker goes through entries.
type Walker interface {
	// Each gives every entry of q.Team, or without one of all, from q.From to
	// q.To, oldest first. An entry is not changed after its call.
	Each(ctx context.Context, q Query, use func(*Entry) error) error
}

// Query selects and groups entries. Zero times are unbounded; To is exclusive.
type Query struct {
	From, To time.Time
	GroupBy  []string // of Dimensions
	Team     string   // only this team, those below it not included
	Teams    []string // only these, likewise
	KeyID    string   // only this key
	Only     Filter
	Location *time.Location
	MostRows int // a report of more is BadQuery; 0: of any length
}

// Filter narrows a query further; an empty field selects everything.
type Filter struct {
	Key      string // team/name
	Model    string // as callers asked
	Provider string
	Target   string // provider/model
	Prompt   string
	User     string
	Tag      string // one of the call's tags
}

// Dimensions are what usage can be grouped by.
var Dimensions = []string{"team", "key", "user", "model", "target", "provider", "prompt", "version", "tag", "status", "hour", "day", "month"}

// RequestQuery selects calls for a list.
type RequestQuery struct {
	From, To                      time.Time
	Team, Key, Model, Prompt, Tag string
	Status                        int
	MinUSD                        Nano
	Text                          string // part of a call id or request id
	Limit                         int
	After                         string // cursor
}

// Report is grouped usage; Rows are sorted by their dimensions.
type Report struct {
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
	GroupBy []string  `json:"group_by"`
	Rows    []Row     `json:"rows"`
	Total   Sums      `json:"total"`
}

// Row is one group: Values are its dimensions, in the order of GroupBy.
type Row struct {
	Values []string
	Sums
}

// Sums are the figures of a group.
type Sums struct {
	Calls             int64 `json:"calls"`
	Refused           int64 `json:"refused"`
	Errors            int64 `json:"errors"`
	Cached            int64 `json:"cached"`
	InputTokens       int64 `json:"input_tokens"`
	CachedInputTokens int64 `json:"cached_input_tokens"`
	CacheWriteTokens  int64 `json:"cache_write_tokens"`
	OutputTokens      int64 `json:"output_tokens"`
	ReasoningTokens   int64 `json:"reasoning_tokens"`
	USD               Nano  `json:"usd"`
	SavedUSD          Nano  `json:"saved_usd"`
	LatencyP50MS      int64 `json:"latency_p50_ms"`
	LatencyP95MS      int64 `json:"latency_p95_ms"`
}
