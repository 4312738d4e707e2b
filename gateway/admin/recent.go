package admin

import (
	"encoding/json"
	"net/url"
	"time"

	"sluice/billing"
	"sluice/gateway/guard"
	"sluice/providers/schema"
)

// routeRequest is what is known of a request to a route, beside what is known
// of any call. Each replica remembers its own last ones.
type routeRequest struct {
	Name    string `json:"name"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	IP      string `json:"ip"`
	Version string `json:"version,omitempty"` // where a route has several
	Arm     string `json:"arm,omitempty"`     // canary or stable, where it has a canary
	Error   string `json:"error,omitempty"`   // why it went as it did
}

// accessLine is one as the gateway keeps it.
type accessLine struct {
	Time    time.Time            `json:"time"`
	Call    string               `json:"call"`
	Request string               `json:"request_id"` // absent: as the call
	Route   string               `json:"route"`
	Team    string               `json:"team"`
	Key     string               `json:"key"`
	Latency int64                `json:"latency_us"`
	First   int64                `json:"ttft_us"`
	Trace   string               `json:"trace_id"`
	Tries   []billing.AttemptLog `json:"tries"`
	of
}

// of are the fields whose names are those of the answer.
type of struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	IP      string `json:"ip"`
	Version string `json:"version"`
	Arm     string `json:"arm"`
	Error   string `json:"error"`
	Target  string `json:"target"`
	Status  int    `json:"status"`
	Code    string `json:"code"`
	Origin  string `json:"origin"`
	Cache   string `json:"cache"`
	Refused bool   `json:"refused"`
	Left    bool   `json:"disconnect"`
}

// recent is one of the last requests of routes, if the caller may see it; nil:
// there is none.
func (a *api) recent(q *request, id string) *requestOut {
	if a.Recent == nil {
		return nil
	}
	var l accessLine
	if line := a.Recent(id); line == nil || json.Unmarshal(line, &l) != nil || !q.id.Owns(l.Team) {
		return nil
	}
	if l.Request == "" {
		l.Request = l.Call
	}
	out := &requestOut{ID: l.Request, Call: l.Call, Time: l.Time, Team: l.Team, Key: l.Key, Operation: "route", Tags: []string{},
		outcome: outcome{Target: l.Target, Status: l.Status, Code: l.Code, Origin: l.Origin, Refused: l.Refused && len(l.Tries) == 0 && l.Origin == string(schema.OriginPolicy),
			Attempts: l.Tries, LatencyMS: l.Latency / 1000, Cache: l.Cache, Guards: []guard.Record{}, Left: l.Left, Trace: l.Trace},
		bill:  bill{Source: schema.UsageNone.String()},
		Route: &routeRequest{Name: l.Route, Method: l.Method, Path: l.Path, IP: l.IP, Version: l.Version, Arm: l.Arm, Error: l.Error}}
	if l.First > 0 {
		ms := l.First / 1000
		out.TTFTMS = &ms
	}
	return out
}

// onlyText tells whether a search asks for an id, and for nothing else.
func onlyText(values url.Values) bool {
	for name := range values {
		if name != "q" && name != "limit" && values.Get(name) != "" {
			return false
		}
	}
	return values.Get("q") != ""
}
