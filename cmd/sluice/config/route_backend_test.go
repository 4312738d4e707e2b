package config

import (
	"strings"
	"testing"
	"time"
)

func TestRouteBackend(t *testing.T) {
	c := load(t, `routes: [{name: r, backend: {http: {targets: ["http://a:1"], health: {path: /healthz, fails: 3, panic: 0.5}}}}, {name: q, backend: {http: {targets: ["https://a"], tls: {server_name: b}}}}]`)
	h := c.Routes[0].Backend.HTTP.Health
	if h.Path != "/healthz" || h.Every != 5*time.Second || h.Timeout != 2*time.Second || h.Fails != 3 || h.Passes != 2 || *h.Panic != 0.5 {
		t.Errorf("health: %+v", h)
	}
	s := c.Routes[1].Backend.HTTP.TLS
	if s.Config().ServerName != "b" || s.Config().InsecureSkipVerify || s.Digest() == "" {
		t.Errorf("tls: %+v", s)
	}
	if n := c.Routes[0].Backend.HTTP.TLS; n.Config() != nil || n.Digest() != "" {
		t.Errorf("no tls: %+v", n)
	}
}

func TestRouteDiscover(t *testing.T) {
	c := load(t, `routes:
  - {name: a, backend: {http: {discover: {dns: {name: "a.b:80"}}}}}
  - {name: b, backend: {http: {discover: {dns: {name: _http._tcp.b, type: SRV, every: 1s, server: "127.0.0.1:53"}}}}}
  - {name: c, backend: {http: {discover: {consul: {url: "http://c:8500/", service: s, tag: t, token: hushhush}}}}}
  - {name: d, backend: {http: {discover: {eureka: {url: "http://d/eureka", app: A}}}}}
  - {name: n, backend: {http: {discover: {nacos: {url: "http://n:8848/nacos/", service: s, clusters: [x, y], username: u, password: hushhush}}}}}
  - {name: m, backend: {http: {discover: {nacos: {url: "http://n:8848/nacos/", service: s, clusters: ["x y"], username: u, password: hushhush}}}}}
  - {name: p, backend: {http: {discover: {polaris: {url: "http://p:8090", service: s, token: hushhush}}}}}
  - {name: e, backend: {http: {discover: {kubernetes: {service: s, port: http, token: hushhush}}}}}
  - {name: f, backend: {http: {tls: {}, discover: {file: targets.yaml}}}}
`)
	kinds, seen := "", map[string]bool{}
	for i := range c.Routes {
		kind, source, made := c.Routes[i].Backend.HTTP.Discover.Source("http")
		kinds += kind + " "
		if source == nil || seen[made] {
			t.Errorf("%s is made from %q", kind, made)
		}
		seen[made] = true
	}
	if kinds != "dns dns consul eureka nacos nacos polaris kubernetes file " {
		t.Errorf("read as %s", kinds)
	}
	if c.Routes[8].Backend.HTTP.TLS.Config() == nil {
		t.Error("an empty tls is none")
	}
	if strings.Contains(c.String(), "hushhush") {
		t.Error("a token shows")
	}
}
