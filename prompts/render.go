package prompts

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"sluice/prompts/handlebars"
	"sluice/prompts/ordered"
	"sluice/prompts/picoschema"
	"sluice/providers/schema"
)

// The bounds of one rendering.
var limits = handlebars.Limits{Output: 32 << 20, Steps: 200_000, Depth: 100}

// RenderInput is what a rendering is made of. Values are what JSON decodes to:
// nil, bool, string, json.Number or float64, []any, map[string]any.
type RenderInput struct {
	Input   map[string]any // the variables; not checked here, see CheckInput
	Context map[string]any // the @ variables, such as @caller and @now
	History []Message      // earlier turns
	// Options override the front matter: config and input key by key, the rest
	// whole.
	Options ordered.Object
}

// Rendered is a prompt filled in, in Dotprompt's shapes.
type Rendered struct {
	Messages []Message
	Config   ordered.Object
	Input    ordered.Object // schema as JSON Schema, and default; nil: none
	Output   ordered.Object // format, and schema as JSON Schema; nil: none
	Ext      ordered.Object
	Model    string
	Raw      ordered.Object // nil: the file has no front matter
	Tools    []any          // names of tools that have no definition
	ToolDefs []any

	meta    ordered.Object
	request *schema.ChatRequest // shared
	invalid error
}

// Render fills the prompt in. Errors tell the file and the line. The input is
// not changed, and nothing of the template is shared with the result that may
// be written to.
func (t *Template) Render(in RenderInput) (*Rendered, error) {
	r := &Rendered{Config: t.Config, Input: t.Input.object, Output: t.Output.object, Ext: t.Ext, Model: t.Model,
		Raw: t.Raw, Tools: t.Tools, ToolDefs: t.ToolDefs, meta: t.meta, request: t.request, invalid: t.invalid}
	var defaults ordered.Object
	if len(in.Options) > 0 {
		var err error
		if defaults, err = r.override(t, in.Options); err != nil {
			return nil, fmt.Errorf("cannot apply the options of prompt %q: %w", t.Name, err)
		}
	}
	b := builder{history: in.History, messages: make([]Message, 0, 4), current: Message{Role: "user"}}
	values := t.withDefaults(in.Input, defaults)
	b.text.Grow(t.room(values))
	if err := t.body.Run(&b, values, in.Context, limits); err != nil {
		return nil, fmt.Errorf("cannot render prompt %q: %w", t.Name, err)
	}
	r.Messages = b.done()
	return r, nil
}

// room is about how long the text gets: so that it does not grow step by step,
// and is not made room for by what a caller sends and no template uses.
func (t *Template) room(values map[string]any) int {
	n := t.size
	for _, v := range values {
		if s, ok := v.(string); ok {
			n += len(s)
		}
	}
	return min(n, t.size+32<<10)
}

// override puts options over what the file says, and gives the defaults among
// them.
func (r *Rendered) override(t *Template, options ordered.Object) (defaults ordered.Object, err error) {
	out := t.Output
	for _, o := range options {
		switch v := o.Value.(type) {
		case ordered.Object:
			switch o.Key {
			case "config":
				r.Config = r.Config.Merge(v)
			case "ext":
				r.Ext = r.Ext.Merge(v)
			case "input":
				if r.Input, err = withSchema(r.Input.Merge(v)); err != nil {
					return nil, fmt.Errorf("input: %w", err)
				}
				d, _ := v.Get("default")
				defaults, _ = d.(ordered.Object)
			case "output":
				if r.Output, err = withSchema(v); err != nil {
					return nil, fmt.Errorf("output: %w", err)
				}
				format, _ := r.Output.Get("format")
				out = Output{object: r.Output}
				out.Format, _ = format.(string)
				out.Schema, _ = r.Output.Get("schema")
			default:
				return nil, fmt.Errorf("unknown key %q%s", o.Key, meant(o.Key, knownKeys))
			}
		case string:
			if o.Key == "model" {
				r.Model = v
			}
			r.meta = r.meta.With(o.Key, v)
		default:
			return nil, fmt.Errorf("%s cannot be %s", o.Key, kindOf(v))
		}
	}
	r.request, r.invalid = t.requestOf(r.Model, r.Config, out)
	return defaults, nil
}

// withSchema turns the schema of an input or output into JSON Schema.
func withSchema(o ordered.Object) (ordered.Object, error) {
	s, ok := o.Get("schema")
	if !ok {
		return o, nil
	}
	parsed, err := picoschema.Parse(s, nil)
	if err != nil {
		return nil, err
	}
	return o.With("schema", parsed), nil
}

// MarshalJSON writes {messages, config, input, output, ext, model, raw} and the
// other keys that the file has, without what it has not. Equal renderings have
// equal bytes.
func (r *Rendered) MarshalJSON() ([]byte, error) {
	messages := make([]any, len(r.Messages))
	for i := range r.Messages {
		messages[i] = r.Messages[i].value()
	}
	o := ordered.Object{{Key: "messages", Value: messages}, {Key: "config", Value: emptied(r.Config)}}
	if r.Input != nil {
		o = o.With("input", r.Input)
	}
	if r.Output != nil {
		o = o.With("output", r.Output)
	}
	o = o.With("ext", emptied(r.Ext))
	o = o.Merge(r.meta)
	if r.Tools != nil {
		o = o.With("tools", r.Tools)
	}
	if r.ToolDefs != nil {
		o = o.With("toolDefs", r.ToolDefs)
	}
	if r.Raw != nil {
		o = o.With("raw", r.Raw)
	}
	return ordered.Append(nil, o), nil
}

func emptied(o ordered.Object) ordered.Object {
	if o == nil {
		return ordered.Object{}
	}
	return o
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// toOrdered is a plain value with its keys in sorted order.
func toOrdered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		o := make(ordered.Object, 0, len(v))
		for _, k := range sortedKeys(v) {
			o = append(o, ordered.Member{Key: k, Value: toOrdered(v[k])})
		}
		return o
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = toOrdered(v[i])
		}
		return out
	case int, float64:
		b, err := json.Marshal(v)
		if err != nil {
			return nil
		}
		return json.Number(b)
	}
	return v
}
