package gateway

import (
	"strconv"
	"strings"
	"time"

	"sluice/providers/anthropic"
	"sluice/providers/gemini"
	"sluice/providers/wire"
)

// ModelInfo is a model as lists show it.
type ModelInfo struct {
	ID        string
	OwnedBy   string
	Created   int64 // Unix seconds; 0: not known
	Context   int64 // tokens; 0: not known
	MaxOutput int64 // tokens; 0: not known
}

// modelShape is how one API shows models: what stands around a list of them,
// and one of them.
type modelShape struct {
	before, after string
	one           func([]byte, *ModelInfo) []byte
}

var (
	openaiModels    = modelShape{`{"object":"list","data":[`, `]}`, appendOpenAIModel}
	anthropicModels = modelShape{`{"data":[`, `],"has_more":false,"first_id":null,"last_id":null}`, appendAnthropicModel}
	geminiModels    = modelShape{`{"models":[`, `]}`, appendGeminiModel}
)

// modelShape is that of the API which the caller's program speaks. OpenAI's and
// Anthropic's share a path; Anthropic's clients say their API's version.
func (c *Call) modelShape() modelShape {
	switch {
	case c.speaks == &gemini.Dialect:
		return geminiModels
	case len(c.rc.Request.Header.Peek("Anthropic-Version")) > 0:
		c.speaks = &anthropic.Dialect
		return anthropicModels
	}
	return openaiModels
}

// serveModels lists the models that the caller may use.
func (c *Call) serveModels() error {
	shape := c.modelShape()
	if err := c.authenticate(); err != nil {
		return err
	}
	b := []byte(shape.before)
	for i := range c.snap.list {
		m := &c.snap.list[i]
		if !c.caller.may(m.ID) {
			continue
		}
		if len(b) > len(shape.before) {
			b = append(b, ',')
		}
		b = shape.one(b, m)
	}
	b = c.appendPromptModels(b, len(shape.before), shape.one)
	return c.sendJSON(append(b, shape.after...))
}

// serveOneModel tells of one model, listed or not.
func (c *Call) serveOneModel(id string) error {
	shape := c.modelShape()
	if err := c.authenticate(); err != nil {
		return err
	}
	info := ModelInfo{ID: id, OwnedBy: "sluice"}
	if name, ok := strings.CutPrefix(id, promptModel); ok {
		if err := c.findPromptModel(name); err != nil {
			return err
		}
		return c.sendJSON(shape.one(nil, &info))
	}
	if err := c.choose(id); err != nil {
		return err
	}
	if c.model.Direct {
		t := c.model.Targets[0]
		info.OwnedBy, info.MaxOutput = t.Provider.Name, t.Max
	}
	for i := range c.snap.list {
		if c.snap.list[i].ID == id {
			info = c.snap.list[i]
		}
	}
	return c.sendJSON(shape.one(nil, &info))
}

func appendOpenAIModel(b []byte, m *ModelInfo) []byte {
	b = wire.AppendString(append(b, `{"id":`...), m.ID)
	b = strconv.AppendInt(append(b, `,"object":"model","created":`...), m.Created, 10)
	b = wire.AppendString(append(b, `,"owned_by":`...), m.OwnedBy)
	return append(b, '}')
}

func appendAnthropicModel(b []byte, m *ModelInfo) []byte {
	b = wire.AppendString(append(b, `{"type":"model","id":`...), m.ID)
	b = wire.AppendString(append(b, `,"display_name":`...), m.ID)
	b = append(b, `,"created_at":"`...)
	b = time.Unix(m.Created, 0).UTC().AppendFormat(b, time.RFC3339)
	return append(b, `"}`...)
}

func appendGeminiModel(b []byte, m *ModelInfo) []byte {
	b = wire.AppendString(append(b, `{"name":`...), "models/"+m.ID)
	b = wire.AppendString(append(b, `,"displayName":`...), m.ID)
	if m.Context > 0 {
		b = strconv.AppendInt(append(b, `,"inputTokenLimit":`...), m.Context, 10)
	}
	if m.MaxOutput > 0 {
		b = strconv.AppendInt(append(b, `,"outputTokenLimit":`...), m.MaxOutput, 10)
	}
	return append(b, `,"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"]}`...)
}

// sendJSON answers with a body of our own.
func (c *Call) sendJSON(body []byte) error {
	c.commonHeaders()
	c.rc.Response.Header.SetContentType("application/json")
	c.rc.Response.SetBodyRaw(body)
	return nil
}
