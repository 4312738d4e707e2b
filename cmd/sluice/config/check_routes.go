package config

import (
	"slices"
	"strconv"
	"strings"

	"sluice/gateway/proxy"
)

// routes checks every route.
func (k *checker) routes() {
	seen := map[string]bool{}
	for i := range k.config.Routes {
		r := &k.config.Routes[i]
		path := []string{"routes", strconv.Itoa(i)}
		name := below(path, "name")
		switch {
		case r.Name == "":
			k.fault(name, "is needed")
		case seen[r.Name]:
			k.fault(name, "another route has the name %s", strconv.Quote(r.Name))
		case k.name(name, r.Name):
			seen[r.Name] = true
		}
		k.match(below(path, "match"), &r.Match)
		k.backend(below(path, "backend"), r)
		k.routeTerms(path, r)
		k.versioning(path, r)
		k.cors(below(path, "cors"), r)
		k.validate(below(path, "validate"), r)
		k.transform(below(path, "transform"), r)
		k.protection(path, r)
		k.routeCache(below(path, "cache"), r)
		k.routeFaults(below(path, "faults"), r.Faults)
	}
}

func (k *checker) match(path []string, m *RouteMatch) {
	rule := proxy.Match{Host: m.Host, Path: m.Path, Methods: m.Methods}
	if field, err := rule.Check(); err != nil {
		k.fault(below(path, field), "%v", err)
	}
	for _, name := range sortedKeys(m.Headers) {
		k.header(below(below(path, "headers"), name), name, m.Headers[name].Value)
		k.matchValue(below(below(path, "headers"), name), m.Headers[name])
	}
	for _, name := range sortedKeys(m.Query) {
		k.matchValue(below(below(path, "query"), name), m.Query[name])
	}
}

func (k *checker) matchValue(path []string, v MatchValue) {
	at := below(path, "pattern")
	if !k.origin.given(at...) {
		return
	}
	if _, err := proxy.Expression(v.Pattern); err != nil {
		k.fault(at, "%v", err)
	}
}

// header checks the name and the value of a header.
func (k *checker) header(path []string, name, value string) {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`:"(),/;<=>?@[\]{}`, r) }) {
		k.fault(path, "%s is no name of a header", strconv.Quote(name))
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		k.fault(path, "a header's value holds no control characters")
	}
}

func (k *checker) backend(path []string, r *Route) {
	b := &r.Backend
	given := 0
	for _, is := range []bool{b.HTTP != nil, b.Static != nil, b.Redirect != nil, b.Compose != nil, b.Mock != nil} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		k.fault(path, "want one of http, static, redirect, compose, mock")
	case b.HTTP != nil:
		k.httpBackend(below(path, "http"), r)
	case b.Compose != nil:
		k.compose(below(path, "compose"), r)
	case b.Mock != nil:
		k.routeMock(below(path, "mock"), b.Mock)
	case b.Static != nil:
		static := below(path, "static")
		k.status(below(static, "status"), b.Static.Status, 200, 599)
		for _, name := range sortedKeys(b.Static.Headers) {
			k.header(below(below(static, "headers"), name), name, b.Static.Headers[name])
		}
	default:
		redirect := below(path, "redirect")
		if b.Redirect.To == "" {
			k.fault(below(redirect, "to"), "is needed")
		}
		k.header(below(redirect, "to"), "Location", b.Redirect.To)
		if !slices.Contains([]int64{0, 301, 302, 303, 307, 308}, b.Redirect.Status) {
			k.fault(below(redirect, "status"), "want 301, 302, 303, 307 or 308")
		}
	}
}

func (k *checker) status(path []string, status, least, most int64) {
	if status != 0 && (status < least || status > most) {
		k.fault(path, "want a status from %d to %d", least, most)
	}
}

func (k *checker) httpBackend(path []string, r *Route) {
	b := r.Backend.HTTP
	weight := k.targetURLs(below(path, "targets"), b.Targets)
	switch targets := below(path, "targets"); {
	case b.Discover != nil && len(b.Targets) > 0:
		k.fault(targets, "want targets or discover, not both")
	case b.Discover != nil:
		k.discover(below(path, "discover"), b.Discover)
	case len(b.Targets) == 0:
		k.fault(targets, "want at least one target")
	case weight == 0:
		k.fault(targets, "every weight is 0: no target would ever be used")
	}
	hash := below(path, "hash")
	switch {
	case b.Hash == nil && b.Balance == "hash":
		k.fault(below(path, "balance"), "balance hash wants to know by what: add hash: {by: ip}, or header:X, cookie:X or query:x")
	case b.Hash != nil && !isSubject(b.Hash.By, []string{"ip"}, []string{"header", "cookie", "query"}):
		k.fault(below(hash, "by"), "want ip, header:X, cookie:X or query:x%s", k.said(below(hash, "by"), b.Hash.By))
	}
	k.backendHealth(below(path, "health"), b.Health)
	k.backendTLS(below(path, "tls"), r)
	k.mirrors(below(path, "mirror"), b.Mirror)
	k.canary(below(path, "canary"), b)
	k.backendSign(below(path, "sign"), b)
	if b.StripPrefix != "" {
		if err := proxy.CheckPrefix(b.StripPrefix); err != nil {
			k.fault(below(path, "strip_prefix"), "%v", err)
		}
	}
}

// isSubject tells whether text is one of the words, or one of the kinds with a
// name after a colon.
func isSubject(text string, words, kinds []string) bool {
	kind, name, named := strings.Cut(text, ":")
	return !named && slices.Contains(words, text) || named && name != "" && slices.Contains(kinds, kind)
}

// routeTerms checks what stands beside match and backend.
func (k *checker) routeTerms(path []string, r *Route) {
	if r.Auth != nil {
		k.routeAuth(below(path, "auth"), r.Auth)
	}
	if r.Auth != nil && r.Auth.Subscribed && !slices.Contains(r.Auth.Require, "key") {
		k.fault(below(below(path, "auth"), "subscribed"), "teams subscribe, and call by their keys: want require: [key]")
	}
	if l := r.Limits; l != nil {
		limits := below(path, "limits")
		switch {
		case l.Rate.Requests == 0 && l.Parallel == 0 && l.Failures.Requests == 0 && l.Adaptive == nil && !k.origin.given(below(limits, "rate")...):
			k.fault(limits, "want a rate such as 100/1m, parallel, adaptive or failures")
		case l.Burst > 0 && l.Rate.Requests == 0:
			k.fault(below(limits, "burst"), "want a rate too")
		case l.Exact && l.Rate.Requests == 0:
			k.fault(below(limits, "exact"), "want a rate too")
		}
		k.throttle(limits, l)
		k.adaptive(below(limits, "adaptive"), r)
		if l.Per != "" && !isSubject(l.Per, []string{"key", "ip", "team", "route"}, []string{"header"}) {
			k.fault(below(limits, "per"), "want key, ip, team, header:X or route%s", k.said(below(limits, "per"), l.Per))
		}
		if (l.Per == "key" || l.Per == "team") && r.Auth == nil {
			k.fault(below(limits, "per"), "the route is open to all: want auth: {require: [key]}, or per: ip")
		}
	}
	needsTargets := func(key string) {
		if r.Backend.HTTP == nil {
			k.fault(below(path, key), "is for a backend with targets")
		}
	}
	if r.Retry != nil {
		if r.Backend.Compose == nil {
			needsTargets("retry")
		}
		if r.Retry.Attempts < 1 {
			k.fault(below(below(path, "retry"), "attempts"), "want at least 1: the first try counts")
		}
	}
	if r.Breaker != nil {
		if r.Backend.Compose == nil || r.Breaker.Fallback != nil {
			needsTargets("breaker")
		}
		k.breaker(below(path, "breaker"), &r.Breaker.Breaker)
		k.routeFallback(below(below(path, "breaker"), "fallback"), r)
	}
}
