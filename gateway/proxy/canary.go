package proxy

import (
	"strings"

	"github.com/cespare/xxhash/v2"
)

// The arms of a route with a canary.
const (
	ArmStable = "stable"
	ArmCanary = "canary"
)

// CanaryOptions say which requests a route's canary answers.
type CanaryOptions struct {
	Route string
	Share float64 // of the callers, from 0 to 1
	// By is what tells callers apart: key, ip, header:X or cookie:X. Those without
	// it are told apart by their key, else by their address.
	By string
	// Match are headers that a request must have to be of the canary, whatever the
	// share is; none: the share alone counts.
	Match []Condition
}

// Canary decides which arm a request is of. The same caller stays with the same
// one, and a share that grows takes nobody away from the canary. It stands
// behind sign-in.
func Canary(o CanaryOptions) Step {
	subject := callerBy(o.By)
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			x.Arm = ArmStable
			if o.matches(x) || o.Share > 0 && o.place(subject, x) < o.Share {
				x.Arm = ArmCanary
			}
			x.Told = append(x.Told, Condition{"X-Sluice-Arm", x.Arm})
			return next(x)
		}
	}
}

func (o *CanaryOptions) matches(x *Exchange) bool {
	for i := range o.Match {
		if c := &o.Match[i]; !c.in(x.RC.Request.Header.PeekAll(c.Name)) {
			return false
		}
	}
	return len(o.Match) > 0
}

// place is where a caller stands among all, from 0 to below 1: elsewhere at each
// route, lest the same callers be the first everywhere.
func (o *CanaryOptions) place(subject func([]byte, *Exchange) []byte, x *Exchange) float64 {
	var memory [256]byte
	text := append(append(memory[:0], o.Route...), 0)
	return float64(xxhash.Sum64(subject(text, x))>>11) / (1 << 53)
}

// callerBy writes what a caller is known by.
func callerBy(by string) func(dst []byte, x *Exchange) []byte {
	kind, name, _ := strings.Cut(by, ":")
	byKey := subjectOf("key")
	switch kind {
	case "header", "ip":
		other := subjectOf(by)
		return func(dst []byte, x *Exchange) []byte {
			if kind == "header" && len(x.RC.Request.Header.Peek(name)) == 0 {
				return byKey(dst, x)
			}
			return other(dst, x)
		}
	case "cookie":
		return func(dst []byte, x *Exchange) []byte {
			value := x.RC.Request.Header.Cookie(name)
			if len(value) == 0 {
				return byKey(dst, x)
			}
			return append(append(dst, "cookie "...), value...)
		}
	}
	return byKey
}
