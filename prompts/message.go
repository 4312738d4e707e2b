package prompts

import (
	"encoding/json"
	"fmt"

	"sluice/prompts/ordered"
)

// Message is one turn in Dotprompt's shape. Its role is system, user, model or
// tool.
type Message struct {
	Role     string
	Content  []Part
	Metadata ordered.Object // nil: none
}

// Part is a piece of a message: text, media, a mark that a section begins
// there (Metadata with pending), or one of Dotprompt's other kinds, such as
// toolRequest and toolResponse, kept as it came in Other.
type Part struct {
	Text     string
	Media    *Media
	Metadata ordered.Object
	Other    ordered.Object
}

// Media is something by URL or data URL.
type Media struct {
	URL         string
	ContentType string // "" is not known
}

func (m Message) value() ordered.Object {
	content := make([]any, len(m.Content))
	for i := range m.Content {
		content[i] = m.Content[i].value()
	}
	o := ordered.Object{{Key: "role", Value: m.Role}, {Key: "content", Value: content}}
	if m.Metadata != nil {
		o = append(o, ordered.Member{Key: "metadata", Value: m.Metadata})
	}
	return o
}

func (p Part) value() ordered.Object {
	var o ordered.Object
	switch {
	case p.Other != nil:
		o = append(o, p.Other...)
	case p.Media != nil:
		media := ordered.Object{{Key: "url", Value: p.Media.URL}}
		if p.Media.ContentType != "" {
			media = append(media, ordered.Member{Key: "contentType", Value: p.Media.ContentType})
		}
		o = append(o, ordered.Member{Key: "media", Value: media})
	case p.Metadata == nil || p.Text != "":
		o = append(o, ordered.Member{Key: "text", Value: p.Text})
	}
	if p.Metadata != nil {
		o = append(o, ordered.Member{Key: "metadata", Value: p.Metadata})
	}
	return o
}

// MarshalJSON writes the message in Dotprompt's shape.
func (m Message) MarshalJSON() ([]byte, error) { return ordered.Append(nil, m.value()), nil }

// DecodeMessages reads a JSON list of messages, the history of a conversation.
// Roles are user, model (or assistant) and tool: instructions are the prompt's
// own, so a system message is refused. Content is a text or a list of parts.
func DecodeMessages(data []byte) ([]Message, error) {
	v, err := ordered.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("the messages are not JSON: %w", err)
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("the messages must be a list, not %s", kindOf(v))
	}
	out := make([]Message, len(list))
	for i, e := range list {
		if out[i], err = decodeMessage(e); err != nil {
			return nil, fmt.Errorf("message %d: %w", i+1, err)
		}
	}
	return out, nil
}

func decodeMessage(v any) (Message, error) {
	var m Message
	o, ok := v.(ordered.Object)
	if !ok {
		return m, fmt.Errorf("must be an object, not %s", kindOf(v))
	}
	role, _ := o.Get("role")
	switch role {
	case "user", "model", "tool":
		m.Role = role.(string)
	case "assistant":
		m.Role = "model"
	default:
		return m, fmt.Errorf("the role %v is not user, model or tool", role)
	}
	meta, _ := o.Get("metadata")
	m.Metadata, _ = meta.(ordered.Object)
	content, _ := o.Get("content")
	switch c := content.(type) {
	case string:
		m.Content = []Part{{Text: c}}
	case []any:
		for _, e := range c {
			p, err := decodePart(e)
			if err != nil {
				return m, err
			}
			m.Content = append(m.Content, p)
		}
	default:
		return m, fmt.Errorf("content must be a text or a list of parts, not %s", kindOf(c))
	}
	return m, nil
}

func decodePart(v any) (Part, error) {
	var p Part
	o, ok := v.(ordered.Object)
	if !ok {
		return p, fmt.Errorf("a part must be an object, not %s", kindOf(v))
	}
	for _, f := range o {
		switch f.Key {
		case "text":
			if p.Text, ok = f.Value.(string); !ok {
				return p, fmt.Errorf("text must be text, not %s", kindOf(f.Value))
			}
		case "media":
			media, _ := f.Value.(ordered.Object)
			url, _ := media.Get("url")
			typ, _ := media.Get("contentType")
			p.Media = &Media{}
			p.Media.ContentType, _ = typ.(string)
			if p.Media.URL, _ = url.(string); p.Media.URL == "" {
				return p, fmt.Errorf("media needs a url")
			}
		case "metadata":
			p.Metadata, _ = f.Value.(ordered.Object)
		default:
			p.Other = append(p.Other, f)
		}
	}
	return p, nil
}

// jsonText is a value as compact JSON.
func jsonText(v any) string { return string(ordered.Append(nil, v)) }

var _ json.Marshaler = Message{}
