package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice/billing"
	"sluice/gateway/proxy"
	"sluice/prompts"
	"sluice/prompts/ordered"
)

// listing is a line of the catalogue.
type listing struct {
	Name, Link, Summary, Path string
	Kind                      string // prompt or API
	Tags                      []string
	State                     string // empty: it may be called
	Deprecated                bool
}

// catalogue is what somebody may call or subscribe to.
type catalogue struct {
	Query, Tag string
	List       []listing
	Tags       []tagCount
	All, Cut   int // how many there are, and how many of those found are not shown
	SignedIn   bool
}

type tagCount struct {
	Name string
	N    int
}

// mostListed bounds what a page of the catalogue shows.
const mostListed = 200

func (v *portalVisit) catalogue() error {
	all := v.listings()
	if v.member == nil && len(all) == 0 {
		v.toSignIn("/portal")
		return nil
	}
	q := v.URL.Query()
	c := catalogue{Query: q.Get("q"), Tag: q.Get("tag"), All: len(all), SignedIn: v.member != nil}
	counts := map[string]int{}
	for i := range all {
		l := &all[i]
		for _, t := range l.Tags {
			counts[t]++
		}
		if (c.Tag == "" || slices.Contains(l.Tags, c.Tag)) && l.matches(c.Query) {
			c.List = append(c.List, *l)
		}
	}
	for name, n := range counts {
		c.Tags = append(c.Tags, tagCount{name, n})
	}
	slices.SortFunc(c.Tags, func(a, b tagCount) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name)) })
	if n := len(c.List); n > mostListed {
		c.List, c.Cut = c.List[:mostListed], n-mostListed
	}
	return v.show(http.StatusOK, "portal-catalogue.html", page{Title: "Catalogue", Data: c})
}

// matches tells whether every word of a search is in what is known of it.
func (l *listing) matches(query string) bool {
	known := strings.ToLower(strings.Join(append([]string{l.Name, l.Summary, l.Path, l.Kind}, l.Tags...), "\n"))
	for word := range strings.FieldsSeq(strings.ToLower(query)) {
		if !strings.Contains(known, word) {
			return false
		}
	}
	return true
}

func (v *portalVisit) listings() []listing {
	var out []listing
	for _, o := range v.offers() {
		l := o.Prompt
		s := &l.Template.Sluice
		out = append(out, listing{Name: l.Name, Link: "/portal/apis/" + url.PathEscape(l.Name), Summary: cmp.Or(s.Summary, l.Template.Description), Path: l.Path,
			Kind: "prompt", Tags: s.Tags, State: state(o.Refused, o.Subscription), Deprecated: s.Retirement(l.Version) != nil})
	}
	for _, o := range v.routes() {
		out = append(out, listing{Name: o.Name, Link: "/portal/apis/" + url.PathEscape(o.Name) + "?kind=api", Path: o.Match.Host + o.Match.Path, Kind: "API",
			State: state(o.Refused, o.Subscription)})
	}
	return out
}

// state says in a word why something may not be called.
func state(refused, subscription string) string {
	switch {
	case refused == "":
		return ""
	case subscription == "":
		return "needs a subscription"
	}
	return "subscription " + subscription
}

func (v *portalVisit) offers() []Offer {
	if v.member == nil {
		return v.p.Public()
	}
	return v.member.Offers()
}

func (v *portalVisit) routes() []RouteOffer {
	if v.member == nil {
		return nil
	}
	return v.member.Routes()
}

// apiPage is a prompt or a route, with what is needed to call it.
type apiPage struct {
	Name, Kind, Path, Summary string
	Offer                     *Offer      // nil: it is a route
	Route                     *RouteOffer // nil: it is a prompt
	Op                        operation
	State, Status             string
	Plans                     []string
	Example                   string // a path that the route matches
	SignedIn, Person, HasKey  bool
	TryPath                   string // empty: it cannot be tried out
	Fields                    []tryField
	Samples                   []sample
	Limits, KeyLimits         string
	Calls                     int64
	PerCall                   billing.Nano
	Versions                  []release
	Team                      string
}

// tryField is an input of the form that tries a prompt out.
type tryField struct {
	Name, Kind, Value, Note string // Kind: text, number, boolean, choice or json
	Choices                 []string
	Required                bool
}

func (v *portalVisit) api() error { return v.showAPI(http.StatusOK, form{}) }

func (v *portalVisit) showAPI(status int, f form) error {
	name, wantsRoute := v.PathValue("name"), v.URL.Query().Get("kind") == "api"
	if v.Method == http.MethodPost { // a subscription that was refused
		name, wantsRoute = v.PostForm.Get("name"), v.PostForm.Get("kind") == "API"
	}
	a := &apiPage{Name: name, SignedIn: v.member != nil, Person: v.who.IsPerson(), HasKey: v.key() != ""}
	if v.member != nil {
		a.Plans, a.Team = append([]string{""}, v.member.Plans...), v.member.Key.Team
		a.KeyLimits = limitsText(v.member.Key.Limits)
	}
	offers, routes := v.offers(), v.routes()
	i := slices.IndexFunc(offers, func(o Offer) bool { return o.Prompt.Name == name })
	j := slices.IndexFunc(routes, func(o RouteOffer) bool { return o.Name == name })
	switch {
	case i >= 0 && (!wantsRoute || j < 0):
		if err := v.promptPage(a, offers[i]); err != nil {
			return err
		}
	case j >= 0:
		v.routePage(a, routes[j])
	case v.member == nil:
		v.toSignIn(v.URL.RequestURI()) // where it may be seen
		return nil
	default:
		return &problem{Status: http.StatusNotFound, Detail: "There is nothing of this name that you may see."}
	}
	return v.show(status, "portal-api.html", page{Title: name, Form: f, Data: a})
}

// address is where the gateway is, as the browser knows it.
func (v *portalVisit) address() string {
	if v.TLS != nil {
		return "https://" + v.Host
	}
	return "http://" + v.Host
}

// key is that of the session; empty: it has none that may be used.
func (v *portalVisit) key() string {
	_, secret, ok := v.p.current(v.Request)
	if !ok || v.ownKey() == "" {
		return ""
	}
	return v.p.Key(secret, v.csrf)
}

func (v *portalVisit) promptPage(a *apiPage, o Offer) error {
	l := o.Prompt
	ops, err := operations([]*prompts.Live{l})
	if err != nil {
		return err
	}
	a.Offer, a.Kind, a.Path, a.Op, a.Summary = &o, "prompt", l.Path, ops[0], l.Template.Sluice.Summary
	a.State, a.Status = state(o.Refused, o.Subscription), o.Subscription
	a.Samples = filled(a.Op.Samples, v.address(), v.key())
	a.Limits = limitsText(billing.Limits(l.Template.Sluice.Limits))
	switch {
	case o.Refused != "":
	case a.HasKey:
		a.TryPath = "/portal/try" + l.Path
	case l.Template.Sluice.Access == prompts.AccessPublic:
		a.TryPath = l.Path
	}
	a.Fields = tryFields(l.Template)
	if a.Versions, err = v.releases(l); err != nil || v.member == nil {
		return err
	}
	q := v.ownUsage()
	q.Set("prompt", l.Name)
	q.Set("from", v.daysAgo(usageDays-1).Format(time.DateOnly))
	report, err := v.report(q)
	if err != nil {
		return err
	}
	if a.Calls = report.Total.Calls; a.Calls > 0 {
		a.PerCall = report.Total.USD / billing.Nano(a.Calls)
	}
	return nil
}

func (v *portalVisit) routePage(a *apiPage, o RouteOffer) {
	a.Route, a.Kind, a.Path = &o, "API", o.Match.Path
	a.State, a.Status = state(o.Refused, o.Subscription), o.Subscription
	if o.Refused == "" && o.Match.Host == "" && a.HasKey {
		a.TryPath = "/portal/try"
	}
	method := "GET"
	if len(o.Match.Methods) > 0 {
		method = o.Match.Methods[0]
	}
	path := strings.NewReplacer("/**", "/", "*", "x").Replace(proxy.PlainPath(o.Match.Path))
	a.Example = path
	curl := `curl -X ` + method + ` "$SLUICE_URL` + path + `"`
	if len(o.Auth) > 0 {
		curl += ` -H "Authorization: Bearer $SLUICE_KEY"`
	}
	a.Samples = filled([]sample{{"curl", curl}}, v.address(), v.key())
	if l := o.Limits; l != nil {
		a.Limits = l.Rate
	}
}

// daysAgo is the first moment of a day.
func (v *portalVisit) daysAgo(n int) time.Time {
	now := v.p.Now().In(v.p.Location())
	return time.Date(now.Year(), now.Month(), now.Day()-n, 0, 0, 0, 0, now.Location())
}

// tryFields are the inputs of a prompt, filled with an example.
func tryFields(t *prompts.Template) []tryField {
	example, _ := t.Examples()
	v, _ := ordered.Decode(example)
	values := object(v)
	s := t.CallerSchema()
	properties := object(child(s, "properties"))
	if len(properties) == 0 {
		return []tryField{{Name: "", Kind: "json", Value: cmp.Or(string(example), "{}"), Note: "any JSON object"}}
	}
	var out []tryField
	for _, m := range properties {
		one := object(m.Value)
		f := tryField{Name: m.Key, Note: noteOf(one), Required: slices.Contains(listOf(child(s, "required")), any(m.Key))}
		value, given := values.Get(m.Key)
		if !given {
			value, given = one.Get("default")
		}
		if given {
			f.Value = jsonText(value)
		}
		switch kind := strings.TrimSuffix(typeText(one), " or null"); {
		case listOf(child(one, "enum")) != nil:
			f.Kind = "choice"
			for _, c := range listOf(child(one, "enum")) {
				switch word := c.(type) {
				case string:
					f.Choices = append(f.Choices, word)
				case nil: // as if it were not sent
				default:
					f.Kind = "json"
				}
			}
		case kind == "string":
			f.Kind = "text"
		case kind == "integer" || kind == "number":
			f.Kind = "number"
		case kind == "boolean":
			f.Kind = "boolean"
		default:
			f.Kind = "json"
			if given {
				f.Value = string(ordered.Append(nil, value))
			}
		}
		out = append(out, f)
	}
	return out
}

// release is a version of a prompt that was published.
type release struct {
	Name, Link, Message string
	Version             int
	Created             time.Time
	Live                bool // calls get it
	Retired             *prompts.Retirement
}

// releases are the versions of a prompt up to the one that is served, newest
// first.
func (v *portalVisit) releases(l *prompts.Live) ([]release, error) {
	versions, err := v.p.Versions(v.Context(), l.Name)
	if err != nil {
		v.p.Log.Error("versions cannot be read", "prompt", l.Name, "error", err)
		return nil, &problem{Status: http.StatusServiceUnavailable, Detail: "The versions cannot be read now. Try again in a moment."}
	}
	var out []release
	for i := range versions {
		if o := &versions[i]; o.N <= l.Version {
			out = append(out, release{Name: l.Name, Link: "/portal/apis/" + url.PathEscape(l.Name), Message: o.Message, Version: o.N, Created: o.Created,
				Live: o.N == l.Version, Retired: l.Template.Sluice.Retirement(o.N)})
		}
	}
	slices.SortFunc(out, func(a, b release) int { return b.Version - a.Version })
	return out, nil
}

// mostChanges bounds the page of changes.
const mostChanges = 200

func (v *portalVisit) changes() error {
	var list []release
	for _, o := range v.offers() {
		one, err := v.releases(o.Prompt)
		if err != nil {
			return err
		}
		list = append(list, one...)
	}
	slices.SortStableFunc(list, func(a, b release) int { return b.Created.Compare(a.Created) })
	return v.show(http.StatusOK, "portal-changes.html", page{Title: "Changes", Data: list[:min(len(list), mostChanges)]})
}

// reference is a page of the document at /openapi.json.
type reference struct {
	List []operation
	Next string // where it goes on; empty: it does not
}

// mostOperations bounds a page of the reference.
const mostOperations = 20

// callable are the prompts that who looks may call.
func (v *portalVisit) callable() []*prompts.Live {
	var list []*prompts.Live
	for _, o := range v.offers() {
		if o.Refused == "" {
			list = append(list, o.Prompt)
		}
	}
	return list
}

// openAPI is /openapi.json for who is signed in.
func (v *portalVisit) openAPI() error {
	v.w.Header().Set("Content-Type", "application/json")
	_, _ = v.w.Write(prompts.OpenAPI(v.callable())) // the reader may have left
	return nil
}

func (v *portalVisit) docs() error {
	list := v.callable()
	after, next := v.URL.Query().Get("after"), ""
	list = slices.DeleteFunc(list, func(l *prompts.Live) bool { return l.Name <= after })
	if len(list) > mostOperations {
		list = list[:mostOperations]
		next = "/docs?after=" + url.QueryEscape(list[len(list)-1].Name)
	}
	ops, err := operations(list)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "portal-docs.html", page{Title: "Reference", Data: reference{List: ops, Next: next}})
}
