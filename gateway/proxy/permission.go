package proxy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/gateway/cel"
	"sluice/providers/schema"
)

// Permission is what a caller of a route must be allowed.
type Permission struct {
	Route  string
	Roles  []string // one of which the caller must have; none: any will do
	Scopes []string // all of which its token must have
	Allow  *cel.Program
	Table  RoleTable
}

// RoleTable is what each declared role may do. A caller with declared roles may
// do what one of them may, and nothing else; a role that is not declared is a
// name alone.
type RoleTable map[string][]Grant

// Grant is a method and paths.
type Grant struct {
	text    string
	method  string // *: all; GET stands for HEAD too
	pattern pattern
}

// ParseGrant reads a grant such as "GET /orders/**".
func ParseGrant(text string) (Grant, error) {
	method, path, ok := strings.Cut(text, " ")
	m := Match{Methods: []string{method}, Path: path}
	if method == "*" {
		m.Methods = nil
	}
	if !ok || path == "" {
		return Grant{}, errors.New("want a method, or *, and a path: GET /orders/**")
	}
	if _, err := m.Check(); err != nil {
		return Grant{}, err
	}
	p, err := parsePattern(path)
	return Grant{text, method, p}, err
}

func (g *Grant) allows(method string, path *Path) bool {
	return (g.method == "*" || g.method == method || g.method == "GET" && method == "HEAD") && g.pattern.matches(path.Match)
}

// Decision is whether a caller may, and by which rule.
type Decision struct {
	Allowed bool
	Rule    string // the one that decided, as it stands in the configuration
	Why     string // what a caller who may not is told

	challenge string
	cause     error
}

// refusal is the answer to a caller who may not.
func (d *Decision) refusal() error {
	e := &schema.Error{Code: schema.CodePermissionDenied, Status: fasthttp.StatusForbidden, Origin: schema.OriginPolicy, Message: d.Why, Cause: d.cause}
	if d.challenge != "" {
		return &Challenged{e, d.challenge}
	}
	return e
}

// Decide asks in turn the roles, the scopes and the rule of a route. The first
// that says no decides; else the last that was asked.
func (p *Permission) Decide(x *Exchange) Decision {
	d := p.byRole(x)
	if d.Allowed && len(p.Scopes) > 0 {
		d = p.byScope(x)
	}
	if d.Allowed && p.Allow != nil {
		d = p.byRule(x)
	}
	return d
}

func (p *Permission) byRole(x *Exchange) Decision {
	listed := len(p.Roles) > 0
	held, bounded := false, false
	for _, role := range x.Caller.Roles {
		if listed && !slices.Contains(p.Roles, role) {
			continue
		}
		grants, declared := p.Table[role]
		held, bounded = true, bounded || declared
		if listed && !declared {
			return Decision{Allowed: true, Rule: fmt.Sprintf("routes.%s.auth.roles: %s", p.Route, role)}
		}
		for i := range grants {
			if grants[i].allows(x.Method, &x.Path) {
				return Decision{Allowed: true, Rule: fmt.Sprintf("roles.%s: %s", role, strconv.Quote(grants[i].text))}
			}
		}
	}
	switch {
	case listed && !held:
		return Decision{Rule: fmt.Sprintf("routes.%s.auth.roles: %s", p.Route, strings.Join(p.Roles, ", ")),
			Why: "this needs the role " + strings.Join(p.Roles, " or ")}
	case bounded:
		return Decision{Rule: "roles: none of " + strings.Join(x.Caller.Roles, ", ") + " may " + x.Method + " " + string(x.Path.Match),
			Why: "no role of the caller's may " + x.Method + " this"}
	}
	return Decision{Allowed: true, Rule: fmt.Sprintf("routes.%s.auth: whoever is known", p.Route)}
}

func (p *Permission) byScope(x *Exchange) Decision {
	rule := fmt.Sprintf("routes.%s.auth.scopes: %s", p.Route, strings.Join(p.Scopes, ", "))
	for _, scope := range p.Scopes {
		if !slices.Contains(x.Caller.Scopes, scope) {
			return Decision{Rule: rule, Why: "this needs the scope " + scope,
				challenge: `Bearer realm="sluice", error="insufficient_scope", scope="` + strings.Join(p.Scopes, " ") + `"`}
		}
	}
	return Decision{Allowed: true, Rule: rule}
}

func (p *Permission) byRule(x *Exchange) Decision {
	ok, err := p.Allow.Test(x.Vars())
	return Decision{Allowed: ok, Rule: fmt.Sprintf("routes.%s.auth.allow: %s", p.Route, p.Allow), Why: "the rule of this route does not allow it", cause: err}
}
