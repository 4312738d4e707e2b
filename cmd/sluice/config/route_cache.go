package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/gateway/proxy"
)

// RouteCache is what is kept of a route's answers.
type RouteCache struct {
	TTL                  time.Duration `json:"ttl"`   // with rfc9111: of answers that do not say
	Vary                 []string      `json:"vary"`  // headers of requests that answers differ by
	Query                *[]string     `json:"query"` // parameters that answers differ by; absent: the query as it was sent
	Tags                 []string      `json:"tags"`  // to purge by; {name} is a parameter of the path
	StaleWhileRevalidate time.Duration `json:"stale_while_revalidate"`
	StaleIfError         time.Duration `json:"stale_if_error"`
	RFC9111              bool          `json:"rfc9111"`
}

func (k *checker) routeCache(path []string, r *Route) {
	c := r.Cache
	if c == nil {
		return
	}
	if c.TTL <= 0 && !c.RFC9111 {
		k.fault(below(path, "ttl"), "want a time such as 60s, or rfc9111: true for those that answers tell")
	}
	for i, name := range c.Vary {
		at := below(below(path, "vary"), strconv.Itoa(i))
		if name == "*" {
			k.fault(at, "want the name of a header")
			continue
		}
		k.header(at, name, "")
	}
	if c.Query != nil {
		for i, name := range *c.Query {
			if at := below(below(path, "query"), strconv.Itoa(i)); name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
				k.fault(at, "want the name of a parameter of the query")
			} else if slices.Contains((*c.Query)[:i], name) {
				k.fault(at, "%q is there already", name)
			}
		}
	}
	params := proxy.ParamsOf(r.Match.Path)
	for i, tag := range c.Tags {
		at := below(below(path, "tags"), strconv.Itoa(i))
		if tag == "" || strings.ContainsAny(tag, " \t\r\n") {
			k.fault(at, "want a tag without spaces")
		}
		for rest := tag; ; {
			_, after, open := strings.Cut(rest, "{")
			name, more, closed := strings.Cut(after, "}")
			if !open {
				break
			}
			if !closed || !slices.Contains(params, name) {
				k.fault(at, "{%s} is no parameter of the path", name)
				break
			}
			rest = more
		}
	}
}
