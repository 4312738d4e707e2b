package config

import (
	"net/netip"
	"time"
)

// RouteIPs are the addresses from which a route may be used.
type RouteIPs struct {
	Allow []netip.Prefix `json:"allow"` // none: all but those of Deny
	Deny  []netip.Prefix `json:"deny"`
}

// RouteThrottle slows down what is too much, before it is refused.
type RouteThrottle struct {
	After int64         `json:"after"` // requests in the rate's time that pass at once
	Delay time.Duration `json:"delay"` // between two of the others; 0: the rate's own pace
	Queue int64         `json:"queue"` // that may wait at the same time
}

func (k *checker) throttle(path []string, l *RouteLimits) {
	path = below(path, "throttle")
	switch t := l.Throttle; {
	case t == nil:
	case l.Rate.Requests == 0:
		k.fault(path, "want a rate too: what is more than after is slowed down, what is more than the rate refused")
	case t.Queue == 0:
		k.fault(below(path, "queue"), "is needed: how many may wait")
	case t.After > l.Rate.Requests:
		k.fault(below(path, "after"), "want at most the rate's %d: more than that is refused", l.Rate.Requests)
	}
}

// protection checks what keeps callers off a route.
func (k *checker) protection(path []string, r *Route) {
	if r.IPs != nil && len(r.IPs.Allow)+len(r.IPs.Deny) == 0 {
		k.fault(below(path, "ips"), "want allow or deny")
	}
}
