package config

import (
	"net/netip"
	"strconv"
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

// mostAdaptive bounds limits.adaptive.max.
const mostAdaptive = 100_000

func (k *checker) adaptive(path []string, r *Route) {
	switch a := r.Limits.Adaptive; {
	case a == nil:
	case r.Backend.HTTP == nil && r.Backend.Compose == nil:
		k.fault(path, "is for a backend with targets")
	case a.Min < 1:
		k.fault(below(path, "min"), "want at least 1")
	case a.Max < a.Min || a.Max > mostAdaptive:
		k.fault(below(path, "max"), "want from min, which is %d, to %d", a.Min, mostAdaptive)
	}
}

// RouteWAF looks for attacks in requests.
type RouteWAF struct {
	Rules    string  `json:"rules" enum:"owasp-crs"`
	Paranoia int64   `json:"paranoia"` // from 1 to 4
	Mode     string  `json:"mode" enum:"block,detect"`
	Exclude  []int64 `json:"exclude"` // ids of rules that are left out
	Body     Size    `json:"body"`    // how much of a body is looked into; 0: none
}

func defaultRouteWAF() RouteWAF {
	return RouteWAF{Rules: "owasp-crs", Paranoia: 1, Mode: "block", Body: 16 << 10}
}

// mostWAFBody bounds waf.body: to look into a KiB takes milliseconds.
const mostWAFBody = 1 << 20

func (k *checker) waf(path []string, w *RouteWAF) {
	if w == nil {
		return
	}
	path = below(path, "waf")
	if w.Paranoia < 1 || w.Paranoia > 4 {
		k.fault(below(path, "paranoia"), "want a level from 1 to 4")
	}
	if w.Body > mostWAFBody {
		k.fault(below(path, "body"), "want at most 1MiB: to look into a KiB takes milliseconds")
	}
	for i, id := range w.Exclude {
		if id < 910_000 || id > 949_999 {
			k.fault(below(below(path, "exclude"), strconv.Itoa(i)), "want the id of a rule for requests, such as 942100")
		}
	}
}

// protection checks what keeps callers off a route.
func (k *checker) protection(path []string, r *Route) {
	if r.IPs != nil && len(r.IPs.Allow)+len(r.IPs.Deny) == 0 {
		k.fault(below(path, "ips"), "want allow or deny")
	}
	k.waf(path, r.WAF)
}
