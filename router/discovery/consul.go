package discovery

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Consul is a service in Consul's catalogue, those instances of it whose health
// checks pass.
type Consul struct {
	URL     string // of an agent or server, such as http://127.0.0.1:8500
	Service string
	Tag     string // that instances must have; empty: any
	Token   string // empty: none
	Scheme  string // of the endpoints: http or https
	Client  *http.Client

	wait time.Duration // instead of consulWait; 0: that
}

// consulWait is how long the agent may hold an answer back while nothing
// changes; it adds up to a sixteenth.
const consulWait = 55 * time.Second

// consulEntry is an instance as /v1/health/service tells it
// (developer.hashicorp.com/consul/api-docs/health, read 2026-11-30).
type consulEntry struct {
	Node    struct{ Address string }
	Service struct {
		Address string // empty: the node's
		Port    int
		Weights struct{ Passing int }
	}
}

// Watch asks by blocking queries
// (developer.hashicorp.com/consul/api-docs/features/blocking).
func (c Consul) Watch(ctx context.Context, tell Tell) error {
	query, longest := url.Values{"passing": {"1"}}, cmp.Or(c.wait, consulWait)
	if c.Tag != "" {
		query.Set("tag", c.Tag)
	}
	for index := uint64(0); ; {
		if index > 0 {
			query.Set("index", strconv.FormatUint(index, 10))
			query.Set("wait", longest.String())
		} else {
			query.Del("index")
			query.Del("wait")
		}
		var entries []consulEntry
		ask := question{client: c.Client, address: c.URL + "/v1/health/service/" + url.PathEscape(c.Service) + "?" + query.Encode(),
			header: http.Header{"X-Consul-Token": tokens(c.Token)}}
		head, err := ask.fetch(ctx, longest+longest/16+10*time.Second, &entries)
		if err != nil {
			return err
		}
		tell(c.endpoints(entries))
		next, err := strconv.ParseUint(head.Get("X-Consul-Index"), 10, 64)
		if err != nil || next == 0 {
			return fmt.Errorf("consul answered without an index")
		}
		if next < index { // it may go back, and then it begins anew
			next = 0
		}
		if next == index || next == 0 {
			if err := wait(ctx, leastPause); err != nil {
				return err
			}
		}
		index = next
	}
}

func (c Consul) endpoints(entries []consulEntry) []Endpoint {
	list := make([]Endpoint, 0, len(entries))
	for _, e := range entries {
		host := e.Service.Address
		if host == "" {
			host = e.Node.Address
		}
		if host != "" && e.Service.Port > 0 {
			list = append(list, Endpoint{URL: address(c.Scheme, host, e.Service.Port), Weight: e.Service.Weights.Passing})
		}
	}
	return list
}

func tokens(token string) []string {
	if token == "" {
		return nil
	}
	return []string{token}
}
