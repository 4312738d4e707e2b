package proxy

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice/providers/schema"
)

// callerPlaces are the places for what the caller is, as expressions name it.
var callerPlaces = []string{"caller.user", "caller.team", "caller.key"}

// IsCallerPlace tells whether a place, without its braces, stands for what the
// caller is.
func IsCallerPlace(name string) bool { return slices.Contains(callerPlaces, name) }

func (c *Caller) value(place string) string {
	switch place {
	case "caller.user":
		return c.User
	case "caller.team":
		return c.Team
	}
	return c.Key
}

// ofCaller are the places for the caller that a change of requests has.
func (c *Change) ofCaller() []string {
	texts := []string{c.Path}
	for _, l := range slices.Concat(c.Headers.Set, c.Headers.Add, c.Query.Set, c.Query.Add) {
		texts = append(texts, l.Value)
	}
	var found []string
	for _, name := range callerPlaces {
		if slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(t, "{"+name+"}") }) {
			found = append(found, name)
		}
	}
	return found
}

// fits tells whether what the caller is can stand in its place: as one segment
// of a path that every backend takes for one, and leads nowhere else.
func (c *Caller) fits(place string) error {
	text, why := c.value(place), ""
	var p Path
	switch err := p.Normalise([]byte("/" + url.PathEscape(text))); {
	case text == "":
		why = "the caller has none"
	case err != nil:
		why = err.Error()
	case len(p.Sent) == 1, bytes.Count(p.Sent, []byte{'/'}) != 1, len(bareName(p.Sent)) < len(p.Sent):
		why = "the caller's is no segment of a path"
	default:
		return nil
	}
	return &schema.Error{Code: schema.CodePermissionDenied, Status: http.StatusForbidden, Origin: schema.OriginPolicy,
		Message: fmt.Sprintf("this route needs {%s} for what it asks of its backend: %s", place, why)}
}
