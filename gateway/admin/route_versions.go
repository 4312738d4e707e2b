package admin

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"net/http"
	"slices"
	"strconv"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

// RouteVersion is a version that a route serves, and what becomes of it; nil is
// never.
type RouteVersion struct {
	Version    string         `json:"version"`
	Deprecated *time.Time     `json:"deprecated,omitempty"`
	Sunset     *time.Time     `json:"sunset,omitempty"`
	Link       string         `json:"link,omitempty"`
	BrownOut   *RouteBrownOut `json:"brownout,omitempty"` // nil: it is there until its sunset
}

// RouteBrownOut is when a version is switched off before it is gone.
type RouteBrownOut struct {
	Share   float64     `json:"share"` // of the requests
	Windows []RouteSpan `json:"windows,omitempty"`
	Status  int         `json:"status"`
}

// RouteSpan is a time, of which To is no part.
type RouteSpan struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// VersionReport is who asked for which versions of routes in a time.
type VersionReport struct {
	From *time.Time   `json:"from"`
	To   *time.Time   `json:"to"`
	Rows []VersionRow `json:"rows"` // by route and version, those who ask most first
}

// VersionRow is how often those with one key asked for a version.
type VersionRow struct {
	Route      string     `json:"route"`
	Version    string     `json:"version"` // unknown: one that there is not
	Team       string     `json:"team"`    // empty: they came without one
	Key        string     `json:"key"`     // team/name; likewise
	Requests   int64      `json:"requests"`
	Refused    int64      `json:"refused"` // of them: the version is gone, or was switched off for a while
	Last       time.Time  `json:"last"`
	Deprecated *time.Time `json:"deprecated"` // nil: it is not to go, or there is no such version any more
	Sunset     *time.Time `json:"sunset"`
}

// routeVersions reports who asked for which versions.
func (a *api) routeVersions(q *request) error {
	values, err := q.query("route", "team", "key", "from", "to", "format")
	if err != nil {
		return err
	}
	format := cmp.Or(values.Get("format"), "json")
	if format != "json" && format != "csv" {
		return schema.Invalid("format", "format %.20q is none of json, csv", format)
	}
	span, err := billing.ParseQuery(values.Get("from"), values.Get("to"), "", a.Now(), a.Location())
	if err != nil {
		return err
	}
	ask := billing.VersionQuery{From: span.From, To: span.To, Route: values.Get("route"), Key: values.Get("key"), Most: billing.LongestReport}
	if ask.Team, err = q.teamFilter(values.Get("team")); err != nil {
		return err
	}
	uses, err := a.RouteVersions(q.Context(), ask)
	if err != nil {
		return err
	}
	r := a.versionReport(ask, uses)
	if format == "json" {
		return q.answer(http.StatusOK, r)
	}
	var body bytes.Buffer
	if err := r.csv(&body); err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	_, _ = q.w.Write(body.Bytes()) // the client may have left
	return nil
}

func (a *api) versionReport(q billing.VersionQuery, uses []billing.VersionUse) VersionReport {
	r := VersionReport{Rows: make([]VersionRow, 0, len(uses))}
	if !q.From.IsZero() {
		r.From = &q.From
	}
	if !q.To.IsZero() {
		r.To = &q.To
	}
	fates := map[[2]string]RouteVersion{}
	for _, route := range a.View().Routes {
		for _, v := range route.Versions {
			fates[[2]string{route.Name, v.Version}] = v
		}
	}
	for _, u := range uses {
		fate := fates[[2]string{u.Route, u.Version}]
		r.Rows = append(r.Rows, VersionRow{Route: u.Route, Version: cmp.Or(u.Version, "unknown"), Team: u.Team, Key: u.Key, Requests: u.Requests, Refused: u.Refused,
			Last: u.Last, Deprecated: fate.Deprecated, Sunset: fate.Sunset})
	}
	return r
}

func (r *VersionReport) csv(to *bytes.Buffer) error {
	day := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	out := csv.NewWriter(to)
	lines := [][]string{{"route", "version", "team", "key", "requests", "refused", "last", "deprecated", "sunset"}}
	for i := range r.Rows {
		w := &r.Rows[i]
		named := []string{w.Route, w.Version, w.Team, w.Key}
		for j := range named {
			named[j] = billing.Defuse(named[j])
		}
		lines = append(lines, slices.Concat(named, []string{strconv.FormatInt(w.Requests, 10), strconv.FormatInt(w.Refused, 10), day(&w.Last), day(w.Deprecated), day(w.Sunset)}))
	}
	return out.WriteAll(lines)
}
