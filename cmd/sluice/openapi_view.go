package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sluice/cmd/sluice/config"
	"sluice/gateway/proxy"
	"sluice/gateway/reshape"
	"sluice/prompts/ordered"
)

func openAPIViewCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{Use: "view ROUTE", Short: "Print the OpenAPI document of a route that makes one answer of several calls", Args: cobra.ExactArgs(1),
		Long: "Print the OpenAPI 3.1 document of a route whose backend is compose: what it asks for, and what its answer holds, as far as the\n" +
			"configuration says. Views of one path that differ by a header have a document each.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(path, "")
			if err != nil {
				return unusable("%w", err)
			}
			i := slices.IndexFunc(cfg.Routes, func(r config.Route) bool { return r.Name == args[0] })
			switch {
			case i < 0:
				return unusable("there is no route %q", args[0])
			case cfg.Routes[i].Backend.Compose == nil:
				return unusable("the backend of route %q is not compose: what it answers is its service's to describe", args[0])
			}
			doc, err := viewDocument(&cfg.Routes[i])
			if err != nil {
				return unusable("%w", err)
			}
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			return e.Encode(doc)
		})}
	configFlag(cmd, &path)
	return cmd
}

// fields are a JSON fields, printed in the order of its keys.
type fields = map[string]any

// composed is a route whose answer is made of several calls.
type composed struct {
	*config.Route
	proxy.ComposeOptions
	refs []reshape.Path // all that it takes, of calls and of the request
}

func viewDocument(r *config.Route) (fields, error) {
	o, _, err := r.Backend.Compose.Options(r.Name)
	if err != nil {
		return nil, err
	}
	v := &composed{Route: r, ComposeOptions: o, refs: reshape.NewTemplate(o.Answer).References()}
	for i := range o.Calls {
		v.refs = append(v.refs, o.Calls[i].References()...)
	}
	path, parameters := v.path()
	op := fields{"operationId": r.Name, "responses": v.responses()}
	if parameters = append(parameters, v.asked()...); len(parameters) > 0 {
		op["parameters"] = parameters
	}
	methods := r.Match.Methods
	if v.takes("body") {
		op["requestBody"] = fields{"required": true, "content": fields{"application/json": fields{"schema": fields{}}}}
		if len(methods) == 0 {
			methods = []string{"POST"}
		}
	}
	if len(methods) == 0 {
		methods = []string{"GET"}
	}
	item := fields{}
	for i, m := range methods {
		one := maps.Clone(op)
		if i > 0 { // no two operations of a document have one id
			one["operationId"] = r.Name + "-" + strings.ToLower(m)
		}
		item[strings.ToLower(m)] = one
	}
	server := "/"
	if r.Match.Host != "" && !strings.HasPrefix(r.Match.Host, "*") {
		server = "https://" + r.Match.Host
	}
	doc := fields{"openapi": "3.1.0", "info": fields{"title": r.Name, "version": "1"}, "servers": []any{fields{"url": server}}, "paths": fields{path: item}}
	if r.Match.Version != "" {
		doc["info"] = fields{"title": r.Name, "version": r.Match.Version}
	}
	if r.Auth != nil && len(r.Auth.Require) > 0 {
		schemes, security := schemesOf(r.Auth)
		doc["components"], doc["security"] = fields{"securitySchemes": schemes}, security
	}
	return doc, nil
}

// takes tells whether something of the request is asked for.
func (v *composed) takes(name string) bool {
	return slices.ContainsFunc(v.refs, func(p reshape.Path) bool { return p[0] == name })
}

// path is the route's with a name for every wildcard, and their parameters.
func (v *composed) path() (string, []any) {
	var parameters []any
	var parts []string
	for i, part := range strings.Split(proxy.PlainPath(cmp.Or(v.Match.Path, "/**")), "/") {
		switch part {
		case "*":
			part = fmt.Sprintf("{part%d}", i)
		case "**":
			part = "{rest}"
		}
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name, schema := strings.TrimSuffix(name, "}"), fields{"type": "string"}
			if text := proxy.ExpressionOf(v.Match.Path, name); text != "" {
				schema["pattern"] = anchored(text)
			}
			parameters = append(parameters, fields{"name": name, "in": "path", "required": true, "schema": schema})
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "/"), parameters
}

// anchored is an expression that fits whole values where others fit parts.
func anchored(text string) string { return "^(?:" + text + ")$" }

// asked are the headers and query values that a request must have, for the
// route to be its own, and those that it may.
func (v *composed) asked() (parameters []any) {
	for in, values := range map[string]map[string]config.MatchValue{"header": v.Match.Headers, "query": v.Match.Query} {
		for _, name := range sortedKeys(values) {
			schema := fields{"type": "string"}
			switch want := values[name]; {
			case want.Pattern != "":
				schema["pattern"] = anchored(want.Pattern)
			case want.Value != "*":
				schema["enum"] = []any{want.Value}
			}
			parameters = append(parameters, fields{"name": name, "in": in, "required": true, "schema": schema})
		}
	}
	var seen []string
	for _, p := range v.refs {
		in := map[string]string{"query": "query", "headers": "header"}[p[0]]
		if in == "" || len(p) < 2 || slices.Contains(seen, p.String()) {
			continue
		}
		seen = append(seen, p.String())
		if must := map[string]map[string]config.MatchValue{"query": v.Match.Query, "header": v.Match.Headers}[in]; !named(must, p[1], in == "header") {
			parameters = append(parameters, fields{"name": p[1], "in": in, "schema": fields{"type": "string"}})
		}
	}
	slices.SortStableFunc(parameters, func(a, b any) int { return strings.Compare(a.(fields)["in"].(string), b.(fields)["in"].(string)) })
	return parameters
}

func named(values map[string]config.MatchValue, name string, fold bool) bool {
	for have := range values {
		if have == name || fold && strings.EqualFold(have, name) {
			return true
		}
	}
	return false
}

func (v *composed) responses() fields {
	answer := v.Answer
	if answer == nil {
		var all ordered.Object
		for i := range v.Calls {
			all = append(all, ordered.Member{Key: v.Calls[i].As, Value: "{" + v.Calls[i].As + "}"})
		}
		answer = all
	}
	good := fields{"description": "The answer", "content": fields{"application/json": fields{"schema": v.schema(answer)}}}
	if slices.ContainsFunc(v.Calls, func(c proxy.ComposeCall) bool { return c.Optional }) {
		good["headers"] = fields{"x-sluice-partial": fields{"description": "The calls that failed, whose values are null", "schema": fields{"type": "string"}}}
	}
	problem := func(text string) fields {
		return fields{"description": text, "content": fields{"application/problem+json": fields{"schema": fields{"type": "object"}}}}
	}
	return fields{"200": good, "502": problem("A call that the answer needs has failed"), "504": problem("The calls took longer than " + v.Deadline.String()), "default": problem("What else went wrong")}
}

// schema is that of what is made of a template.
func (v *composed) schema(template any) fields {
	switch t := template.(type) {
	case string:
		refs := reshape.References(t)
		switch {
		case len(refs) == 1 && t == "{"+refs[0].String()+"}":
			return v.value(refs[0])
		case len(refs) > 0:
			return fields{"type": "string"}
		}
	case []any:
		return fields{"type": "array", "minItems": len(t), "maxItems": len(t)}
	case ordered.Object:
		properties, required := fields{}, []any{}
		for _, m := range t {
			properties[m.Key] = v.schema(m.Value)
			required = append(required, m.Key)
		}
		return fields{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
	case nil:
		return fields{"type": "null"}
	}
	return fields{"enum": []any{template}}
}

// value is the schema of what a path leads to.
func (v *composed) value(p reshape.Path) fields {
	i := slices.IndexFunc(v.Calls, func(c proxy.ComposeCall) bool { return c.As == p[0] })
	switch {
	case i < 0 && p[0] == "body":
		return fields{}
	case i < 0:
		return orNull(fields{"type": "string"})
	}
	c := &v.Calls[i]
	if len(c.Edit.Keep) == 0 {
		return fields{}
	}
	var below []reshape.Path
	for _, kept := range c.Edit.Keep {
		switch n := min(len(kept), len(p)-1); {
		case !leads(kept[:n], p[1:1+n]):
		case n == len(kept):
			return fields{} // it is kept whole
		default:
			below = append(below, kept[n:])
		}
	}
	switch {
	case below == nil:
		return fields{"type": "null"}
	case len(p) > 1 || c.Optional:
		return orNull(keptOf(below))
	}
	return keptOf(below)
}

// leads tells whether a path may lead where another does.
func leads(a, b reshape.Path) bool {
	for i := range a {
		if a[i] != b[i] && a[i] != "*" {
			return false
		}
	}
	return true
}

func orNull(schema fields) fields {
	null := fields{"type": "null"}
	if kinds, ok := schema["anyOf"].([]any); ok {
		return fields{"anyOf": append(kinds, null)}
	}
	return fields{"anyOf": []any{schema, null}}
}

// keptOf is the schema of what is left of a value of which these paths are
// kept. A star is all of a list, or of an object.
func keptOf(paths []reshape.Path) fields {
	var names []string
	below, whole := map[string][]reshape.Path{}, map[string]bool{}
	for _, p := range paths {
		if _, err := strconv.Atoi(p[0]); err == nil {
			return fields{} // elements of a list, or whatever has such names
		}
		if !slices.Contains(names, p[0]) {
			names = append(names, p[0])
		}
		if below[p[0]] = append(below[p[0]], p[1:]); len(p) == 1 {
			whole[p[0]] = true
		}
	}
	properties, others := fields{}, any(false)
	for _, name := range names {
		schema := fields{}
		if !whole[name] {
			schema = keptOf(below[name])
		}
		if name == "*" {
			others = schema
		} else {
			properties[name] = schema
		}
	}
	of := fields{"type": "object", "additionalProperties": others}
	if len(properties) > 0 {
		of["properties"] = properties
	}
	if others == false {
		return of
	}
	return fields{"anyOf": []any{fields{"type": "array", "items": others}, of}}
}

// schemesOf is how callers tell who they are.
func schemesOf(a *config.RouteAuth) (schemes fields, security []any) {
	schemes, all := fields{}, fields{}
	for _, method := range a.Require {
		kind, _, _ := strings.Cut(method, ":")
		name := strings.ReplaceAll(method, ":", "-")
		schemes[name] = map[string]fields{
			"key": {"type": "http", "scheme": "bearer"}, "oauth2": {"type": "http", "scheme": "bearer"}, "jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
			"basic": {"type": "http", "scheme": "basic"}, "mtls": {"type": "mutualTLS"}, "hmac": {"type": "apiKey", "in": "header", "name": "Signature"}}[kind]
		all[name] = []any{}
		security = append(security, fields{name: []any{}})
	}
	if a.All {
		security = []any{all}
	}
	return schemes, security
}
