package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sluice/cmd/sluice/config"
	"sluice/gateway/proxy"
	"sluice/providers/upstream"
	"sluice/router"
	"sluice/router/discovery"
)

// followed is a service that is followed in its registry for a route, and the
// connections to its servers. It outlives reloads that leave it as it is.
type followed struct {
	watch *discovery.Watch

	mu      sync.Mutex
	clients map[string]*upstream.Client // by address
}

// discovered is a backend whose targets a registry names.
type discovered struct {
	*followed
	route   *config.Route
	backend *proxy.HTTP
	reg     *router.Registry
}

// discover makes such a backend.
func (m *routeBuilder) discover(c *config.Route, o proxy.HTTPOptions) (*proxy.HTTP, error) {
	b := c.Backend.HTTP
	o.Later = true
	backend, err := proxy.NewHTTP(o)
	if err != nil {
		return nil, err
	}
	scheme := "http"
	if b.TLS != nil {
		scheme = "https"
	}
	kind, source, made := b.Discover.Source(scheme)
	made = fmt.Sprint(c.Name, " ", kind, made, " ", c.Timeout, " ", b.TLS.Digest())
	f := m.old.found[made]
	if f == nil {
		f = &followed{clients: map[string]*upstream.Client{}}
		f.watch = discovery.Start(kind, source, func(s discovery.Status) { m.news(c.Name, s) })
	}
	m.keep.found[made] = f
	m.keep.discovered[c.Name] = &discovered{f, c, backend, m.reg}
	return backend, nil
}

// news tells the log that a registry fails, or is back.
func (m *routeBuilder) news(route string, s discovery.Status) {
	level, what := slog.LevelInfo, "a registry has answered"
	switch {
	case s.State == discovery.Waiting:
		level, what = slog.LevelWarn, "a registry fails: the targets of a route are not known"
	case s.State == discovery.Stale:
		level, what = slog.LevelWarn, "a registry fails: a route keeps the targets that were known last"
	}
	args := []any{"route", route, "registry", s.Registry, "endpoints", s.Endpoints}
	if s.Error != "" {
		args = append(args, "error", s.Error)
	}
	m.log.Log(context.Background(), level, what, args...)
}

// firstAnswer is how long a configuration waits for registries that are new in
// it, lest the first requests meet routes without targets.
const firstAnswer = 2 * time.Second

// aim gives the backends the targets that are known, and waits a little for
// those that are not.
func (r *standingRoutes) aim() error {
	end := time.NewTimer(firstAnswer)
	defer end.Stop()
	over := false
	for _, d := range r.discovered {
		select {
		case <-d.watch.Known():
		default:
			if !over {
				select {
				case <-d.watch.Known():
				case <-end.C:
					over = true
				}
			}
		}
		if list, ok := d.watch.Current(); ok {
			if err := d.take(list); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow has the backends in force, those of r, told of what changes.
func (b *builder) follow(r *standingRoutes) {
	for _, d := range r.discovered {
		d.watch.Deliver(func(list []discovery.Endpoint) {
			if err := d.take(list); err != nil { // of an address that no client can be made for
				d.backend.Fault(err)
				return
			}
			d.drop(list)
			b.checks.Follow(d.reg)
		})
	}
}

// take makes the endpoints the backend's targets.
func (d *discovered) take(list []discovery.Endpoint) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	targets := make([]proxy.HTTPTarget, 0, len(list))
	for _, e := range list {
		client := d.clients[e.URL]
		if client == nil {
			var err error
			if client, err = upstream.New(clientOptions(e.URL, d.route.Timeout, d.secure(e.Name))); err != nil {
				return err
			}
			d.clients[e.URL] = client
		}
		targets = append(targets, proxy.HTTPTarget{URL: e.URL, Weight: e.Weight, Client: client, Health: targetHealth(d.reg, d.route, e.URL, client)})
	}
	return d.backend.SetTargets(targets)
}

// secure is how an endpoint is verified: by the name that the configuration
// gives, else by that which the registry does.
func (d *discovered) secure(name string) *tls.Config {
	c := d.route.Backend.HTTP.TLS.Config()
	if c == nil || c.ServerName != "" || name == "" {
		return c
	}
	c = c.Clone()
	c.ServerName = name
	return c
}

// drop forgets the endpoints that are not in the list. Their requests end as
// they do.
func (d *discovered) drop(list []discovery.Endpoint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	stays := make(map[string]bool, len(list))
	for _, e := range list {
		stays[e.URL] = true
	}
	for url, client := range d.clients {
		if !stays[url] {
			client.Close()
			delete(d.clients, url)
			d.reg.Forget(proxy.TargetID(d.route.Name, url))
		}
	}
}

// close ends what is followed.
func (f *followed) close() {
	f.watch.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, client := range f.clients {
		client.Close()
	}
}

// replace closes what is in one generation and not in the next.
func (r *standingRoutes) replace(next *standingRoutes) {
	for made, c := range r.clients {
		if next.clients[made] == nil {
			c.Close()
		}
	}
	for made, f := range r.found {
		if next.found[made] == nil {
			f.close()
		}
	}
}
