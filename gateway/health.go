package gateway

import (
	"encoding/json"
	"errors"
	"syscall"
	"time"

	"sluice/providers/schema"
)

// serveLive says that the process answers.
func (c *Call) serveLive() error { return c.sendJSON([]byte(`{"status":"ok"}`)) }

// serveReady says whether calls should be sent here, with the reasons if not.
func (c *Call) serveReady() error {
	reasons, warnings := c.g.notReady(inPublic), c.g.warnings(inPublic)
	switch {
	case len(reasons) == 0 && len(warnings) == 0:
		return c.sendJSON([]byte(`{"status":"ready"}`))
	case len(reasons) == 0:
		body, err := json.Marshal(map[string]any{"status": "ready", "warnings": warnings})
		if err != nil {
			return err
		}
		return c.sendJSON(body)
	}
	body, err := json.Marshal(map[string]any{"status": "not ready", "reasons": reasons})
	if err != nil {
		return err
	}
	if err := c.sendJSON(body); err != nil {
		return err
	}
	c.rc.SetStatusCode(503)
	return nil
}

// NotReady tells why calls should not be sent here; empty: they should.
func (g *Gateway) NotReady() []string { return g.notReady(error.Error) }

// Warnings tell what is wrong here although calls are served.
func (g *Gateway) Warnings() []string { return g.warnings(error.Error) }

// inPublic is as much of an error as everyone may know: no paths.
func inPublic(err error) string {
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		return no.Error()
	}
	return "the log tells why"
}

func (g *Gateway) notReady(say func(error) string) []string {
	var reasons []string
	if g.draining.Load() {
		reasons = append(reasons, "shutting down")
	}
	if st := g.spool.Strain(); st != nil && st.Refuse {
		what := "usage cannot be written to the spool: "
		if st.TooMuch {
			what = "too much usage waits in memory: "
		}
		reasons = append(reasons, what+say(st.Why))
	}
	return reasons
}

func (g *Gateway) warnings(say func(error) string) []string {
	var warnings []string
	switch st := g.spool.Strain(); {
	case st == nil || st.Refuse:
	case st.Memory:
		warnings = append(warnings, "usage waits in memory, for it cannot be written to disk: "+say(st.Why))
	default:
		warnings = append(warnings, "usage can hardly be written to disk: "+say(st.Why))
	}
	if err := g.spool.StoreTrouble(); err != nil {
		warnings = append(warnings, "the store takes no usage, which waits in the spool: "+say(err))
	}
	return warnings
}

// recordable refuses the call if its usage could not be kept.
func (c *Call) recordable() error {
	st := c.g.spool.Strain()
	if st == nil || !st.Refuse {
		return nil
	}
	return &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginGateway, RetryAfter: 5 * time.Second,
		Message: "no calls are served now: their usage could not be recorded", Cause: st.Why}
}
