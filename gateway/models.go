package gateway

import (
	"strconv"

	"sluice/providers/wire"
)

// serveModels lists the models that the caller may use, as OpenAI does.
func (c *Call) serveModels() error {
	if err := c.authenticate(); err != nil {
		return err
	}
	b := []byte(`{"object":"list","data":[`)
	first := true
	for i := range c.snap.list {
		m := &c.snap.list[i]
		if !c.caller.may(m.ID) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendModel(b, m)
	}
	return c.sendJSON(append(b, `]}`...))
}

// serveOneModel tells of one model, listed or not.
func (c *Call) serveOneModel(id string) error {
	if err := c.authenticate(); err != nil {
		return err
	}
	if err := c.choose(id); err != nil {
		return err
	}
	info := ModelInfo{ID: id, OwnedBy: "sluice"}
	if c.model.Direct {
		info.OwnedBy = c.model.Targets[0].Provider.Name
	}
	for i := range c.snap.list {
		if c.snap.list[i].ID == id {
			info = c.snap.list[i]
		}
	}
	return c.sendJSON(appendModel(nil, &info))
}

func appendModel(b []byte, m *ModelInfo) []byte {
	b = wire.AppendString(append(b, `{"id":`...), m.ID)
	b = append(b, `,"object":"model","created":`...)
	b = strconv.AppendInt(b, m.Created, 10)
	b = wire.AppendString(append(b, `,"owned_by":`...), m.OwnedBy)
	return append(b, '}')
}

// sendJSON answers with a body of our own.
func (c *Call) sendJSON(body []byte) error {
	c.commonHeaders()
	c.rc.Response.Header.SetContentType("application/json")
	c.rc.Response.SetBodyRaw(body)
	return nil
}
