package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"sluice/gateway/proxy"
)

// importedAPI is an OpenAPI document on its way to a configuration.
type importedAPI struct {
	file    string
	doc     *openapi3.T
	backend string  // empty: the document's servers
	prefix  *string // nil: the base path of its first server
	mock    bool

	names    map[string]bool   // of routes
	schemes  map[string]string // of auth, as kind:name, to what is said of them
	backends []string          // those that stand in the text already
	notes    []string          // what is not carried over, of the whole
}

// importedRoute is one operation's.
type importedRoute struct {
	name, path, method string
	backend, auth      string // auth: empty: open to all
	notes              []string
}

var variable = regexp.MustCompile(`/(\{[^/]*|\*)`)

// twin is the route of a list that is for the same requests; nil: there is none.
func (r *importedRoute) twin(list []importedRoute) *importedRoute {
	shape := func(r *importedRoute) string { return r.method + variable.ReplaceAllString(r.path, "/*") }
	i := slices.IndexFunc(list, func(other importedRoute) bool { return shape(&other) == shape(r) })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// yaml is the whole configuration.
func (a *importedAPI) yaml() (string, error) {
	a.names, a.schemes = map[string]bool{}, map[string]string{}
	if err := a.prepare(); err != nil {
		return "", err
	}
	var routes []importedRoute
	for _, path := range slices.Sorted(maps.Keys(a.doc.Paths.Map())) {
		item := a.doc.Paths.Value(path)
		for _, method := range slices.SortedFunc(maps.Keys(item.Operations()), byMethod) {
			r, err := a.route(path, method, item)
			if err != nil {
				return "", fmt.Errorf("%s %s: %w", method, path, err)
			}
			if twin := r.twin(routes); twin == nil {
				routes = append(routes, r)
			} else if twin.backend != r.backend || twin.auth != r.auth {
				return "", fmt.Errorf("%s %s: a route cannot tell it from %s, which has another server or sign-in", method, path, twin.name)
			} else {
				twin.notes = append(twin.notes, r.name+": it is part of this route")
			}
		}
	}
	if len(routes) == 0 {
		return "", errors.New("it has no operations")
	}
	a.unsupported()
	return a.text(routes), nil
}

// methodOrder is the one in which operations are listed.
var methodOrder = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"}

func byMethod(x, y string) int {
	return cmp.Or(slices.Index(methodOrder, x)-slices.Index(methodOrder, y), cmp.Compare(x, y))
}

// prepare finds the path that stands before those of the document.
func (a *importedAPI) prepare() error {
	if a.backend != "" {
		if a.mock {
			return errors.New("--backend and --mock: want one of them")
		}
		u, err := url.Parse(a.backend)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return fmt.Errorf("--backend: want an address such as http://127.0.0.1:9001, not %q", a.backend)
		}
		a.backend = strings.TrimRight(a.backend, "/")
	}
	if a.prefix == nil {
		base := ""
		if u, err := url.Parse(firstServer(a.doc.Servers)); err == nil {
			base = u.Path
		}
		a.prefix = &base
	}
	*a.prefix = strings.TrimRight(*a.prefix, "/")
	if *a.prefix == "" {
		return nil
	}
	if err := proxy.CheckPrefix(*a.prefix); err != nil {
		return fmt.Errorf("the path before all others (--prefix), %q: %w", *a.prefix, err)
	}
	return nil
}

// firstServer is the first address of a list with its variables filled in;
// empty: there is none.
func firstServer(servers openapi3.Servers) string {
	if len(servers) == 0 {
		return ""
	}
	address := servers[0].URL
	for name, v := range servers[0].Variables {
		address = strings.ReplaceAll(address, "{"+name+"}", v.Default)
	}
	return strings.TrimRight(address, "/")
}

func (a *importedAPI) route(path, method string, item *openapi3.PathItem) (importedRoute, error) {
	op := item.Operations()[method]
	r := importedRoute{method: method, name: a.name(op, path, method)}
	r.path = a.pattern(path, &r)
	var err error
	if r.backend, err = a.target(item, op, &r); err != nil {
		return r, err
	}
	a.security(op, &r)
	if op.Deprecated {
		r.notes = append(r.notes, "deprecated: true")
	}
	if len(op.Callbacks) > 0 {
		r.notes = append(r.notes, "callbacks: the service makes them itself")
	}
	return r, nil
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// name is the operation's own, or its method and path.
func (a *importedAPI) name(op *openapi3.Operation, path, method string) string {
	base := strings.Trim(notInName.ReplaceAllString(op.OperationID, "-"), "-")
	if base == "" {
		base = strings.Trim(notInName.ReplaceAllString(strings.ToLower(method)+path, "-"), "-")
	}
	name := base
	for i := 2; a.names[name]; i++ {
		name = fmt.Sprint(base, "-", i)
	}
	a.names[name] = true
	return name
}

// pattern is a path of the document as the match of a route. What a route
// cannot tell apart is left to the validation.
func (a *importedAPI) pattern(path string, r *importedRoute) string {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range segments {
		if !strings.ContainsAny(s, "{}*") {
			continue
		}
		if m := (proxy.Match{Path: "/" + s}); strings.Count(s, "{") == 1 && s[0] == '{' {
			if _, err := m.Check(); err == nil {
				continue
			}
		}
		r.notes = append(r.notes, fmt.Sprintf("the segment %s is any one here; validate holds it against the document", s))
		segments[i] = "*"
	}
	return *a.prefix + "/" + strings.Join(segments, "/")
}

// target is the backend of an operation.
func (a *importedAPI) target(item *openapi3.PathItem, op *openapi3.Operation, r *importedRoute) (string, error) {
	if a.mock {
		return fmt.Sprintf("{mock: {openapi: %s%s}}", quoted(a.file), a.strip()), nil
	}
	own := item.Servers
	if op.Servers != nil {
		own = *op.Servers
	}
	address := a.backend
	switch {
	case address != "" && len(own) > 0:
		r.notes = append(r.notes, "its own server "+firstServer(own))
	case address == "":
		address = cmp.Or(firstServer(own), firstServer(a.doc.Servers))
	}
	u, err := url.Parse(address)
	switch {
	case address == "" || err == nil && u.Host == "":
		return "", errors.New("the document names no server with a host: give its address by --backend, or --mock")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return "", fmt.Errorf("the server %q cannot be a target: give its address by --backend", address)
	}
	return fmt.Sprintf("{http: {targets: [%s]%s}}", quoted(address), a.strip()), nil
}

// strip takes off what stands before the document's paths.
func (a *importedAPI) strip() string {
	if *a.prefix == "" {
		return ""
	}
	return ", strip_prefix: " + quoted(*a.prefix)
}

// unsupported notes what the document has beside operations.
func (a *importedAPI) unsupported() {
	if a.backend == "" && !a.mock {
		for _, s := range a.doc.Servers[min(1, len(a.doc.Servers)):] {
			a.notes = append(a.notes, "the server "+s.URL+": targets of one route share its load")
		}
	}
	if len(a.doc.Webhooks) > 0 {
		a.notes = append(a.notes, "webhooks: the service makes them itself")
	}
}
