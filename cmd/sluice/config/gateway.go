package config

import (
	"net/netip"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

// Provider is one upstream.
type Provider struct {
	// Kind is the wire format. It is empty only where the name is not a kind
	// itself: the catalogue then knows it, or the wiring refuses it.
	Kind        string            `json:"kind" enum:"openai,openai-compatible,azure,anthropic,gemini,vertex,bedrock,mistral,cohere,ollama,voyage,jina,mock"`
	BaseURL     string            `json:"base_url"` // no slash at the end; empty: the catalogue's, or the region's
	Keys        []ProviderKey     `json:"keys"`
	Headers     map[string]Secret `json:"headers"`
	Timeout     Timeout           `json:"timeout"`
	Prices      map[string]Price  `json:"prices"` // by model, or a pattern with *
	MaxResponse Size              `json:"max_response"`
	Limits      billing.Limits    `json:"limits"` // of all callers together, shared by the weights of their teams
	Health      *Health           `json:"health"` // nil: it is not checked

	Region string `json:"region"` // bedrock's; empty only where base_url names it

	Project     string `json:"project"`     // vertex's
	Location    string `json:"location"`    // vertex's
	Credentials Secret `json:"credentials"` // vertex's: the text of a credentials file; empty: keys, or the machine's own

	APIVersion   string `json:"api_version"` // azure's; empty: v1
	Tenant       string `json:"tenant"`      // azure's, for Entra instead of keys
	ClientID     string `json:"client_id"`
	ClientSecret Secret `json:"client_secret"`

	// The mock's own.
	Latency time.Duration `json:"latency"`
	Rate    float64       `json:"rate"` // words a second of a stream; 0: at once
	Fail    Fail          `json:"fail"`
}

// ProviderKey is one account of a provider: Value, or bedrock's access key.
type ProviderKey struct {
	Value  Secret   `json:"value"`
	ID     string   `json:"id"` // bedrock's, with Secret and, where it is temporary, Token
	Secret Secret   `json:"secret"`
	Token  Secret   `json:"token"`
	Weight int64    `json:"weight"` // 1 if not given; 0: never
	Models []string `json:"models"` // patterns; none: all
	// Limits are of the account, whoever calls: those of a minute, and of calls
	// at once.
	Limits billing.Limits `json:"limits"`
}

// Timeout bounds the stages of an upstream call; 0 is no bound.
type Timeout struct {
	Connect   time.Duration `json:"connect"`
	FirstByte time.Duration `json:"first_byte"`
	Idle      time.Duration `json:"idle"` // between two reads of a stream
	Total     time.Duration `json:"total"`
}

// Fail makes the mock fail.
type Fail struct {
	Status int64   `json:"status"` // 0: never
	Share  float64 `json:"share"`  // of calls, from 0 to 1
}

// Price is dollars per million tokens; image and request are dollars each. A
// price that was not given is empty.
type Price struct {
	Input        Dollars `json:"input"`
	Output       Dollars `json:"output"`
	CachedInput  Dollars `json:"cached_input"`
	CacheWrite   Dollars `json:"cache_write"`
	CacheWrite1h Dollars `json:"cache_write_1h"`
	Reasoning    Dollars `json:"reasoning"`
	AudioInput   Dollars `json:"audio_input"`
	AudioOutput  Dollars `json:"audio_output"`
	Image        Dollars `json:"image"`
	Request      Dollars `json:"request"`
	// Above holds the prices of calls with more input tokens than its key; its
	// own prices have no Above.
	Above map[int64]Price `json:"above"`
	// Tiers holds the prices of calls that were served at another service tier
	// than the usual one; its own prices have no Tiers.
	Tiers map[string]Price `json:"tiers"`
}

// Model is a name of the user's own and where its calls go.
type Model struct {
	Balance string `json:"balance" enum:"ordered,weighted,round-robin,least-busy,fastest,cheapest,sticky,adaptive"`
	// Sticky keeps calls together at a target; nil: not given. With another
	// balance than sticky that one serves the calls which have nothing to stay by.
	Sticky      *StickyBy  `json:"sticky"`
	Targets     []Target   `json:"targets"` // at least one
	Retry       Retry      `json:"retry"`
	Fallback    []Fallback `json:"fallback"`
	Breaker     *Breaker   `json:"breaker"` // nil: not given
	Unsupported string     `json:"unsupported" enum:"drop,error"`
	Resume      bool       `json:"resume"` // a text stream that breaks is gone on with by the next target
	// Limits are those of all callers together, of calls that ask for this name.
	Limits billing.Limits `json:"limits"`
	Guard  []string       `json:"guard"` // names under guards:, in order
	// OnDisconnect stands before the team's and billing's; nil: not given.
	OnDisconnect *OnDisconnect `json:"on_disconnect"`
	Cache        *Cache        `json:"cache"`  // nil: no answer is kept
	Hedge        *Hedge        `json:"hedge"`  // nil: no second attempt beside one that is slow
	Queue        *Queue        `json:"queue"`  // nil: what no target has room for is refused
	Shadow       *Shadow       `json:"shadow"` // nil: none
}

// Hedge says when a second attempt is made beside one that is slow.
type Hedge struct {
	After  HedgeAfter `json:"after"`
	Budget float64    `json:"budget"` // the calls that are hedged, as a share of all
}

// Queue is where calls wait while every target is at its limit.
type Queue struct {
	Size int64         `json:"size"` // calls
	Wait time.Duration `json:"wait"` // the longest that one waits
}

// Shadow is another model that a share of the calls is sent to as well.
type Shadow struct {
	Model   string        `json:"model"` // as in Target
	Share   float64       `json:"share"` // of the calls
	Timeout time.Duration `json:"timeout"`
}

// Cache says how long answers are kept, and for whom.
type Cache struct {
	TTL      time.Duration `json:"ttl"`
	Scope    string        `json:"scope" enum:"key,team,all"`
	Price    Percent       `json:"price"`    // of what an answer cost, for giving it again; 0: nothing
	Semantic *Semantic     `json:"semantic"` // nil: answers to exactly the same request only
}

// Semantic is how near in meaning two questions must be.
type Semantic struct {
	Threshold float64 `json:"threshold"` // least cosine between their embeddings
	Model     string  `json:"model"`     // that makes them: as in Target
}

// StickyBy is what of a call keeps it at a target: the user whose it is, the
// key, the x-session-id header, or how its prompt begins.
type StickyBy struct {
	By string `json:"by" enum:"user,key,session,prefix"`
}

// Target is provider/model, or a name under models:.
type Target struct {
	Model  string `json:"model"`
	Weight int64  `json:"weight"` // 1 if not given
}

// Retry is how often a target is tried.
type Retry struct {
	Attempts int64          `json:"attempts"` // per target, the first included
	Backoff  time.Duration  `json:"backoff"`
	On       []schema.Class `json:"on" enum:"rate_limited,overloaded,timeout,connection,server_error,auth,quota,not_found,context_length,content_filter,invalid_request,invalid_output"`
	Budget   float64        `json:"budget"` // extra tries, as a share of calls
}

// Fallback is where a call goes when every target has failed.
type Fallback struct {
	Model string `json:"model"` // as in Target
	// On is the classes it serves; none: every one but context_length,
	// content_filter and invalid_request.
	On []schema.Class `json:"on" enum:"rate_limited,overloaded,timeout,connection,server_error,auth,quota,not_found,context_length,content_filter,invalid_request,invalid_output"`
}

// Breaker says when a target is left alone, and for how long.
type Breaker struct {
	Failures int64         `json:"failures"` // in a row
	Ratio    float64       `json:"ratio"`    // of failed calls
	MinCalls int64         `json:"min_calls"`
	Within   time.Duration `json:"within"`
	OpenFor  time.Duration `json:"open_for"`
	Probes   int64         `json:"probes"` // calls at once while half open
}

// Team is a group of callers that the file declares.
type Team struct {
	Models []string        `json:"models"` // patterns; none: all
	Budget billing.Budgets `json:"budget"` // one, or a list
	Limits billing.Limits  `json:"limits"`
	Weight int64           `json:"weight"` // its share of a provider's limits against other teams; 1 if not given
	Users  billing.People  `json:"users"`  // budgets and limits by user; * is each that is not named
	Tags   billing.People  `json:"tags"`
	Parent string          `json:"parent"`
	// Retention is of the team's entries in the ledger; 0: as the team above, or
	// billing's.
	Retention Days  `json:"retention"`
	Keys      []Key `json:"keys"`
	// OnDisconnect stands before that of the teams above and billing's; nil:
	// not given.
	OnDisconnect *OnDisconnect `json:"on_disconnect"`
	// WhenSpent is likewise.
	WhenSpent *WhenSpent `json:"when_spent"`
	// Prices is what the team is charged, by name or pattern; none: as the
	// nearest team above that has any, or what the providers charge.
	Prices map[string]TeamPrice `json:"prices"`
}

// Plan is what a subscription to a prompt brings with it, for the team that
// subscribed and those below it together.
type Plan struct {
	Budget billing.Budgets `json:"budget"` // its quota: one, or a list
	Limits billing.Limits  `json:"limits"`
	// Prices stand before those of the team; none: as the team is charged.
	Prices map[string]TeamPrice `json:"prices"`
}

// TeamPrice is what a team is charged for a model: a discount or a margin on
// what the provider charges, or a price of its own.
type TeamPrice struct {
	Discount Percent `json:"discount"`
	Margin   Percent `json:"margin"`
	Price
}

// Key is a caller's credential that the file declares.
type Key struct {
	Name    string          `json:"name"`
	Value   Secret          `json:"value"` // or Hash
	Hash    string          `json:"hash"`  // sha256: and the 64 hexadecimal digits of the key, of which then only this is known
	Budget  billing.Budgets `json:"budget"`
	Limits  billing.Limits  `json:"limits"`
	Models  []string        `json:"models"`  // patterns; none: all that the team has
	User    string          `json:"user"`    // whose it is; empty: requests say whose they are
	Prompts []string        `json:"prompts"` // none: all that the team has
	Expires time.Time       `json:"expires"` // zero: never; a date alone is its first moment in UTC
	IPs     []netip.Prefix  `json:"ips"`     // none: from anywhere
	Roles   []string        `json:"roles"`   // at routes; none: it may use all that ask for none
}

// DefaultRetry is the retry of a model that says nothing of it, and of
// provider/model called by that name.
func DefaultRetry() Retry {
	return Retry{Attempts: 2, Backoff: 100 * time.Millisecond, Budget: 0.2, On: []schema.Class{
		schema.ClassRateLimited, schema.ClassOverloaded, schema.ClassTimeout,
		schema.ClassConnection, schema.ClassServerError}}
}

// DefaultBreaker fills what an explicit breaker leaves out, and serves where
// there is none.
func DefaultBreaker() Breaker {
	return Breaker{Failures: 5, Ratio: 0.5, MinCalls: 20, Within: 30 * time.Second,
		OpenFor: 15 * time.Second, Probes: 1}
}

// DefaultProvider is a provider of which nothing is said: its timeouts and its
// bound on answers.
func DefaultProvider() Provider {
	return Provider{MaxResponse: 64 << 20, Timeout: Timeout{Connect: 5 * time.Second,
		FirstByte: 5 * time.Minute, Idle: 2 * time.Minute, Total: 15 * time.Minute}}
}

func defaultHedge() Hedge { return Hedge{Budget: 0.1} }

func defaultQueue() Queue { return Queue{Size: 100, Wait: 10 * time.Second} }

func defaultTeam() Team { return Team{Weight: 1} }

func defaultModel() Model {
	return Model{Balance: "ordered", Retry: DefaultRetry(), Unsupported: "drop"}
}
