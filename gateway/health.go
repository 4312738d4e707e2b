package gateway

import "encoding/json"

// serveLive says that the process answers.
func (c *Call) serveLive() error { return c.sendJSON([]byte(`{"status":"ok"}`)) }

// serveReady says whether calls should be sent here, with the reasons if not.
func (c *Call) serveReady() error {
	reasons := c.g.NotReady()
	if len(reasons) == 0 {
		return c.sendJSON([]byte(`{"status":"ready"}`))
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
func (g *Gateway) NotReady() []string {
	var reasons []string
	if g.draining.Load() {
		reasons = append(reasons, "shutting down")
	}
	if err := g.spoolErr.Load(); err != nil {
		reasons = append(reasons, "the usage spool cannot be written: "+(*err).Error())
	}
	return reasons
}

// noteSpool keeps whether usage can be recorded. It is called for every call,
// so it writes only when that changes.
func (g *Gateway) noteSpool(err error) {
	switch {
	case err != nil:
		g.spoolErr.Store(&err)
	case g.spoolErr.Load() != nil:
		g.spoolErr.Store(nil)
	}
}
