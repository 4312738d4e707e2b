package admin

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/gateway/audit"
	"sluice/providers/schema"
	"sluice/router"
)

// recorded is how a change of a route stands in the audit trail.
type recorded struct {
	action string
	// state is what the change is of, before it and after it. nil: nothing is
	// told of before, and the answer tells what is after it.
	state func(*api, *request) any
	made  bool // the answer tells what is after it, although there is a state
}

// records are the changes, by the lines of the table of routes. One that is
// missing here is recorded under its line.
var records = map[string]recorded{
	"POST /admin/v1/teams":          {action: "team.create"},
	"PUT /admin/v1/teams/{name}":    {action: "team.update", state: (*api).teamState},
	"DELETE /admin/v1/teams/{name}": {action: "team.delete", state: (*api).teamState},

	"POST /admin/v1/keys":             {action: "key.create"},
	"PUT /admin/v1/keys/{id}":         {action: "key.update", state: (*api).keyState},
	"DELETE /admin/v1/keys/{id}":      {action: "key.revoke", state: (*api).keyState},
	"POST /admin/v1/keys/{id}/rotate": {action: "key.rotate", state: (*api).keyState, made: true},

	"POST /admin/v1/corrections": {action: "correction.create"},
	"POST /admin/v1/erasures":    {action: "erasure.create"},
	"POST /admin/v1/prices":      {action: "price.set"},

	"DELETE /admin/v1/prompts/{name}":       {action: "prompt.withdraw", state: (*api).labelState},
	"PUT /admin/v1/prompts/{name}/labels":   {action: "prompt.label", state: (*api).labelState},
	"PUT /admin/v1/prompts/{name}/split":    {action: "prompt.split", state: (*api).splitState},
	"POST /admin/v1/prompts/{name}/publish": {action: "prompt.publish", state: (*api).labelState, made: true},
	"POST /admin/v1/prompts/{name}/test":    {action: "prompt.test"}, // it costs money

	"POST /admin/v1/subscriptions":              {action: "subscription.create"},
	"POST /admin/v1/subscriptions/{id}/approve": {action: "subscription.approve", state: (*api).subscriptionState},
	"POST /admin/v1/subscriptions/{id}/reject":  {action: "subscription.reject", state: (*api).subscriptionState},
	"DELETE /admin/v1/subscriptions/{id}":       {action: "subscription.revoke", state: (*api).subscriptionState},

	"POST /admin/v1/providers/{name}/breakers/{target...}": {action: "breaker.set", state: (*api).breakerState},
	"POST /admin/v1/routes":                                {action: "route.create"},
	"DELETE /admin/v1/routes/{name}":                       {action: "route.delete"},
	"POST /admin/v1/alerts/{name}/mute":                    {action: "alert.mute"},
	"DELETE /admin/v1/alerts/{name}/mute":                  {action: "alert.unmute"},
	"DELETE /admin/v1/cache":                               {action: "cache.purge"},
	"PUT /admin/v1/config":                                 {action: "config.put", state: (*api).revisionState},
	"POST /admin/v1/config/rollback":                       {action: "config.rollback", state: (*api).revisionState},
	"POST /admin/v1/reload":                                {action: "config.reload", state: (*api).revisionState},
}

// questions are the routes that change nothing although they are no GET.
var questions = []string{"POST /admin/v1/usage/reprice", "POST /admin/v1/usage/reconcile", "POST /admin/v1/config/validate", "POST /admin/v1/config/diff"}

func (r *route) line() string { return r.method + " " + r.path }

// changes tells whether a route may change something.
func (r *route) changes() bool {
	return r.method != http.MethodGet && !slices.Contains(questions, r.line())
}

// begun is the record of a request before anything came of it.
func (q *request) begun(action, ip string, status int) audit.Record {
	resource := strings.TrimPrefix(q.URL.Path, "/admin/v1/")
	if q.URL.RawQuery != "" {
		resource += "?" + q.URL.RawQuery
	}
	return audit.Record{Actor: cmp.Or(q.id.Name, string(q.id.Role)), Role: string(q.id.Role), IP: ip, Action: action,
		Resource: shortened(resource), Status: status, RequestID: q.requestID}
}

func shortened(text string) string {
	const most = 500
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "�")
}

// record serves a route that changes something, with a record of it in the
// audit trail. Where none can be kept nothing is changed.
func (a *api) record(q *request, r *route) error {
	how := records[r.line()]
	rec := q.begun(cmp.Or(how.action, r.line()), a.ClientIP(q.Request), 0)
	if how.state != nil && slices.Contains(r.roles, q.id.Role) {
		rec.Before = audit.State(how.state(a, q))
	}
	out := &held{ResponseWriter: q.w}
	err := a.Trail.Do(q.Context(), rec, func(rec *audit.Record) {
		q.w = out
		defer func() { q.w = out.ResponseWriter }()
		if err := a.use(q, r); err != nil {
			a.fail(q, err)
		}
		if rec.Status = out.status; out.status >= 300 {
			return
		}
		if rec.After = audit.State(out.body.Bytes()); how.state != nil && !how.made {
			rec.After = audit.State(how.state(a, q))
		}
		if r.method == http.MethodPost && !strings.Contains(r.path, "{") { // into a collection
			made := gjson.GetManyBytes(rec.After, "id", "name")
			if id := cmp.Or(made[0].String(), made[1].String()); id != "" {
				rec.Resource = shortened(rec.Resource + "/" + id)
			}
		}
	})
	if err != nil {
		a.Log.Error("a change was refused", "method", q.Method, "path", q.URL.Path, "error", err)
		return &schema.Error{Code: schema.CodeUnavailable, Status: http.StatusServiceUnavailable, Origin: schema.OriginGateway,
			Message: "nothing was changed: the audit record of it cannot be written; the log tells why", RetryAfter: time.Second, Cause: err}
	}
	out.send()
	return nil
}

// held keeps an answer until its record is written.
type held struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (h *held) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

func (h *held) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(b)
}

func (h *held) send() {
	h.ResponseWriter.WriteHeader(cmp.Or(h.status, http.StatusOK))
	_, _ = h.ResponseWriter.Write(h.body.Bytes()) // the client may have left
}

// requestID is the client's, if it is sane, or else a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return strings.ToLower(rand.Text())
	}
	return id
}

// teamState is what was said of a team.
func (a *api) teamState(q *request) any {
	view := a.View()
	t := view.Team(q.PathValue("name"))
	if t == nil {
		return nil
	}
	return struct {
		Name   string          `json:"name"`
		Parent string          `json:"parent,omitempty"`
		Models []string        `json:"models"`
		Limits billing.Limits  `json:"limits"`
		Weight int64           `json:"weight"`
		Budget billing.Budgets `json:"budget"`
		Users  billing.People  `json:"users,omitempty"`
		Tags   billing.People  `json:"tags,omitempty"`
	}{t.Name, t.Parent, notNil(t.Models), t.Limits, max(t.Weight, 1), t.Budgets, t.Users, t.Tags}
}

func (a *api) keyState(q *request) any {
	view := a.View()
	k := view.Key(q.PathValue("id"))
	if k == nil {
		return nil
	}
	return showKeyOf(k, "")
}

func (a *api) labelState(q *request) any {
	labels, err := a.Prompts.Labels(q.Context(), q.PathValue("name"))
	if err != nil || len(labels) == 0 {
		return nil
	}
	return labels
}

func (a *api) splitState(q *request) any {
	if a.SplitReport == nil {
		return nil
	}
	r := a.SplitReport(q.PathValue("name"))
	if r == nil || r.Stopped != "" {
		return map[int]int{}
	}
	return r.Shares
}

func (a *api) subscriptionState(q *request) any {
	s, err := a.subscription(q)
	if err != nil {
		return nil
	}
	return s
}

func (a *api) breakerState(q *request) any {
	target := q.PathValue("target")
	for _, p := range a.View().Providers {
		i := slices.IndexFunc(p.Targets, func(t router.TargetStatus) bool { return t.ID == target || t.ID == p.Name+"/"+target })
		if i >= 0 && p.Name == q.PathValue("name") {
			return map[string]any{"target": p.Targets[i].ID, "state": p.Targets[i].State, "mode": p.Targets[i].Mode}
		}
	}
	return nil
}

func (a *api) revisionState(*request) any {
	for _, r := range a.Health().Replicas {
		return map[string]string{"revision": r.Revision}
	}
	return nil
}
