package proxy

import (
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/billing"
	"sluice/providers/schema"
)

// Versions are those of an API, and how a request tells which one it is for.
// Routes of one host and path may share them, each for a version of its own.
type Versions struct {
	By      string   // path, header, query or accept
	Name    string   // of the header, of the parameter, or of the media type's parameter
	Known   []string // in the order in which they are told
	Default string   // of requests that name none; empty: they are refused
	Reject  bool     // unknown ones; else they get the default
	Keep    bool     // in the path that the backend is asked for
	Each    map[string]Version
	Uses    *billing.VersionUses // who asks for which; nil: nobody counts
}

// Version is what is told of one. A zero time is never.
type Version struct {
	Deprecated, Sunset time.Time
	Link               string    // where its callers may read what to do; empty: nowhere
	BrownOut           *BrownOut // nil: it is there until its sunset
}

// VersionWord is how a path names a version: v1.
func VersionWord(version string) string {
	if strings.HasPrefix(version, "v") {
		return version
	}
	return "v" + version
}

// CheckVersion tells why a version cannot be named by a path.
func CheckVersion(version string) error {
	word, err := literalOf(VersionWord(version))
	if err == nil && strings.Contains(word, "/") {
		err = errors.New("a version is one segment of a path")
	}
	return err
}

// place is one of the places where a route with versions in its path stands.
type place struct {
	set     bool   // the version is in the path, or missing there
	cut     bool   // the first segment is the version
	version string // empty: none was named, or it is unknown
}

// places are the routes that stand for r in a tree: itself, but for versions in
// the path.
func (r *Route) places() []*Route {
	v := r.Versions
	if v == nil || v.By != "path" {
		return []*Route{r}
	}
	var made []*Route
	add := func(version string, before ...segment) {
		at := *r
		at.place = place{set: true, cut: len(before) > 0, version: version}
		at.pattern.segments = slices.Concat(before, r.pattern.segments)
		made = append(made, &at)
	}
	for _, version := range v.Known {
		if r.Match.Version == "" || r.Match.Version == version {
			word, _ := literalOf(VersionWord(version)) // it was checked
			add(version, segment{kind: literal, text: word})
		}
	}
	if r.Match.Version == "" || v.Default == "" || v.Default == r.Match.Version {
		add("")
	}
	if r.Match.Version == "" || v.Reject || v.Default == r.Match.Version {
		add("", segment{kind: parameter, text: "\x00"})
	}
	return made
}

// looksLikeVersion tells whether the first segment of a path may be one.
func looksLikeVersion(path []byte) bool {
	return len(path) > 2 && path[0] == '/' && path[1] == 'v' && path[2] >= '0' && path[2] <= '9'
}

// takesVersion tells whether a request is for the route's version. A request
// that will be refused for its version is for each of the routes that share it.
func (r *Route) takesVersion(q *fasthttp.Request, path []byte) bool {
	v := r.Versions
	if v.By == "path" {
		return !r.place.cut || r.place.version != "" || looksLikeVersion(path)
	}
	version, err := v.choose(v.named(q))
	return err != nil || r.Match.Version == "" || version == r.Match.Version
}

// named are the versions that a request would take, the one it likes best
// first; an empty one is any.
func (v *Versions) named(q *fasthttp.Request) []string {
	var value []byte
	switch v.By {
	case "header":
		value = q.Header.Peek(v.Name)
	case "query":
		value = q.URI().QueryArgs().Peek(v.Name)
	case "accept":
		return v.accepted(string(q.Header.Peek("Accept")))
	}
	return []string{strings.TrimSpace(string(value))}
}

// accepted are the versions that an Accept header names: as a parameter of a
// media type, or as application/vnd.example.v2+json has it.
func (v *Versions) accepted(accept string) []string {
	type wish struct {
		version string
		q       float64
	}
	var wishes []wish
	for item := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		w := wish{params[v.Name], qvalue(params["q"])}
		if _, sub, ok := strings.Cut(kind, "/vnd."); ok && w.version == "" {
			sub, _, _ = strings.Cut(sub, "+")
			if i := strings.LastIndex(sub, ".v"); i >= 0 {
				w.version = sub[i+2:]
			}
		}
		if w.q > 0 {
			wishes = append(wishes, w)
		}
	}
	slices.SortStableFunc(wishes, func(a, b wish) int {
		switch {
		case a.q > b.q || a.q == b.q && a.version != "" && b.version == "":
			return -1
		case a.q == b.q && (a.version == "") == (b.version == ""):
			return 0
		}
		return 1
	})
	versions := []string{}
	for _, w := range wishes {
		versions = append(versions, w.version)
	}
	if len(versions) == 0 {
		versions = append(versions, "")
	}
	return versions
}

// choose is the first of the versions that there is.
func (v *Versions) choose(wanted []string) (string, error) {
	for _, version := range wanted {
		switch {
		case version == "" && v.Default != "":
			return v.Default, nil
		case slices.Contains(v.Known, version):
			return version, nil
		}
	}
	first := wanted[0]
	if first != "" && !v.Reject {
		return v.Default, nil
	}
	return "", v.refuse(first)
}

// refuse is the fault of a request for a version that there is not.
func (v *Versions) refuse(version string) error {
	e := &schema.Error{Code: schema.CodeInvalidRequest, Status: fasthttp.StatusBadRequest, Origin: schema.OriginGateway, Class: schema.ClassCancelled}
	known := strings.Join(v.Known, ", ")
	e.Message = "there is no version " + strconv.Quote(version) + " here, but " + known
	if version == "" {
		e.Message = "say which version it is to be: " + known
	}
	switch v.By {
	case "path":
		e.Code, e.Status = schema.CodeNotFound, fasthttp.StatusNotFound
	case "accept":
		e.Status = fasthttp.StatusNotAcceptable
	}
	return e
}

// step finds out for which version a request is, and tells what there is to be
// told of it.
func (v *Versions) step() Step {
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			switch v.By {
			case "header":
				x.Told = append(x.Told, Condition{"Vary", http.CanonicalHeaderKey(v.Name)})
			case "accept":
				x.Told = append(x.Told, Condition{"Vary", "Accept"})
			}
			version, err := v.of(x)
			if err != nil {
				return err
			}
			x.Version = version
			if err := v.Each[version].tell(x); err != nil {
				return err
			}
			return next(x)
		}
	}
}

// of is the version of an exchange, which is taken out of its path.
func (v *Versions) of(x *Exchange) (string, error) {
	p := &x.Route.place
	if !p.set {
		return v.choose(v.named(&x.RC.Request))
	}
	named := p.version
	if p.cut {
		first := string(x.Path.cut())
		if v.Keep {
			x.ask.before = []byte("/" + first)
		}
		if named == "" {
			named = strings.TrimPrefix(first, "v")
		}
	}
	return v.choose([]string{named})
}
