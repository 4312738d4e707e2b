package gateway

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"sluice/billing"
	"sluice/gateway/guard"
	"sluice/gateway/limit"
	"sluice/gateway/proxy"
	"sluice/gateway/telemetry"
	"sluice/providers"
	"sluice/providers/schema"
	"sluice/router"
)

// Snapshot is all that a call reads of the configuration: immutable, swapped
// whole. A call loads it once, so that a change never splits a call.
type Snapshot struct {
	Settings Settings
	Public   *Caller              // of calls without a key, to public prompts; has no hash
	Tester   *Caller              // of the tests of prompts; has no hash
	Shadow   *Caller              // of shadow calls; has no hash. nil: none are made
	callers  map[[32]byte]*Caller // by their salted hashes
	salt     billing.Salt
	owners   *billing.Owners
	models   map[string]*Model
	bare     map[string]string // a bare model id that one provider has → provider/model
	list     []ModelInfo
	registry *router.Registry
	routes   *proxy.Tree // nil: there are none

	providers map[string]*Provider
	direct    sync.Map     // provider/model → *Model, made at first use
	directN   atomic.Int64 // how many; bounded, callers choose the names
}

// Settings are the configuration's plain values.
type Settings struct {
	BodyLimit      int64
	TrustedProxies []netip.Prefix
	HoldTokens     int64 // output held for when the caller sets no limit
	Unpriced       billing.UnpricedPolicy
	Leaving        Leaving
	WhenSpent      WhenSpent
	Location       *time.Location // of days and months in reports and budgets
	// Defaults are the providers of calls without a model, by what they are
	// for: files, batches, moderations, images.
	Defaults map[string]string
	// PeerConnections is how many connections an address may have open; 0: any
	// number. BodyRate is how many bytes of a body must come in a second, on
	// average and after a first time; 0: any.
	PeerConnections, BodyRate int64
	Guesses                   *limit.Guesses // nil: wrong credentials are not counted
	Capture                   *Capture       // nil: nothing is told of bodies
	Answers                   string         // stands for all of the configuration that the answers of models depend on
}

// Leaving is what happens to a call whose caller has left: it is cut, or goes
// on within bounds, of which a zero is none. Tokens are of output, taken as
// four bytes of text each: where no text is metered (a file, speech) they bound
// nothing.
type Leaving struct {
	Drain  bool
	Tokens int64
	Time   time.Duration
}

// Caller is a key with all that its calls need, resolved.
type Caller struct {
	Key   *billing.Key
	Label string // team/name
	Owner *billing.Owner
	// Leaving is that of its nearest team which has one; nil: none has.
	Leaving *Leaving
	// WhenSpent is likewise.
	WhenSpent *WhenSpent
	// Rates is what its nearest team which has any is charged; nil: what the
	// providers charge.
	Rates *billing.Rates
	// Subscriptions are those of its nearest team that has one, by prompt or
	// RouteSubject; nil: there are none.
	Subscriptions map[string]*Subscription

	used atomic.Bool // since its last use was asked for
}

// Provider is an enabled provider with what is known of its models.
type Provider struct {
	Name    string
	Kind    string // of its wire format
	BaseURL string // empty: within the process
	Client  *providers.Provider
	Pool    *router.Pool
	Health  *router.Health // nil: it is not checked
	// Describe tells of a model, also of one that the catalogue has not.
	Describe func(model string) Description
	Models   []string        // those that are known, for lists
	Dearest  *billing.Prices // its dearest model's: what an unpriced one is estimated at
	Limits   *billing.Owner  // what may be asked of it, shared between the teams; nil: no limits

	queues []*router.Queue // of the models that reach it
}

// Description is what is known of one provider's model.
type Description struct {
	Prices    *billing.Prices // nil: no price is known
	Later     []billing.Dated // what counts in its place from a time on, oldest first
	MaxOutput int64           // tokens; 0: not known
	Context   int64           // tokens; 0: not known
	Created   int64
	// NoReasoning: the catalogue knows the model, and that it does not reason.
	NoReasoning bool
}

// Target is one provider's model: what an attempt needs.
type Target struct {
	Name     string // provider/model
	Provider *Provider
	Model    string
	Prices   *billing.Prices // until one of Later does
	Later    []billing.Dated
	Max      int64 // output tokens; 0: not known
	// NoReasoning: it is known that the model does not reason.
	NoReasoning bool
}

// kind is the wire format of the target's provider; empty: it has none.
func (t *Target) kind() string {
	if t.Provider == nil {
		return ""
	}
	return t.Provider.Kind
}

// PricesAt is the prices in force at a time; nil: none is known.
func (t *Target) PricesAt(now time.Time) *billing.Prices {
	p := t.Prices
	for i := range t.Later {
		if t.Later[i].From.After(now) {
			break
		}
		if p = t.Later[i].Prices; p == nil {
			p = t.Prices
		}
	}
	return p
}

// Model is a name that callers may ask for.
type Model struct {
	Name    string
	Route   *router.Route
	Targets []*Target      // every one that a call may reach, fallbacks included
	Refuse  bool           // unsupported: error
	Leaving *Leaving       // nil: as the caller's team, or the settings, say
	Direct  bool           // a provider's own model, not a name under models:
	Limits  *billing.Owner // of all callers together; nil: none
	Guards  *guard.Set     // nil: none
	Caching *Caching       // nil: no answer is kept
	Resume  bool           // a text stream that breaks is gone on with by the next target
	Shadow  *Shadow        // nil: its calls are made once
}

// maxDirect bounds the routes made for names that callers chose, maxName the
// bytes of a name.
const (
	maxDirect = 4096
	maxName   = 512
)

// Parts are what a Snapshot is built from.
type Parts struct {
	Settings  Settings
	Owners    *billing.Owners
	Callers   []*Caller
	Salt      billing.Salt // of the store that keys come from
	Models    []*Model
	Providers []*Provider
	// Bare maps bare model ids to provider/model.
	Bare map[string]string
	// List is what GET /v1/models shows, before grants.
	List []ModelInfo
	// Registry keeps what is learnt of targets, also of those first asked for
	// by a call.
	Registry *router.Registry
	Routes   *proxy.Tree // nil: there are none
}

// NewSnapshot indexes the parts.
func NewSnapshot(p Parts) *Snapshot {
	s := &Snapshot{
		Settings: p.Settings, owners: p.Owners, bare: p.Bare, list: p.List, registry: p.Registry, routes: p.Routes, salt: p.Salt,
		callers:   make(map[[32]byte]*Caller, len(p.Callers)),
		models:    make(map[string]*Model, len(p.Models)),
		providers: make(map[string]*Provider, len(p.Providers)),
	}
	for _, c := range p.Callers {
		if c.Key.Hash == ([32]byte{}) { // nobody's key
			switch c.Key.ID {
			case TesterID:
				s.Tester = c
			case billing.ShadowTeam:
				c.WhenSpent = &WhenSpent{} // another model's answers would say nothing
				s.Shadow = c
			default:
				s.Public = c
			}
			continue
		}
		s.callers[c.Key.SaltedHash(&s.salt)] = c
	}
	for _, m := range p.Models {
		s.models[m.Name] = m
	}
	for _, p := range p.Providers {
		s.providers[p.Name] = p
	}
	s.findQueues()
	return s
}

// declare gives the targets of the configuration their own series, before
// callers' made-up names use up the bound on them.
func (s *Snapshot) declare(m *telemetry.Metrics) {
	for _, model := range s.models {
		for _, t := range model.Targets {
			m.Declare(t.Name, t.Provider.Name)
		}
	}
}

// Caller finds the key with this hash of HashKey, in force at now: nil if there is none.
func (s *Snapshot) Caller(hash [32]byte, now time.Time) *Caller {
	c := s.callers[s.salt.Of(hash)]
	if c == nil || !c.Key.InForce(now) {
		return nil
	}
	return c
}

// may tells whether the caller has been granted one of the names of a model.
func (c *Caller) may(names ...string) bool {
	return slices.ContainsFunc(names, c.Owner.AllowsModel)
}

// Resolve finds the model of a name: one under models:, provider/model, or a
// bare id that exactly one enabled provider has.
func (s *Snapshot) Resolve(name string) (*Model, error) {
	if !isName(name) {
		return nil, noSuchModel(name)
	}
	if m := s.models[name]; m != nil {
		return m, nil
	}
	if m, ok := s.direct.Load(name); ok {
		return m.(*Model), nil
	}
	full := name
	provider, model, ok := splitTarget(name)
	p := s.providers[provider]
	if !ok || p == nil {
		if full, ok = s.bare[name]; !ok {
			return nil, noSuchModel(name)
		}
		provider, model, _ = splitTarget(full)
		p = s.providers[provider]
	}
	if p == nil || model == "" {
		return nil, noSuchModel(name)
	}
	name = strings.Clone(name) // it may be a view of the request
	t := NewTarget(p, strings.Clone(model))
	if s.directN.Add(1) > maxDirect {
		return NewDirectModel(name, t, nil), nil
	}
	m, _ := s.direct.LoadOrStore(name, NewDirectModel(name, t, s.registry))
	return m.(*Model), nil
}

// isName tells whether a caller's words may be a model's name: it is told in
// headers, logs and metrics.
func isName(s string) bool {
	return len(s) <= maxName && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// NewTarget makes the target of a provider's model.
func NewTarget(p *Provider, model string) *Target {
	d := p.Describe(model)
	return &Target{Name: p.Name + "/" + model, Provider: p, Model: model, Prices: d.Prices, Later: d.Later, Max: d.MaxOutput,
		NoReasoning: d.NoReasoning}
}

// NewDirectModel is the model of a provider's own name, which needs no entry
// under models:. Without a registry, what is learnt of its target is forgotten
// with it.
func NewDirectModel(name string, t *Target, registry *router.Registry) *Model {
	standing := router.NewTarget(t.Name, router.Breaker{})
	if registry != nil {
		standing = registry.Target(t.Name, router.Breaker{})
	}
	r := &router.Route{Name: name, Candidates: []router.Candidate{{
		Target: standing, Pool: t.Provider.Pool, Health: t.Provider.Health, Model: t.Model, Payload: t,
	}}}
	if err := r.Prepare(); err != nil {
		panic(err) // a lone target with the defaults is always a route
	}
	return &Model{Name: name, Route: r, Targets: []*Target{t}, Direct: true}
}

// splitTarget cuts provider/model at the first slash.
func splitTarget(name string) (provider, model string, ok bool) {
	for i := range len(name) {
		if name[i] == '/' {
			return name[:i], name[i+1:], true
		}
	}
	return "", name, false
}

func noSuchModel(name string) *schema.Error {
	if len(name) > 200 {
		name = name[:200] + "…"
	}
	return &schema.Error{Code: schema.CodeModelNotFound, Status: 404, Origin: schema.OriginGateway, Param: "model",
		Class: schema.ClassNotFound, Message: "The model '" + name + "' does not exist."}
}
