package auth

import (
	"cmp"
	"strings"
)

// Claims are the names of the claims that tell of a caller's team, roles and
// scopes; an empty one has its usual name. A name with dots leads into objects
// (realm_access.roles), unless there is a claim of just that name.
type Claims struct{ Team, Roles, Scope string }

// identity is what the claims of a token say of its bearer.
func (c Claims) identity(method string, claims map[string]any) *Identity {
	user := word(claims["sub"])
	id := &Identity{ID: method + "/" + user, User: user, Claims: claims,
		Team: word(claim(claims, cmp.Or(c.Team, "team"))), Roles: words(claim(claims, cmp.Or(c.Roles, "roles"))),
		Scopes: words(claim(claims, cmp.Or(c.Scope, "scope")))}
	if c.Scope == "" && id.Scopes == nil {
		id.Scopes = words(claims["scp"]) // as some issuers name it
	}
	return id
}

func claim(claims map[string]any, name string) any {
	if value, ok := claims[name]; ok {
		return value
	}
	first, rest, more := strings.Cut(name, ".")
	inner, ok := claims[first].(map[string]any)
	if !more || !ok {
		return nil
	}
	return claim(inner, rest)
}

func word(value any) string {
	text, _ := value.(string)
	return text
}

// words reads a list of strings, or one with spaces between its words.
func words(value any) []string {
	switch value := value.(type) {
	case string:
		return strings.Fields(value)
	case []any:
		var list []string
		for _, item := range value {
			if text, ok := item.(string); ok {
				list = append(list, text)
			}
		}
		return list
	}
	return nil
}

// meant tells whether a token is for one of the audiences; none asked for: it is.
func meant(audiences []string, value any) bool {
	if len(audiences) == 0 {
		return true
	}
	of, isWord := value.(string)
	list := words(value)
	if isWord {
		list = []string{of}
	}
	for _, want := range audiences {
		for _, has := range list {
			if want == has {
				return true
			}
		}
	}
	return false
}
