package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Route is a rule of the classic gateway: which requests it is for, and what
// becomes of them.
type Route struct {
	Name    string        `json:"name"`
	Match   RouteMatch    `json:"match"`
	Backend Backend       `json:"backend"`
	Auth    *RouteAuth    `json:"auth"`    // nil: open to all
	Limits  *RouteLimits  `json:"limits"`  // nil: none
	Cache   *RouteCache   `json:"cache"`   // nil: nothing is kept
	Retry   *RouteRetry   `json:"retry"`   // nil: the next target, where one could not be reached or did not answer
	Timeout time.Duration `json:"timeout"` // until an answer begins, and between two pieces of it; 0: no bound
	Breaker *RouteBreaker `json:"breaker"` // nil: not given

	Versioning *RouteVersioning `json:"versioning"` // nil: it has none of its own
	CORS       *RouteCORS       `json:"cors"`       // nil: nothing is said of other origins
	Validate   *RouteValidate   `json:"validate"`   // nil: nothing is looked into
	Transform  *RouteTransform  `json:"transform"`  // nil: what comes goes on as it is
	IPs        *RouteIPs        `json:"ips"`        // nil: from anywhere
	WAF        *RouteWAF        `json:"waf"`        // nil: nobody looks for attacks

	Policies []RoutePolicy `json:"policies"` // in their order
	Faults   *RouteFaults  `json:"faults"`   // nil: none are made
}

// RouteMatch is what a request must be; what is empty lets all pass.
type RouteMatch struct {
	Host    string                `json:"host"`
	Path    string                `json:"path"`
	Methods []string              `json:"methods"`
	Headers map[string]MatchValue `json:"headers"`
	Query   map[string]MatchValue `json:"query"`
	Version string                `json:"version"`
}

// MatchValue is what a header or a parameter of the query must be.
type MatchValue struct {
	Value   string // a text alone; * is any value
	Pattern string `json:"pattern"` // a regular expression that a whole value fits, in the place of Value
}

// Backend is what answers: one of these.
type Backend struct {
	HTTP     *HTTPBackend   `json:"http"`
	Static   *StaticAnswer  `json:"static"`
	Redirect *RouteRedirect `json:"redirect"`
	Compose  *RouteCompose  `json:"compose"`
	Mock     *RouteMock     `json:"mock"`
}

// HTTPBackend is one or several servers.
type HTTPBackend struct {
	Targets      []BackendTarget `json:"targets"`
	Balance      string          `json:"balance" enum:"weighted,round-robin,least-connections,fastest,hash"`
	Hash         *BackendHash    `json:"hash"`
	StripPrefix  string          `json:"strip_prefix"`
	PreserveHost bool            `json:"preserve_host"`
	Health       *BackendHealth  `json:"health"`   // nil: targets are not checked
	TLS          *BackendTLS     `json:"tls"`      // nil: https with the system's roots
	Discover     *Discover       `json:"discover"` // nil: Targets are all that there are
	Mirror       Mirrors         `json:"mirror"`   // none: nobody gets copies
	Canary       *BackendCanary  `json:"canary"`   // nil: there is none
	Sign         *BackendSign    `json:"sign"`     // nil: requests are not signed
}

// BackendTarget is one server; its URL may stand for it.
type BackendTarget struct {
	URL    string `json:"url"`
	Weight int64  `json:"weight"` // 1 if not given; 0: drained
}

// BackendHash is what keeps requests at a target: ip, header:X, cookie:X or
// query:x.
type BackendHash struct {
	By string `json:"by"`
}

// StaticAnswer is always the same.
type StaticAnswer struct {
	Status  int64             `json:"status"` // 200 if not given
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// RouteRedirect sends callers elsewhere.
type RouteRedirect struct {
	To     string `json:"to"`     // {name} is a parameter of the path
	Status int64  `json:"status"` // 308 if not given
}

// RouteLimits are how much may be asked of a route.
type RouteLimits struct {
	Rate     Rate   `json:"rate"`
	Per      string `json:"per"` // key, ip, team, header:X or route; empty: key where one is required, else ip
	Burst    int64  `json:"burst"`
	Parallel int64  `json:"parallel"`
	Exact    bool   `json:"exact"` // replicas take from each other no more than requests wait for

	Throttle *RouteThrottle `json:"throttle"` // nil: what is too much is refused at once
	Failures Rate           `json:"failures"` // answers of 401 to one address, or about one account; zero: any number

	Adaptive *RouteAdaptive `json:"adaptive"` // nil: the backend gets any number at once
}

// RouteAdaptive bounds how many requests a backend gets at once, by how long it
// takes for them.
type RouteAdaptive struct {
	Min int64 `json:"min"`
	Max int64 `json:"max"`
}

// Rate is so many requests in any stretch of a time.
type Rate struct {
	Requests int64
	Per      time.Duration
}

// UnmarshalText reads 100/1m, or 100/m, or none.
func (r *Rate) UnmarshalText(text []byte) error {
	if string(text) == "none" {
		*r = Rate{}
		return nil
	}
	count, per, _ := strings.Cut(string(text), "/")
	n, err := strconv.ParseInt(count, 10, 64)
	if per != "" && (per[0] < '0' || per[0] > '9') {
		per = "1" + per
	}
	d, perErr := time.ParseDuration(per)
	if err != nil || perErr != nil || n < 1 || d < time.Millisecond {
		return errors.New("want requests and a time such as 100/1m")
	}
	*r = Rate{n, d}
	return nil
}

// RouteRetry is how often a target is tried.
type RouteRetry struct {
	Attempts int64         `json:"attempts"` // per target, the first included
	Backoff  time.Duration `json:"backoff"`
	Budget   float64       `json:"budget"`  // extra tries, as a share of requests
	Methods  []string      `json:"methods"` // none: those that do the same when they are done twice
}

// RouteBreaker says when a target is left alone, and what is answered where all
// are.
type RouteBreaker struct {
	Breaker
	Fallback *RouteFallback `json:"fallback"` // nil: an error
}

// RouteFallback is who answers in place of a backend: it says what, or names
// other servers, or a route whose backend does.
type RouteFallback struct {
	Status int64  `json:"status"` // 503 if not given
	JSON   JSON   `json:"json"`
	Body   string `json:"body"` // instead of JSON

	Targets []BackendTarget `json:"targets"`
	Route   string          `json:"route"`
}

// JSON is a value of any form, as JSON; empty where none was given.
type JSON []byte

func defaultRoute() Route { return Route{Timeout: time.Minute} }

// DefaultRouteRetry fills what an explicit retry leaves out.
func DefaultRouteRetry() RouteRetry {
	return RouteRetry{Attempts: 2, Backoff: 100 * time.Millisecond, Budget: 0.2}
}

// json writes a value of any form as JSON. What was written as a text, in
// quotes or not, stays one.
func (d *decoder) json(path []string, raw any) JSON {
	var b bytes.Buffer
	switch raw := raw.(type) {
	case nil:
		return JSON("null")
	case map[string]any:
		b.WriteByte('{')
		for i, key := range sortedKeys(raw) {
			if i > 0 {
				b.WriteByte(',')
			}
			name, _ := json.Marshal(key) // of a string: it cannot fail
			b.Write(append(append(name, ':'), d.json(below(path, key), raw[key])...))
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range raw {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(d.json(below(path, strconv.Itoa(i)), item))
		}
		b.WriteByte(']')
	case string:
		if !d.origin.find(path).text && json.Valid([]byte(raw)) {
			return JSON(raw)
		}
		text, _ := json.Marshal(raw)
		return text
	}
	return b.Bytes()
}

var jsonType = reflect.TypeFor[JSON]()
