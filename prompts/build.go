package prompts

import (
	"fmt"
	"strings"

	"sluice/prompts/ordered"
)

// builder makes messages of what a template yields. Roles and parts come from
// statements of the template alone; text is only ever text.
type builder struct {
	history  []Message
	messages []Message
	current  Message
	text     strings.Builder // of all parts
	begun    int             // where in text the part in hand begins
	placed   bool            // the history stands where the template wants it
}

// Text adds to the text that is being gathered.
func (b *builder) Text(s string) { b.text.WriteString(s) }

// Statement ends the gathered text and does what the statement says.
func (b *builder) Statement(name string, args []any, hash map[string]any) error {
	b.endText()
	switch name {
	case "role":
		b.role(args[0].(string), hash)
	case "history":
		b.endMessage("model")
		for _, m := range b.history {
			m.Metadata = m.Metadata.With("purpose", "history")
			b.messages = append(b.messages, m)
		}
		b.placed = true
	case "section":
		purpose, ok := args[0].(string)
		if !ok {
			return fmt.Errorf("the name must be text, not %s", kindOf(args[0]))
		}
		b.current.Content = append(b.current.Content, Part{Metadata: ordered.Object{
			{Key: "purpose", Value: purpose}, {Key: "pending", Value: true}}})
	case "media":
		url, ok := hash["url"].(string)
		if !ok || url == "" {
			return fmt.Errorf("the url must be text, not %s", emptyOr(hash["url"]))
		}
		typ, ok := hash["contentType"].(string)
		if !ok && hash["contentType"] != nil {
			return fmt.Errorf("the contentType must be text, not %s", kindOf(hash["contentType"]))
		}
		b.current.Content = append(b.current.Content, Part{Media: &Media{URL: url, ContentType: typ}})
	}
	return nil
}

func emptyOr(v any) string {
	if v == "" {
		return "empty"
	}
	return kindOf(v)
}

// role begins a message, or renames the one in hand if nothing is in it yet.
func (b *builder) role(role string, hash map[string]any) {
	b.endMessage(role)
	if len(hash) == 0 {
		return
	}
	for _, k := range sortedKeys(hash) {
		b.current.Metadata = b.current.Metadata.With(k, toOrdered(hash[k]))
	}
}

// endText makes a part of the gathered text, unless it is blank.
func (b *builder) endText() {
	s := b.text.String()[b.begun:]
	b.begun = b.text.Len()
	if strings.Trim(s, bodySpace) != "" {
		b.current.Content = append(b.current.Content, Part{Text: s})
	}
}

// endMessage puts the message in hand away and begins one of a role; an empty
// one only changes its role.
func (b *builder) endMessage(next string) {
	if len(b.current.Content) > 0 {
		b.messages = append(b.messages, b.current)
		b.current = Message{}
	}
	b.current.Role = next
}

// done ends the last message and puts the history in, if the template did not:
// before a last user message, else at the end.
func (b *builder) done() []Message {
	b.endText()
	b.endMessage("")
	if b.placed || len(b.history) == 0 {
		return b.messages
	}
	last := len(b.messages) - 1
	if last >= 0 && b.messages[last].Role == "user" {
		out := append([]Message{}, b.messages[:last]...)
		return append(append(out, b.history...), b.messages[last])
	}
	return append(b.messages, b.history...)
}
