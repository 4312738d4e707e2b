package proxy

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"pgregory.net/rapid"

	"sluice/gateway/httpcache"
	"sluice/router"
)

// whose is what an authorised answer is for, as its backend would know it.
func whose(x *Exchange) string {
	c := &x.Caller
	return fmt.Sprintf("%q %q %q %q %q", c.ID, c.Key, c.Team, c.User, x.RC.Request.Header.Peek("Authorization"))
}

// asked is what an answer differs by, beside whom it is for.
func asked(x *Exchange) string {
	return fmt.Sprintf("%s %s %q", x.Path.Sent, x.RC.Host(), x.RC.QueryArgs().Peek("page"))
}

// TestCacheKeepsCallersApart: whatever the policies of the cache, its callers and
// their requests, nobody is given an answer that was made for another caller or
// another question, fresh, stale or by waiting. What a backend has told somebody
// who did not say who they are is for all (RFC 9111, section 3.5).
func TestCacheKeepsCallersApart(t *testing.T) {
	// Tokens name their users and teams: names may hold whatever sets names apart.
	name := rapid.SampledFrom([]string{"", "a", "b", "a\x00b", "b\x00a", "1:a", `a" "a`})
	few := rapid.SampledFrom([]string{"", "a"})
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		backends := rapid.Bool().Draw(t, "the backend knows its callers")
		o := CacheOptions{Route: "r", Store: httpcache.New(1 << 20), Own: !backends, Recovered: func(what any) { panic(what) },
			Policy: httpcache.Policy{TTL: rapid.SampledFrom([]time.Duration{1, time.Hour}).Draw(t, "ttl"), RFC9111: rapid.Bool().Draw(t, "rfc9111"),
				Revalid: rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(t, "revalid"), IfError: rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(t, "if error")}}
		if rapid.Bool().Draw(t, "chosen") {
			o.Query = []string{"page"}
		}
		if rapid.Bool().Draw(t, "vary") {
			o.Policy.Vary = []string{"X-Vary"}
		}
		handle := Cache(o)(func(x *Exchange) error { // it never says public
			x.RC.Response.SetBodyString(whose(x) + " " + asked(x))
			x.RC.Response.Header.SetContentType("text/plain")
			if says := string(x.RC.Request.Header.Peek("X-Says")); says != "" {
				x.RC.Response.Header.Set("Cache-Control", says)
			}
			return nil
		})
		for range rapid.IntRange(2, 60).Draw(t, "requests") {
			x := NewExchange()
			x.RC, x.Edge, x.Plan, x.Method, x.Now = new(fasthttp.RequestCtx), alone{context.Background()}, new(router.Plan), "GET", time.Now()
			h := &x.RC.Request.Header
			if backends {
				if who := name.Draw(t, "authorization"); who != "" {
					h.Set("Authorization", url.QueryEscape(who))
				}
			} else {
				x.Caller = Caller{ID: name.Draw(t, "id"), Key: name.Draw(t, "key"), Team: few.Draw(t, "team"), User: few.Draw(t, "user")}
			}
			query := url.Values{}
			for _, p := range []string{"page", "x"} {
				if v := rapid.SampledFrom([]string{"", "1", "1&page=2"}).Draw(t, p); v != "" {
					query.Set(p, v)
				}
			}
			target := rapid.SampledFrom([]string{"/a", "/a%3Fpage=1"}).Draw(t, "path")
			if err := x.Path.Normalise([]byte(target)); err != nil {
				t.Fatal(err)
			}
			x.Query = []byte(query.Encode())
			x.RC.Request.SetRequestURI(target + "?" + query.Encode())
			h.SetHost(rapid.SampledFrom([]string{"h", "h", "h", "g"}).Draw(t, "host"))
			for _, one := range []struct {
				header string
				values []string
			}{{"X-Vary", []string{"", "1"}}, {"X-Says", []string{"", "max-age=60", "private, max-age=60", "no-store"}},
				{"Cache-Control", []string{"", "no-cache", "max-stale=100", "only-if-cached"}}, {"X-Sluice-Cache", []string{"", "refresh", "skip"}}} {
				if v := rapid.SampledFrom(one.values).Draw(t, one.header); v != "" {
					h.Set(one.header, v)
				}
			}
			want := whose(x) + " " + asked(x)
			if err := handle(x); err == nil {
				forAll := whose(&Exchange{RC: new(fasthttp.RequestCtx)}) + " " + asked(x)
				if got := string(x.RC.Response.Body()); got != want && !(backends && o.Policy.RFC9111 && got == forAll) {
					t.Fatalf("%s was given what is for %s", want, got)
				}
				if string(x.RC.Response.Header.Peek("X-Sluice-Cache")) == httpcache.Hit {
					hits++
				}
			}
			x.Release()
		}
	})
	if hits == 0 {
		t.Error("nothing was kept")
	}
}

// The parameters that a route chose count, in whatever order, and no others.
func TestCacheQuery(t *testing.T) {
	f := func(chosen []string, query, want string) {
		t.Helper()
		x := &Exchange{Query: []byte(query)}
		if err := x.Path.Normalise([]byte("/a")); err != nil {
			t.Fatal(err)
		}
		c := &cacher{CacheOptions: CacheOptions{Query: chosen}}
		if got := c.uri(x); got != want {
			t.Errorf("%v of %q: %s, want %s", chosen, query, got, want)
		}
	}
	f(nil, "", "/a")
	f(nil, "b=2&a=1", "/a?b=2&a=1")
	f([]string{}, "b=2&a=1", "/a")
	f([]string{"a", "b"}, "", "/a")
	f([]string{"a", "b"}, "x=1&b=2&a=1&y", "/a?a=1&b=2")
	f([]string{"a"}, "a=2&a=1&A=3", "/a?a=2&a=1")
	f([]string{"a"}, "%61=1%262", "/a?a=1%262")
	f([]string{"a b"}, "a+b=c+d", "/a?a+b=c+d")
}
