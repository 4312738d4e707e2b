package config

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/gateway/proxy"
	"sluice/gateway/reshape"
	"sluice/prompts/ordered"
)

// RouteCompose makes one answer of several calls.
type RouteCompose struct {
	Calls    []ComposeCall `json:"calls"`
	Answer   JSON          `json:"answer"`   // with {call.field}; none: what each call gave, by its name
	Deadline time.Duration `json:"deadline"` // of all; an optional call that is late leaves null
}

// ComposeCall is one of the calls: one of the methods has its address.
type ComposeCall struct {
	As       string            `json:"as"`
	Get      string            `json:"get"`
	Post     string            `json:"post"`
	Put      string            `json:"put"`
	Patch    string            `json:"patch"`
	Delete   string            `json:"delete"`
	Headers  map[string]string `json:"headers"`
	Body     JSON              `json:"body"`
	Optional bool              `json:"optional"`
	Allow    []string          `json:"allow"` // fields of its answer; none: all
	Deny     []string          `json:"deny"`
	Max      Size              `json:"max"` // of its answer
}

// Address is the method of a call and its URL.
func (c *ComposeCall) Address() (method, url string, given int) {
	for _, m := range [][2]string{{"GET", c.Get}, {"POST", c.Post}, {"PUT", c.Put}, {"PATCH", c.Patch}, {"DELETE", c.Delete}} {
		if m[1] != "" {
			method, url, given = m[0], m[1], given+1
		}
	}
	return method, url, given
}

// Options are those of the backend, without what it needs to run.
func (c *RouteCompose) Options(route string) (o proxy.ComposeOptions, call int, err error) {
	o = proxy.ComposeOptions{Route: route, Deadline: c.Deadline}
	if len(c.Answer) > 0 {
		if o.Answer, err = ordered.Decode(c.Answer); err != nil {
			return o, -1, err
		}
	}
	for i := range c.Calls {
		in := &c.Calls[i]
		out := proxy.ComposeCall{As: in.As, Optional: in.Optional, Max: int64(in.Max)}
		out.Method, out.URL, _ = in.Address()
		for _, name := range sortedKeys(in.Headers) {
			out.Headers = append(out.Headers, proxy.Condition{Name: name, Value: in.Headers[name]})
		}
		if len(in.Body) > 0 {
			if out.Body, err = ordered.Decode(in.Body); err != nil {
				return o, i, err
			}
		}
		if out.Edit.Keep, err = reshape.ParsePaths(in.Allow); err != nil {
			return o, i, err
		}
		if out.Edit.Remove, err = reshape.ParsePaths(in.Deny); err != nil {
			return o, i, err
		}
		o.Calls = append(o.Calls, out)
	}
	return o, 0, nil
}

func (k *checker) compose(path []string, r *Route) {
	c := r.Backend.Compose
	if len(c.Calls) == 0 {
		k.fault(below(path, "calls"), "want at least one call")
		return
	}
	if c.Deadline <= 0 {
		k.fault(below(path, "deadline"), "want a time above 0")
	}
	at := func(i int) []string { return below(below(path, "calls"), strconv.Itoa(i)) }
	sound := true
	for i := range c.Calls {
		sound = k.composeCall(at(i), &c.Calls[i]) && sound
	}
	if !sound {
		return
	}
	o, i, err := c.Options(r.Name)
	if err == nil {
		i, err = o.Check(proxy.ParamsOf(r.Match.Path))
	}
	switch {
	case err != nil && i < 0:
		k.fault(below(path, "answer"), "%v", err)
	case err != nil:
		k.fault(at(i), "%v", err)
	}
}

func (k *checker) composeCall(path []string, c *ComposeCall) bool {
	_, address, given := c.Address()
	host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(address, "http://"), "https://"), "/")
	u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(address))
	switch {
	case c.As == "" || len(reshape.References("{"+c.As+"}")) != 1 || strings.Contains(c.As, "."):
		k.fault(below(path, "as"), "want a name of letters, digits, _ and -")
	case given != 1:
		k.fault(path, "want one of get, post, put, patch, delete, with an address")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(host, "{}?"):
		k.fault(path, "want an address such as http://127.0.0.1:9001/users/{id}, with values in its path and query alone")
	default:
		for _, name := range sortedKeys(c.Headers) {
			k.header(below(below(path, "headers"), name), name, c.Headers[name])
			if proxy.IsOurs(name) {
				k.fault(below(below(path, "headers"), name), "the gateway writes this header itself")
			}
		}
		return true
	}
	return false
}
