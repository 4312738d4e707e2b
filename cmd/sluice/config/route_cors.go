package config

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice/gateway/proxy"
)

// RouteCORS is which pages of other origins may use a route.
type RouteCORS struct {
	Origins     []string      `json:"origins"`
	Methods     []string      `json:"methods"` // none: those of match, or what is asked for
	Headers     []string      `json:"headers"` // none: what is asked for
	Expose      []string      `json:"expose"`
	Credentials bool          `json:"credentials"`
	MaxAge      time.Duration `json:"max_age"`
}

func (k *checker) cors(path []string, r *Route) {
	c := r.CORS
	if c == nil {
		return
	}
	origins := below(path, "origins")
	if len(c.Origins) == 0 {
		k.fault(origins, "is needed: which pages may use the route, such as https://app.example.com")
	}
	for _, o := range c.Origins {
		if o != "*" && o != "null" && !isOrigin(o) {
			k.fault(origins, "want origins such as https://app.example.com or https://*.example.com, without a path%s", k.said(origins, o))
		}
	}
	if c.Credentials && slices.Contains(c.Origins, "*") {
		k.fault(below(path, "credentials"), "any page (*) could then act as whoever is signed in: name the origins")
	}
	rule := proxy.Match{Methods: c.Methods}
	if _, err := rule.Check(); err != nil {
		k.fault(below(path, "methods"), "%v", err)
	}
	for _, name := range c.Headers {
		k.header(below(path, "headers"), name, "")
	}
	for _, name := range c.Expose {
		k.header(below(path, "expose"), name, "")
	}
}

// isOrigin tells whether text is scheme://host, with a port or without.
func isOrigin(text string) bool {
	u, err := url.Parse(strings.Replace(text, "://*.", "://any.", 1))
	return err == nil && u.Scheme != "" && proxy.ValidHost([]byte(u.Host)) && !strings.Contains(u.Host, "*") &&
		u.Path == "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil && !strings.HasSuffix(text, "?") && !strings.HasSuffix(text, "#")
}
