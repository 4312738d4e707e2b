package bedrock

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// turn is one message: content blocks under one role.
type turn struct {
	role   string
	blocks []block
}

// block is one content block of a turn, written already.
type block struct {
	json   []byte
	result bool // a toolResult
}

// messages sorts the request's messages into system blocks and turns.
func (e *encoder) messages() error {
	for i := range e.req.Messages {
		m := &e.req.Messages[i]
		var err error
		switch m.Role {
		case schema.RoleSystem, schema.RoleDeveloper:
			err = e.systemMessage(i, m)
		case schema.RoleAssistant:
			err = e.assistant(i, m)
		case schema.RoleTool, "function":
			err = e.toolResult(i, m)
		case schema.RoleUser:
			var blocks []block
			if blocks, err = e.parts(fmt.Sprintf("messages[%d].content", i), m.Parts); err == nil {
				e.add("user", blocks...)
			}
		default:
			err = schema.Invalid(fmt.Sprintf("messages[%d].role", i), "messages[%d].role: unknown role %q", i, m.Role)
		}
		if err != nil {
			return err
		}
		if m.Name != "" && m.Role != schema.RoleTool {
			e.drop("name")
		}
	}
	if len(e.turns) == 0 {
		return schema.Invalid("messages", "messages: there is no user message with content")
	}
	return nil
}

func (e *encoder) systemMessage(i int, m *schema.Message) error {
	for j := range m.Parts {
		p := &m.Parts[j]
		if p.Type != schema.PartText {
			return schema.Invalid(fmt.Sprintf("messages[%d].content", i), "messages[%d].content: a %s message can hold text only", i, m.Role)
		}
		if strings.TrimSpace(p.Text) == "" {
			continue
		}
		e.system = append(e.system, textBlock(p.Text))
		if point := e.cachePoint(p.CacheControl, e.traits.cache); point != nil {
			e.system = append(e.system, point)
		}
	}
	return nil
}

func textBlock(text string) []byte {
	return append(wire.AppendString([]byte(`{"text":`), text), '}')
}

// foldSystem puts system prompts at the head of the first turn, for models
// that have none.
func (e *encoder) foldSystem() {
	var head []block
	for _, b := range e.system {
		head = append(head, block{json: b})
	}
	if len(head) == 0 {
		return
	}
	e.system = nil
	if e.turns[0].role == "user" {
		e.turns[0].blocks = append(head, e.turns[0].blocks...)
		return
	}
	e.turns = append([]turn{{"user", head}}, e.turns...)
}

// assistant writes thinking first, then the rest in its order, then the calls.
func (e *encoder) assistant(i int, m *schema.Message) error {
	var thoughts, rest []schema.Part
	for _, p := range m.Parts {
		if p.Type == schema.PartThinking || p.Type == schema.PartRedactedThinking {
			thoughts = append(thoughts, p)
			continue
		}
		rest = append(rest, p)
	}
	if m.Refusal != "" {
		rest = append(rest, schema.Part{Type: schema.PartText, Text: m.Refusal})
	}
	if n := len(rest); n > 0 && i == len(e.req.Messages)-1 {
		// An answer to go on with must not end in space.
		rest[n-1].Text = strings.TrimRight(rest[n-1].Text, " \t\r\n")
	}
	blocks, err := e.parts(fmt.Sprintf("messages[%d].content", i), append(thoughts, rest...))
	if err != nil {
		return err
	}
	for j := range m.ToolCalls {
		c := &m.ToolCalls[j]
		at := fmt.Sprintf("messages[%d].tool_calls[%d]", i, j)
		if c.ID == "" {
			return schema.Invalid(at+".id", "%s.id is missing", at)
		}
		input := strings.TrimSpace(c.Function.Arguments)
		if input == "" {
			input = "{}"
		}
		if !wire.Valid([]byte(input)) || !gjson.Parse(input).IsObject() {
			return schema.Invalid(at+".function.arguments", "%s.function.arguments is not a JSON object", at)
		}
		b := wire.AppendText([]byte(`{"toolUse":{`), "toolUseId", cleanID(c.ID))
		b = wire.AppendText(b, "name", c.Function.Name)
		b = append(append(wire.AppendKey(b, "input"), input...), '}', '}')
		blocks = append(blocks, block{json: b})
		e.toolNames[c.Function.Name] = true
	}
	e.add("assistant", blocks...)
	return nil
}

// toolResult writes a tool's answer as a block of the user's turn. A cache
// mark of its parts stands behind the block.
func (e *encoder) toolResult(i int, m *schema.Message) error {
	at := fmt.Sprintf("messages[%d]", i)
	if m.ToolCallID == "" {
		return schema.Invalid(at+".tool_call_id", "%s.tool_call_id is missing", at)
	}
	parts := make([]schema.Part, 0, len(m.Parts))
	var mark []byte
	for _, p := range m.Parts {
		if p.CacheControl != nil {
			mark, p.CacheControl = p.CacheControl, nil
		}
		parts = append(parts, p)
	}
	content, err := e.parts(at+".content", parts)
	if err != nil {
		return err
	}
	b := wire.AppendText([]byte(`{"toolResult":{`), "toolUseId", cleanID(m.ToolCallID))
	b = append(wire.AppendKey(b, "content"), '[')
	for _, c := range content {
		b = append(wire.AppendComma(b), c.json...)
	}
	if len(content) == 0 { // a result must have content, and its text must not be blank
		b = append(b, `{"text":"(no output)"}`...)
	}
	b = append(b, ']')
	if m.IsError {
		b = wire.AppendText(b, "status", "error")
	}
	blocks := []block{{json: append(b, '}', '}'), result: true}}
	if point := e.cachePoint(mark, e.traits.cache); point != nil {
		blocks = append(blocks, block{json: point, result: true})
	}
	e.toolNames[""] = true
	e.add("user", blocks...)
	return nil
}

// add appends blocks to the last turn if it has the same role, else begins a
// new one. Results of tools stand before all else in a user's turn.
func (e *encoder) add(role string, blocks ...block) {
	if len(blocks) == 0 {
		return
	}
	n := len(e.turns)
	if n == 0 || e.turns[n-1].role != role {
		e.turns = append(e.turns, turn{role, blocks})
		return
	}
	last := &e.turns[n-1]
	for _, b := range blocks {
		at := len(last.blocks)
		if b.result {
			for at > 0 && !last.blocks[at-1].result {
				at--
			}
		}
		last.blocks = append(last.blocks, block{})
		copy(last.blocks[at+1:], last.blocks[at:])
		last.blocks[at] = b
	}
}

// maxID is how long a toolUseId may be.
const maxID = 64

// cleanID makes an id that another provider gave fit [a-zA-Z0-9_-]{1,64}. Call
// and result change alike.
func cleanID(id string) string {
	id, _ = wire.SplitCall(id)
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, id)
	if len(clean) <= maxID {
		return clean
	}
	sum := sha256.Sum256([]byte(id))
	return clean[:maxID-17] + "_" + hex.EncodeToString(sum[:8])
}
