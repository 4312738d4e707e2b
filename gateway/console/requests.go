package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
	"sluice/gateway/guard"
	"sluice/router"
)

// call is a request as the ledger has it.
type call struct {
	ID        string    `json:"id"`
	Call      string    `json:"call"`
	Time      time.Time `json:"time"`
	Team      string    `json:"team"`
	Key       string    `json:"key"`
	User      string    `json:"user"`
	Operation string    `json:"operation"`
	Model     string    `json:"model"`
	Prompt    string    `json:"prompt"`
	Version   int       `json:"version"`
	Stream    bool      `json:"stream"`
	Tags      []string  `json:"tags"`
	outcome
	bill
	Corrections []correction  `json:"corrections"`
	Net         *billing.Nano `json:"net_usd"`
	Route       *routed       `json:"route"` // nil: it is a call of a model
}

// routed is a request to a route of the classic gateway.
type routed struct {
	Name    string `json:"name"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	IP      string `json:"ip"`
	Version string `json:"version"`
	Arm     string `json:"arm"`
	Error   string `json:"error"`
}

// outcome is what became of a call.
type outcome struct {
	Provider  string               `json:"provider"`
	Target    string               `json:"target"`
	Status    int                  `json:"status"`
	Code      string               `json:"code"`
	Origin    string               `json:"origin"`
	Refused   bool                 `json:"refused"`
	Attempts  []billing.AttemptLog `json:"attempts"`
	LatencyMS int64                `json:"latency_ms"`
	TTFTMS    *int64               `json:"ttft_ms"`
	Cache     string               `json:"cache"`
	Guards    []guard.Record       `json:"guards"`
	Left      bool                 `json:"disconnect"`
	Delivered int64                `json:"delivered_tokens"`
	Trace     string               `json:"trace_id"`
}

// bill is what a call used and cost.
type bill struct {
	Tokens struct {
		Input       int64 `json:"input"`
		CachedInput int64 `json:"cached_input"`
		CacheWrite  int64 `json:"cache_write"`
		Output      int64 `json:"output"`
		Reasoning   int64 `json:"reasoning"`
		AudioInput  int64 `json:"audio_input"`
		AudioOutput int64 `json:"audio_output"`
		Images      int64 `json:"images"`
	} `json:"tokens"`
	Tier     string       `json:"service_tier"`
	Source   string       `json:"source"`
	USD      billing.Nano `json:"usd"`
	Excess   billing.Nano `json:"excess_usd"`
	Saved    billing.Nano `json:"saved_usd"`
	Provided billing.Nano `json:"provider_usd"`
	Price    string       `json:"price_version"`
}

type correction struct {
	Time   time.Time    `json:"time"`
	USD    billing.Nano `json:"usd"`
	Reason string       `json:"reason"`
}

// search is the page of calls.
type search struct {
	Calls []call
	Older string // where the next page is; empty: there is none
	First bool   // the newest are shown
	Asked bool   // the search is narrowed
}

// filters are the fields of the search, as the API calls them.
var filters = []string{"from", "to", "team", "key", "model", "prompt", "status", "tag", "min_usd", "q"}

// requests lists calls, newest first; with ?part=rows it is the rows alone.
func (v *visit) requests() error {
	asked := v.URL.Query()
	query, s := url.Values{"limit": {"50"}}, search{First: !asked.Has("after")}
	for _, name := range filters {
		if text := asked.Get(name); text != "" {
			query.Set(name, text)
			s.Asked = true
		}
	}
	for _, name := range []string{"from", "to"} {
		if query.Has(name) {
			query.Set(name, v.c.moment(query.Get(name)))
		}
	}
	if after := asked.Get("after"); after != "" {
		query.Set("after", after)
	}
	var l list[call]
	p := page{Title: "Requests", Form: form{Values: asked, Which: "search"}}
	status := http.StatusOK
	if err := v.get("requests", query, &l); err != nil {
		if p.Form, err = refused("search", asked, err, filters...); err != nil {
			return err
		}
		status = p.Form.Status
	}
	s.Calls = l.Data
	if l.Next != nil {
		next := clone(asked)
		next.Set("after", *l.Next)
		next.Del("part")
		s.Older = "/requests?" + next.Encode()
	}
	p.Data = s
	name := "requests.html"
	if asked.Get("part") == "rows" {
		name = "call-rows"
	}
	return v.show(status, name, p)
}

// path is the page of one call.
type path struct {
	call
	Fall    []lane
	Explain *router.Explanation // what a call would choose among now; nil: not told
}

// request shows one call and its path.
func (v *visit) request() error {
	var p path
	if err := v.get("requests/"+url.PathEscape(v.PathValue("id")), nil, &p.call); err != nil {
		return err
	}
	p.Fall = fall(&p.call)
	of := url.Values{"model": {p.Model}}
	if r := p.Route; r != nil {
		of = url.Values{"path": {r.Path}, "method": {r.Method}, "team": {p.Team}, "ip": {r.IP}}
	}
	if admin.May(v.who.Role, "GET /admin/v1/explain") && (p.Model != "" || p.Route != nil) {
		var e router.Explanation
		if err := v.explain(of, &e); err == nil && len(e.Candidates) > 0 {
			p.Explain = &e
		}
	}
	return v.show(http.StatusOK, "request.html", page{Title: "Call " + p.ID, Data: &p})
}

// explain asks what a call of a model, or a request to a route, is weighed
// between now.
func (v *visit) explain(of url.Values, out *router.Explanation) error {
	var answer struct {
		Candidates []router.Weighed `json:"candidates"`
		Chosen     string           `json:"chosen"`
	}
	err := v.get("explain", of, &answer)
	out.Candidates, out.Chosen = answer.Candidates, answer.Chosen
	return err
}

// Why says in words why a call ended as it did; empty: it went well.
func (c *call) Why() string {
	switch {
	case c.Left:
		return "The caller left before the answer was whole."
	case c.Route != nil && c.Status >= 400:
		return c.Route.why(c)
	case c.Refused:
		return "We refused it (" + c.Code + "): no provider was asked." + reasons[c.Code]
	case c.Status < 400:
		return ""
	case c.Origin == "provider":
		return "The provider failed (" + c.Code + ")." + reasons[c.Code]
	case c.Origin == "policy":
		return "A policy of ours said no (" + c.Code + ")." + reasons[c.Code]
	}
	return "It failed (" + c.Code + ")." + reasons[c.Code]
}

// why says it of a request to a route that was not answered well.
func (r *routed) why(c *call) string {
	switch {
	case c.Code == "":
		return "The backend answered so."
	case c.Refused:
		return "We refused it (" + c.Code + "): no backend was asked. " + r.Error
	case c.Origin == "provider":
		return "The backend failed (" + c.Code + "). " + r.Error
	}
	return "It failed (" + c.Code + "). " + r.Error
}

// reasons are what the codes of errors mean for an operator.
var reasons = map[string]string{
	"insufficient_quota":      " A hard budget of the key, its team or a team above is spent.",
	"rate_limit_exceeded":     " A limit of requests, tokens or calls at once was reached, ours or the provider's.",
	"model_not_allowed":       " Neither the key nor its team is granted the model.",
	"model_not_found":         " No model, target or provider has this name.",
	"model_unpriced":          " The model has no price, and the caller has a budget: set a price.",
	"content_blocked":         " A guard said no: see below.",
	"upstream_auth":           " The provider refused its key: change it in the configuration.",
	"upstream_error":          " Every target that was tried failed: see the attempts.",
	"upstream_timeout":        " No target answered in time.",
	"no_target":               " Every breaker was open, or every key cooling.",
	"context_length_exceeded": " The input is longer than the model takes.",
	"invalid_request":         " The request itself was not understood.",
}

// lane is one stretch of a call's time, drawn as SVG: X and Width are in
// thousandths of the call.
type lane struct {
	X, Width int64
	First    int64 // where the first byte came; 0: it is not shown
	Name     string
	Kind     string // a class: bad, wait, or nothing
}

const laneWidth = 1000

// fall lays the attempts of a call out one after the other, the way they were
// made; what none of them took is the gateway's own, or a wait between them.
func fall(c *call) []lane {
	var sum int64
	for _, a := range c.Attempts {
		sum += a.LatencyMS
	}
	whole := max(c.LatencyMS, sum, 1)
	var lanes []lane
	add := func(name, kind string, from, took int64) {
		lanes = append(lanes, lane{X: min(from*laneWidth/whole, laneWidth-3), Width: max(took*laneWidth/whole, 3),
			Name: name + ", " + milliseconds(took), Kind: kind})
	}
	add("The whole call", "", 0, c.LatencyMS)
	if c.TTFTMS != nil && c.Stream {
		lanes[0].First = min(*c.TTFTMS*laneWidth/whole, laneWidth)
	}
	end := c.LatencyMS
	if c.TTFTMS != nil && c.Stream && sum <= *c.TTFTMS { // attempts end where their stream begins
		end = *c.TTFTMS
	}
	at := max(end-sum, 0)
	if len(c.Attempts) > 0 && at > 0 {
		add("Sluice: checks, limits, guards and waiting", "wait", 0, at)
	}
	for _, a := range c.Attempts {
		kind, name := "", a.Target
		if a.Call != "" {
			name = a.Call + ": " + name
		}
		if a.Status >= 400 || a.Code != "" {
			kind, name = "bad", name+": "+statusOf(a)
		}
		add(name, kind, at, a.LatencyMS)
		at += a.LatencyMS
	}
	if end < c.LatencyMS {
		add("The stream", "", end, c.LatencyMS-end)
	}
	return lanes
}

func statusOf(a billing.AttemptLog) string {
	if a.Status == 0 {
		return a.Code
	}
	return strings.TrimSpace(count(int64(a.Status)) + " " + a.Code)
}
