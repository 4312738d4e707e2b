package main

import (
	"time"

	"sluice/gateway/guard"
	"sluice/gateway/telemetry"
	"sluice/router"
	"sluice/router/discovery"
)

// connections tells how many connections to each provider are open.
func (s *server) connections(yield func(provider string, open float64)) {
	for _, p := range s.build.view().providers {
		if !p.Client.Local() {
			yield(p.Name, float64(p.Client.Connections()))
		}
	}
}

// healthy tells of each provider that is checked whether it is.
func (s *server) healthy(yield func(provider string, healthy bool)) {
	for _, p := range s.build.view().providers {
		if p.Health != nil {
			yield(p.Name, !p.Health.Down())
		}
	}
}

func (s *server) gauges() telemetry.Gauges {
	return telemetry.Gauges{
		SpoolRecords:  s.spool.Pending,
		SpoolMemory:   s.spool.Unwritten,
		SpoolStrained: func() bool { return s.spool.Strain() != nil },
		SpoolRefuses:  func() bool { st := s.spool.Strain(); return st != nil && st.Refuse },
		SpoolDamaged:  s.spool.Damaged,
		StoreDown:     func() bool { return s.spool.StoreTrouble() != nil },
		OpenHolds:     s.book.OpenHolds,
		LogDropped:    s.gateway.LogDropped,
		CacheSize: func() (entries, bytes int64) {
			entries, bytes = s.gateway.CacheSize()
			n, of := s.build.kept.Size()
			return entries + n, bytes + of
		},
		Connections: s.gateway.Connections,
		Upstream:    s.connections,
		Breakers: func(yield func(string, float64)) {
			breakerStates(s.build.view().registry.Targets(time.Now()), yield)
		},
		Health:       s.healthy,
		TargetHealth: func(yield func(string, bool)) { targetsHealthy(s.build.view(), yield) },
		Discovery: func(yield func(string, discovery.Status)) {
			for route, d := range s.build.view().discovered {
				yield(route, d.watch.Status())
			}
		},
		Guards: func(yield func(string, *guard.Figures)) {
			for name, g := range s.build.view().guards {
				yield(name, g.Figures)
			}
		},
		Queues: func(yield func(string, *router.QueueStatus)) {
			for _, m := range s.build.view().models {
				if q := m.Route.Queue; q != nil {
					yield(m.Name, q.Status())
				}
			}
		},
		KeyBreakers: func(yield func(string, string, float64)) {
			for _, t := range s.build.view().registry.Targets(time.Now()) {
				for _, k := range t.Keys {
					yield(t.ID, k.Label, stateFigures[k.State])
				}
			}
		},
		KeysCooling: func(yield func(string, string, float64)) {
			v, now := s.build.view(), time.Now()
			for _, p := range v.providers {
				for _, k := range v.registry.Secrets(p.Name, now) {
					yield(p.Name, k.Label, map[string]float64{"cooling": 1}[k.State])
				}
			}
		},
	}
}
