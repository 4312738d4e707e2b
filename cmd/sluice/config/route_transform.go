package config

import (
	"slices"
	"strconv"
	"strings"

	"sluice/gateway/cel"
	"sluice/gateway/proxy"
	"sluice/gateway/reshape"
)

// RouteTransform is what a route makes of requests and of answers.
type RouteTransform struct {
	Request  *RequestTransform  `json:"request"`
	Response *ResponseTransform `json:"response"`
}

// RequestTransform is what becomes of a request; in values {name} is a
// parameter of the path.
type RequestTransform struct {
	Headers LineTransform  `json:"headers"`
	Query   LineTransform  `json:"query"`
	Path    string         `json:"path"` // {**} is what ** stood for
	Body    *BodyTransform `json:"body"`
}

// ResponseTransform is what becomes of an answer.
type ResponseTransform struct {
	Headers  LineTransform   `json:"headers"`
	Status   map[int64]int64 `json:"status"`
	Body     *BodyTransform  `json:"body"`
	Compress []string        `json:"compress" enum:"br,gzip"` // the best first
}

// LineTransform changes headers, or the query.
type LineTransform struct {
	Set    map[string]string `json:"set"`
	Add    map[string]string `json:"add"`
	Remove []string          `json:"remove"`
}

// BodyTransform changes a body, in this order.
type BodyTransform struct {
	XMLToJSON *XMLToJSON        `json:"xml_to_json"`
	Keep      []string          `json:"keep"`
	Move      map[string]string `json:"move"`
	Set       map[string]JSON   `json:"set"`
	Default   map[string]JSON   `json:"default"` // where nothing is
	Remove    []string          `json:"remove"`
	Expr      string            `json:"expr"`
	JSONToXML string            `json:"json_to_xml"` // the root's name
}

// XMLToJSON says that XML becomes JSON; true may stand for it.
type XMLToJSON struct {
	On    string   // true or false, as it was written
	Lists []string `json:"lists"`
}

// Wanted tells whether it does.
func (x *XMLToJSON) Wanted() bool { return x != nil && x.On != "false" }

func (k *checker) transform(path []string, r *Route) {
	t := r.Transform
	if t == nil {
		return
	}
	if q := t.Request; q != nil {
		at := below(path, "request")
		k.lines(below(at, "headers"), q.Headers, r, true)
		for _, name := range sortedKeys(q.Query.Set) {
			k.places(below(below(below(at, "query"), "set"), name), q.Query.Set[name], r, true)
		}
		for _, name := range sortedKeys(q.Query.Add) {
			k.places(below(below(below(at, "query"), "add"), name), q.Query.Add[name], r, true)
		}
		k.newPath(below(at, "path"), q.Path, r)
		k.body(below(at, "body"), q.Body, false)
	}
	if q := t.Response; q != nil {
		at := below(path, "response")
		k.lines(below(at, "headers"), q.Headers, r, false)
		for from, to := range q.Status {
			status := below(below(at, "status"), strconv.FormatInt(from, 10))
			k.status(status, from, 200, 599)
			k.status(status, to, 200, 599)
		}
		k.body(below(at, "body"), q.Body, true)
	}
}

func (k *checker) newPath(path []string, to string, r *Route) {
	if to == "" {
		return
	}
	switch {
	case r.Backend.HTTP == nil:
		k.fault(path, "is for a backend with targets")
	case r.Backend.HTTP.StripPrefix != "":
		k.fault(path, "stands for the whole path: strip_prefix would do nothing")
	case to[0] != '/' || strings.ContainsAny(to, "?# \t") || strings.ContainsFunc(to, func(c rune) bool { return c < ' ' || c >= 0x7f }):
		k.fault(path, "want a path such as /v2/orders/{id}, without a query, what is no plain character escaped")
	default:
		k.places(path, to, r, true)
	}
}

// lines checks changes of headers.
func (k *checker) lines(path []string, l LineTransform, r *Route, request bool) {
	for field, m := range map[string]map[string]string{"set": l.Set, "add": l.Add} {
		for _, name := range sortedKeys(m) {
			at := below(below(path, field), name)
			k.header(at, name, m[name])
			k.places(at, m[name], r, request)
			if request && proxy.IsOurs(name) {
				k.fault(at, "the gateway writes this header itself%s", map[bool]string{true: ": see preserve_host"}[strings.EqualFold(name, "host")])
			}
		}
	}
	for _, name := range l.Remove {
		k.header(below(path, "remove"), name, "")
	}
}

// places checks that what stands in braces is a parameter of the route's path
// or, in requests, something of the caller.
func (k *checker) places(path []string, text string, r *Route, request bool) {
	for rest := text; ; {
		_, after, open := strings.Cut(rest, "{")
		name, more, closed := strings.Cut(after, "}")
		if !open || !closed {
			return
		}
		rest = more
		deep := r.Match.Path == "" || strings.HasSuffix(r.Match.Path, "/**")
		switch {
		case slices.Contains(proxy.ParamsOf(r.Match.Path), name), name == "**" && deep:
		case !request || !proxy.IsCallerPlace(name):
			k.fault(path, "the route's path has no {%s}", name)
		case r.Auth == nil:
			k.fault(path, "{%s} is of callers who are known: the route has no auth", name)
		case r.Cache != nil && r.Cache.RFC9111:
			k.fault(path, "{%s} makes each caller's answers their own, and cache.rfc9111 gives public ones to all", name)
		}
	}
}

func (k *checker) body(path []string, b *BodyTransform, response bool) {
	if b == nil {
		return
	}
	if x := b.XMLToJSON; x != nil && !slices.Contains([]string{"", "true", "false"}, x.On) {
		k.fault(below(path, "xml_to_json"), "want true, false, or a mapping of lists")
	}
	for field, list := range map[string][]string{"keep": b.Keep, "remove": b.Remove, "move": slices.Concat(sortedKeys(b.Move), sortedValues(b.Move)), "set": sortedKeys(b.Set), "default": sortedKeys(b.Default)} {
		paths, err := reshape.ParsePaths(list)
		if err != nil {
			k.fault(below(path, field), "%v", err)
		}
		if field == "move" && slices.ContainsFunc(paths, reshape.Path.Many) {
			k.fault(below(path, field), "want paths that lead to one value, without *")
		}
	}
	if b.Expr != "" {
		if _, err := cel.Compile(b.Expr, cel.Options{Body: true, Response: response, Value: true}); err != nil {
			k.fault(below(path, "expr"), "%v", err)
		}
	}
	if b.JSONToXML != "" {
		if _, err := reshape.ToXML(nil, b.JSONToXML); err != nil {
			k.fault(below(path, "json_to_xml"), "want the name of the root%s", k.said(below(path, "json_to_xml"), b.JSONToXML))
		}
	}
}

func sortedValues(m map[string]string) []string {
	var values []string
	for _, key := range sortedKeys(m) {
		values = append(values, m[key])
	}
	return values
}
