package gateway

import (
	"slices"

	"sluice/router"
)

// findQueues tells each provider the queues of the models that reach it.
func (s *Snapshot) findQueues() {
	queues := map[*Provider][]*router.Queue{}
	for _, m := range s.models {
		q := m.Route.Queue
		if q == nil {
			continue
		}
		for _, t := range m.Targets {
			if !slices.Contains(queues[t.Provider], q) {
				queues[t.Provider] = append(queues[t.Provider], q)
			}
		}
	}
	for _, p := range s.providers {
		if !slices.Equal(p.queues, queues[p]) { // calls may be reading it
			p.queues = queues[p]
		}
	}
}

// tellOfRoom tells the calls that wait for the provider of the call's target
// that there may be room there: the call has given back its place.
func (c *Call) tellOfRoom() {
	if c.target == nil || c.target.Provider == nil {
		return
	}
	for _, q := range c.target.Provider.queues {
		q.Poke()
	}
}
