package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice/prompts/ordered"
)

// imported is a prompt that another program exported, on its way to a file of
// ours. Its texts have variables in our form.
type imported struct {
	name, model string
	config      ordered.Object
	schema      any // of the output; nil: none
	messages    []any
	tools       []any
	variables   []string
	notes       []string // what could not be carried over
}

// importPrompt recognises an export: LangChain's serialised templates,
// Langfuse's and Portkey's prompts as their APIs give them, and requests in
// OpenAI's form, chat completions or responses.
func importPrompt(doc ordered.Object) (*imported, error) {
	p := &imported{}
	var err error
	switch {
	case has(doc, "lc"):
		err = p.langchain(doc)
	case has(doc, "prompt") && (has(doc, "type") || has(doc, "config")):
		err = p.langfuse(doc)
	case has(doc, "string"):
		err = p.portkey(doc)
	case has(doc, "messages") || has(doc, "input") || has(doc, "instructions"):
		err = p.openAI(doc)
	default:
		err = errors.New("it is no prompt of LangChain (lc), Langfuse (prompt, type), Portkey (string, parameters) or a request of OpenAI's (messages, input)")
	}
	if err == nil && len(p.messages) == 0 {
		err = errors.New("it has no messages")
	}
	return p, err
}

func has(o ordered.Object, key string) bool {
	v, ok := o.Get(key)
	return ok && v != nil
}

func (p *imported) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// say adds a message whose text has its variables in our form.
func (p *imported) say(role, text string) {
	if chatRoles[role] == "" {
		p.note("a message of the role %q: it stands here as the user's", role)
		role = "user"
	}
	p.messages = append(p.messages, ordered.Object{{Key: "role", Value: role}, {Key: "content", Value: text}})
}

// variable notes a variable and writes it in our form.
func (p *imported) variable(name string) string {
	if !slices.Contains(p.variables, name) {
		p.variables = append(p.variables, name)
	}
	return "{{" + name + "}}"
}

var (
	mustacheTag = regexp.MustCompile(`\{\{\{?[^{}]*\}?\}\}`)
	mustacheVar = regexp.MustCompile(`^\{\{\{?\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}?\}\}$`)
	pythonTag   = regexp.MustCompile(`\{\{|\}\}|\{([^{}]*)\}`)
	pythonVar   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// literal is a text in which nothing is a tag.
func literal(text string) string { return strings.ReplaceAll(text, "{{", `\{{`) }

// replaced rewrites what a pattern finds, and keeps all between as text.
func replaced(text string, tag *regexp.Regexp, with func(found []string) string) string {
	var b strings.Builder
	at := 0
	for _, m := range tag.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(literal(text[at:m[0]]))
		found := []string{text[m[0]:m[1]], ""}
		if len(m) > 2 && m[2] >= 0 {
			found[1] = text[m[2]:m[3]]
		}
		b.WriteString(with(found))
		at = m[1]
	}
	b.WriteString(literal(text[at:]))
	return b.String()
}

// mustache carries {{variables}} over; sections and the like stay as text.
func (p *imported) mustache(text string) string {
	return replaced(text, mustacheTag, func(found []string) string {
		if m := mustacheVar.FindStringSubmatch(found[0]); m != nil {
			return p.variable(m[1])
		}
		p.note("%s, which stands as text now", found[0])
		return literal(found[0])
	})
}

// python carries {variables} of Python's format strings over.
func (p *imported) python(text string) string {
	return replaced(text, pythonTag, func(found []string) string {
		switch {
		case found[0] == "{{":
			return "{"
		case found[0] == "}}":
			return "}"
		case pythonVar.MatchString(found[1]):
			return p.variable(found[1])
		}
		p.note("%s, which stands as text now", found[0])
		return found[0]
	})
}

// chat carries messages of OpenAI's form over, with mustache variables.
func (p *imported) chat(messages []any) error {
	for i, m := range messages {
		o, ok := m.(ordered.Object)
		if !ok {
			return fmt.Errorf("message %d is no object", i+1)
		}
		if kind, _ := textAt(o, "type"); kind == "placeholder" {
			name, _ := textAt(o, "name")
			p.note("the placeholder %q for messages", name)
			continue
		}
		role, _ := textAt(o, "role")
		p.say(role, p.content(o))
	}
	return nil
}

// content is a message's text, or those of its parts.
func (p *imported) content(o ordered.Object) string {
	v, _ := o.Get("content")
	switch v := v.(type) {
	case string:
		return p.mustache(v)
	case []any:
		var texts []string
		for _, part := range v {
			po, _ := part.(ordered.Object)
			if text, ok := textAt(po, "text"); ok {
				texts = append(texts, p.mustache(text))
			} else {
				kind, _ := textAt(po, "type")
				p.note("a part of type %q", kind)
			}
		}
		return strings.Join(texts, "\n")
	}
	p.note("a message without text")
	return ""
}

// settings carries the settings of a request over: those that config takes.
func (p *imported) settings(o ordered.Object, ignored ...string) {
	known := []string{"temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "max_output_tokens", "stop", "seed", "frequency_penalty",
		"presence_penalty", "reasoning_effort", "verbosity", "parallel_tool_calls", "service_tier", "tool_choice"}
	for _, e := range o {
		switch {
		case e.Value == nil || slices.Contains(ignored, e.Key):
		case e.Key == "model":
			if text, ok := e.Value.(string); ok {
				p.model = text
			}
		case e.Key == "tools":
			p.tools, _ = e.Value.([]any)
		case e.Key == "response_format" || e.Key == "text":
			p.format(e.Value)
		case slices.Contains(known, e.Key):
			p.config = p.config.With(e.Key, e.Value)
		default:
			p.note("%s: %.200s", e.Key, ordered.Append(nil, e.Value))
		}
	}
}

// format carries response_format, or the format of text, over.
func (p *imported) format(v any) {
	o, _ := v.(ordered.Object)
	if inner, ok := o.Get("format"); ok {
		o, _ = inner.(ordered.Object)
	}
	switch kind, _ := textAt(o, "type"); kind {
	case "json_schema":
		if inner, ok := o.Get("json_schema"); ok {
			o, _ = inner.(ordered.Object)
		}
		p.schema, _ = o.Get("schema")
	case "json_object":
		p.schema = ordered.Object{{Key: "type", Value: "object"}}
	}
}

func (p *imported) langfuse(doc ordered.Object) error {
	p.name, _ = textAt(doc, "name")
	config, _ := doc.Get("config")
	o, _ := config.(ordered.Object)
	p.settings(o)
	v, _ := doc.Get("prompt")
	if text, ok := v.(string); ok {
		p.say("user", p.mustache(text))
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return errors.New("prompt is neither a text nor a list of messages")
	}
	return p.chat(list)
}

func (p *imported) portkey(doc ordered.Object) error {
	if p.name, _ = textAt(doc, "slug"); p.name == "" {
		p.name, _ = textAt(doc, "name")
	}
	p.model, _ = textAt(doc, "model")
	parameters, _ := doc.Get("parameters")
	o, _ := parameters.(ordered.Object)
	p.settings(o, "messages", "stream")
	if tools, _ := doc.Get("tools"); tools != nil {
		p.tools, _ = tools.([]any)
	}
	text, _ := textAt(doc, "string")
	if v, err := ordered.Decode([]byte(text)); err == nil {
		if list, ok := v.([]any); ok {
			return p.chat(list)
		}
	}
	p.say("user", p.mustache(text))
	return nil
}

func (p *imported) openAI(doc ordered.Object) error {
	p.settings(doc, "messages", "input", "instructions", "stream", "stream_options", "store")
	if text, ok := textAt(doc, "instructions"); ok {
		p.say("system", p.mustache(text))
	}
	if text, ok := textAt(doc, "input"); ok {
		p.say("user", p.mustache(text))
		return nil
	}
	for _, key := range []string{"messages", "input"} {
		if v, ok := doc.Get(key); ok {
			list, ok := v.([]any)
			if !ok {
				return fmt.Errorf("%s is no list of messages", key)
			}
			return p.chat(list)
		}
	}
	return nil
}

// file is the prompt as a file of ours.
func (p *imported) file() []byte {
	var b bytes.Buffer
	b.WriteString("---\n")
	for _, n := range p.notes {
		fmt.Fprintf(&b, "# not carried over: %s\n", strings.Join(strings.Fields(n), " "))
	}
	line := func(key string, v any) { fmt.Fprintf(&b, "%s: %s\n", key, ordered.Append(nil, v)) }
	if p.model != "" {
		line("model", p.model)
	}
	if len(p.config) > 0 {
		line("config", p.config)
	}
	if len(p.variables) > 0 {
		fields := ordered.Object{}
		for _, name := range p.variables {
			fields = fields.With(name, "string")
		}
		line("input", ordered.Object{{Key: "schema", Value: fields}})
	}
	if p.schema != nil {
		line("output", ordered.Object{{Key: "format", Value: "json"}, {Key: "schema", Value: p.schema}})
	}
	if defs := p.toolDefs(); len(defs) > 0 {
		line("toolDefs", defs)
	}
	body, _ := chatBody(p.messages) // their roles are known
	return append(b.Bytes(), "---\n"+body...)
}

// toolDefs are functions of OpenAI's form as Dotprompt has them.
func (p *imported) toolDefs() []any {
	var defs []any
	for _, t := range p.tools {
		o, _ := t.(ordered.Object)
		if inner, ok := o.Get("function"); ok {
			o, _ = inner.(ordered.Object)
		}
		def := ordered.Object{}
		for _, e := range o {
			switch e.Key {
			case "name", "description":
				def = append(def, e)
			case "parameters":
				def = append(def, ordered.Member{Key: "inputSchema", Value: e.Value})
			}
		}
		defs = append(defs, def)
	}
	return defs
}
