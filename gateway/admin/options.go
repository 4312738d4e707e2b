package admin

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"sluice/billing"
	"sluice/gateway/alert"
	"sluice/gateway/audit"
	"sluice/gateway/cache"
	"sluice/gateway/httpcache"
	"sluice/gateway/purge"
	"sluice/gateway/shared"
	"sluice/prompts"
	"sluice/router"
)

// Options are what the admin plane is made of. All functions may be called at
// once from any number of goroutines.
type Options struct {
	// Tokens are those in force; they may change at a reload.
	Tokens func() []Token
	// View is the configuration in force.
	View func() View

	Tenants billing.Tenants
	Prices  billing.PriceStore
	Ledger  billing.Ledger
	PromptOptions

	// Changed puts what the store holds (teams, keys, labels of prompts) in
	// force; it returns when it is.
	Changed func(ctx context.Context) error
	// Reload reads the configuration again. Its error has a line a fault, and
	// then nothing has changed; but for PromptFaults, which are of files alone.
	Reload func(ctx context.Context) error
	// Flush moves to the ledger what is still in the spool.
	Flush func(ctx context.Context) error
	// Correct adds a correction to the ledger and books it; made is false if it
	// is there already. The account is that of the call, with the correction.
	Correct func(ctx context.Context, r billing.CorrectionRequest) (e billing.Entry, of *billing.Account, made bool, err error)
	// Erase erases from the ledger.
	Erase func(ctx context.Context, e billing.Erasure) (billing.Erased, error)
	// SetBreaker takes an operator's word about a target (provider/model).
	SetBreaker func(target string, mode router.Mode) error
	RouteOptions
	Explain Explain
	Health  func() Health
	Cache   Cache
	Alerts  *alert.Engine // nil: there are no rules

	Configuration Configuration

	// Trail has a record of every change.
	Trail *audit.Trail
	// ClientIP is where a request comes from; nil: the peer.
	ClientIP func(*http.Request) string

	Metrics http.Handler // nil: /metrics is 404
	// Console makes what is served outside /admin and /metrics, over this API
	// (see As); nil: 404.
	Console func(api http.Handler) http.Handler

	// Location is the calendar of days and months; it may change at a reload.
	// nil: UTC.
	Location func() *time.Location
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: slog.Default
}

// RouteOptions are what the admin plane knows of requests to routes.
type RouteOptions struct {
	// Recent is the access line of one of the last requests of routes, with its
	// tries, by its id; nil: it is not among them.
	Recent func(id string) []byte
	// RouteVersions is who asked for which versions of routes.
	RouteVersions func(context.Context, billing.VersionQuery) ([]billing.VersionUse, error)
}

// PromptOptions are what the admin plane knows and does of prompts.
type PromptOptions struct {
	Prompts prompts.Store
	Splits  Splits // nil: prompts cannot be split
	// SplitReport is how a prompt's split goes, or how the one ended that was
	// stopped last; nil: there is none.
	SplitReport func(name string) *prompts.SplitReport

	Subscriptions prompts.Subscriptions
	// LabelMoves are all moves of a prompt's labels, oldest first.
	LabelMoves func(ctx context.Context, name string) ([]prompts.LabelMove, error)
	// Publish checks a prompt and publishes it; nil: prompts come from files
	// only, and publishing answers 409.
	Publish func(ctx context.Context, p Publication) (version int, created bool, err error)

	// Review says what speaks against a publication, a line each; nil: nothing
	// ever does. Errors about the prompt are prompts.Faults.
	Review func(ctx context.Context, p Publication) (against []string, err error)
	// Test runs a prompt's tests, on one model for all if it is not empty; nil:
	// none are run.
	Test func(ctx context.Context, p Publication, model string) ([]prompts.TestResult, error)
	// Live finds a version of a prompt that is served: see prompts.Set.Resolve.
	Live func(ctx context.Context, name string, version int, label string) (*prompts.Live, error)
}

// Explain tells of decisions before they are made.
type Explain struct {
	Model func(name string) (router.Explanation, error) // what a call for a model would choose among
	Path  func(RouteQuery) (RouteExplanation, error)    // which route a request would go to
}

// Cache is the cache of answers.
type Cache struct {
	Figures func() cache.Figures                       // how it stands
	Purge   func(context.Context, shared.Purge) Purged // takes answers out, those of routes too
	Routes  *httpcache.Store                           // that of routes; nil: there is none
	Shared  *shared.Level                              // of both, with other replicas; nil: none
	Events  *purge.Listener                            // to other systems that purge; nil: to none
}

// View is the configuration in force: what the file declares and what the
// store holds, together. It is not changed once it was handed out.
type View struct {
	Teams     []billing.Team
	Keys      []billing.Key
	Budgets   []billing.BudgetStatus // every team's and key's own
	Providers []Provider
	Models    []Model
	Prompts   []Prompt
	Plans     []string // that subscriptions may be of; none: any word is one
	Guards    []Guard
	Routes    []Route // in their order of precedence

	ProtectedLabels []string // of prompts, beside production: only admins move them
}

// Team finds a team by its name; nil: there is none.
func (v *View) Team(name string) *billing.Team {
	for i := range v.Teams {
		if v.Teams[i].Name == name {
			return &v.Teams[i]
		}
	}
	return nil
}

// Key finds a key by its ID; nil: there is none.
func (v *View) Key(id string) *billing.Key {
	for i := range v.Keys {
		if v.Keys[i].ID == id {
			return &v.Keys[i]
		}
	}
	return nil
}

// Provider is an enabled provider and how it stands.
type Provider struct {
	Name    string                `json:"name"`
	Kind    string                `json:"kind"`
	BaseURL string                `json:"base_url,omitempty"`
	State   string                `json:"state"`            // ok, degraded or down: left empty, it is worked out
	Health  *router.HealthStatus  `json:"health,omitempty"` // nil: it is not checked
	Targets []router.TargetStatus `json:"targets"`
	Keys    []router.SecretStatus `json:"keys"`
	Limits  *billing.Limits       `json:"limits,omitempty"`
}

// Model is a name that callers may ask for.
type Model struct {
	ID       string   `json:"id"`
	OwnedBy  string   `json:"owned_by,omitempty"`
	Balance  string   `json:"balance,omitempty"`
	Targets  []string `json:"targets,omitempty"` // provider/model
	Unpriced bool     `json:"unpriced,omitempty"`
	Prices   []Priced `json:"prices"` // of each target that has some
	Shadow   *Shadow  `json:"shadow,omitempty"`

	Limits *billing.Limits `json:"limits,omitempty"`
	// Queue is of calls that wait while all targets are at their limits; nil:
	// they do not wait.
	Queue *router.QueueStatus `json:"queue,omitempty"`
}

// Priced is what a target charges for ordinary tokens of a call that is not
// long, in dollars per million.
type Priced struct {
	Target  string       `json:"target"`
	Input   billing.Nano `json:"input"`
	Output  billing.Nano `json:"output"`
	Source  string       `json:"source"`  // catalogue, file, set (see prices), or built in
	Version string       `json:"version"` // as calls at this price record it
}

// Shadow is a model that a share of another's calls is sent to as well.
type Shadow struct {
	Model string  `json:"model"`
	Share float64 `json:"share"`
}

// Guard is a rule about what may be said to models, and what it did since the
// process began. One in dry run counts what it would have done.
type Guard struct {
	Name       string   `json:"name"`
	On         []string `json:"on"`
	Deny       []string `json:"deny,omitempty"`
	Mask       []string `json:"mask,omitempty"`
	Reversible bool     `json:"reversible,omitempty"`
	Webhook    string   `json:"webhook,omitempty"` // its host
	Call       string   `json:"call,omitempty"`    // the model that decides
	Schema     bool     `json:"schema,omitempty"`
	DryRun     bool     `json:"dry_run"`
	Models     []string `json:"models"` // that have it

	Checked int64 `json:"checked"` // requests and answers
	Denied  int64 `json:"denied"`  // of them
	Masked  int64 `json:"masked"`  // places in them, and texts that were replaced
	Failed  int64 `json:"failed"`  // of them, those about which a webhook or model did not decide
	AvgUS   int64 `json:"avg_us"`  // microseconds that each took, streams left out
}

// Prompt is a prompt that is served.
type Prompt struct {
	Name    string         `json:"name"`
	Path    string         `json:"path"`
	Summary string         `json:"summary,omitempty"`
	Model   string         `json:"model,omitempty"`
	Access  string         `json:"access,omitempty"`
	Team    string         `json:"team,omitempty"` // that publishes it, and decides about subscriptions
	Version int            `json:"version"`        // what the bare path serves
	Labels  map[string]int `json:"labels"`
	Split   map[int]int    `json:"split,omitempty"` // the share of each version that serves the bare path
	Source  string         `json:"source"`          // file, or store
}

// Publication is a prompt to be published.
type Publication struct {
	Name     string
	Source   []byte
	Partials map[string]string // what the source includes, by name
	Message  string
	Author   string
	Force    bool // although its own tests fail
}

// Health is how the replicas are.
type Health struct {
	Status   string    `json:"status"` // ok, or degraded
	Replicas []Replica `json:"replicas"`
}

// Replica is one running gateway.
type Replica struct {
	Name         string    `json:"name"`
	Version      string    `json:"version"`
	Revision     string    `json:"revision"` // of its configuration
	Started      time.Time `json:"started"`
	SpoolRecords int64     `json:"spool_records"` // not yet in the ledger
	Reasons      []string  `json:"reasons"`       // why it is not ok
	Warnings     []string  `json:"warnings"`      // what is wrong although it serves
	// News is what replicas tell each other of keys and targets that are out; absent:
	// they tell nothing.
	News *shared.NewsFigures `json:"news,omitempty"`
}
