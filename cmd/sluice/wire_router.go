package main

import (
	"context"
	"log/slog"
	"slices"

	"sluice/gateway/proxy"
	"sluice/router"
)

// standing logs what turns with a target or one of a provider's keys, and tells
// other replicas.
func (s *server) standing(c router.Change) {
	if name, text, ok := c.News(); ok && s.build.news != nil {
		s.build.news.Tell(name, text, c.Left)
	}
	level := slog.LevelWarn
	if c.To == "closed" || c.To == "half_open" || c.To == "healthy" {
		level = slog.LevelInfo
	}
	args := []any{"from", c.From, "to", c.To}
	place := "target"
	if c.Target != "" {
		args = append(args, "target", c.Target)
	} else {
		place = "provider"
		args = append(args, "provider", c.Provider)
	}
	if c.Key != "" {
		args = append(args, "key", c.Key)
	}
	if c.By == router.Heard {
		args = append(args, "found_by", "another replica")
	}
	what := "a breaker has changed"
	switch c.To {
	case "cooling":
		if what = "a provider's key cools down"; c.Key == "" {
			what = "a target cools down"
		}
		args = append(args, "until", c.Until, "why", string(c.Why))
	case "unhealthy":
		what = "a " + place + " fails its health checks"
		if c.Error != "" {
			args = append(args, "error", c.Error)
		}
	case "healthy":
		what = "a " + place + " passes its health checks again"
	}
	s.log.Log(context.Background(), level, what, args...)
}

// stateFigures are the states of breakers in metrics.
var stateFigures = map[string]float64{"closed": 0, "half_open": 1, "open": 2}

// breakerStates gives each target the worst state of its breakers: routes that
// set different ones for it have one each.
func breakerStates(list []router.TargetStatus, yield func(string, float64)) {
	for i, t := range list {
		state := stateFigures[t.State]
		for _, other := range list[i+1:] {
			if other.ID == t.ID {
				state = max(state, stateFigures[other.State])
			}
		}
		if i == 0 || list[i-1].ID != t.ID { // they are sorted by it
			yield(t.ID, state)
		}
	}
}

// targetsHealthy tells of each target of a route that is checked whether it is
// well.
func targetsHealthy(v *view, yield func(string, bool)) {
	for _, r := range v.routes.Routes() {
		h, ok := r.Backend.(*proxy.HTTP)
		if !ok {
			continue
		}
		all := h.Aims()
		if h.Canary != nil {
			all = slices.Concat(all, h.Canary.Aims())
		}
		told := map[string]bool{}
		for _, t := range all {
			if t.Health != nil && !told[t.URL] {
				told[t.URL] = true
				yield(proxy.TargetID(r.Name, t.URL), !t.Health.Down())
			}
		}
	}
}
