package config

import (
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
