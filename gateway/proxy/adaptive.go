package proxy

import (
	"strconv"
	"time"

	"sluice/gateway/limit"
	"sluice/gateway/telemetry"
	"sluice/providers/schema"
)

// Adaptive refuses what is more than a backend can work on at once, as its
// answers' times show. It is the last step before the backend, so that it sees
// that alone. A request counts until its answer begins.
func Adaptive(route string, bound *limit.Adaptive, series *telemetry.Route) Step {
	message := "route " + strconv.Quote(route) + " has as many requests at once as its backend can take; try again in 1 s"
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			permit, ok := bound.Take()
			if !ok {
				series.Shed()
				return &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginPolicy, RetryAfter: time.Second, Message: message}
			}
			learns := false
			defer func() {
				if learns {
					permit.Record()
				} else {
					permit.Drop()
				}
			}()
			err := next(x)
			learns = tells(x, err)
			return err
		}
	}
}

// tells tells whether the time that a request took says how busy a backend is:
// not where it failed at once, nor where its caller left.
func tells(x *Exchange, err error) bool {
	if err != nil {
		return schema.AsError(err).Code == schema.CodeUpstreamTimeout
	}
	status := x.RC.Response.StatusCode()
	return status < 500 && status != 429 || status == 504
}
