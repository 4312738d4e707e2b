package proxy

import (
	"math/rand/v2"
	"strconv"
	"time"

	"sluice/gateway/cel"
	"sluice/gateway/telemetry"
	"sluice/providers/schema"
)

// FaultOptions are what goes wrong on purpose.
type FaultOptions struct {
	Delay      time.Duration // before a request goes on; 0: none
	DelayShare float64       // of the requests that are delayed
	Status     int           // that a request is answered with; 0: it is not
	Share      float64       // of the requests that are
	When       *cel.Program  // nil: any request
	Series     *telemetry.Route
}

// Faults delays requests, and answers them in place of the backend, so that
// callers can be tested.
func Faults(o FaultOptions) Step {
	hits := func(share float64) bool { return share >= 1 || rand.Float64() < share }
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			if o.When != nil {
				if yes, err := o.When.Test(x.Vars()); err != nil || !yes {
					return next(x)
				}
			}
			if o.Delay > 0 && hits(o.DelayShare) {
				o.Series.Fault("delay")
				x.Told = append(x.Told, Condition{"X-Sluice-Fault", "delay"})
				if err := x.pause(o.Delay); err != nil {
					return err
				}
			}
			if o.Status > 0 && hits(o.Share) {
				o.Series.Fault("status")
				x.Told = append(x.Told, Condition{"X-Sluice-Fault", "status"})
				return &schema.Error{Code: schema.CodeFault, Status: o.Status, Origin: schema.OriginPolicy,
					Message: "a fault that this route makes on purpose: status " + strconv.Itoa(o.Status)}
			}
			return next(x)
		}
	}
}
