package prompts

import (
	"encoding/json"

	"sluice/prompts/handlebars"
	"sluice/prompts/ordered"
	"sluice/providers/schema"
)

// Template is a prompt file, read and checked. It is immutable: any number of
// goroutines may use one at once. Its fields must not be changed.
type Template struct {
	Name        string // the file's name without .prompt
	Variant     string
	Description string
	Model       string         // as the file says; "" leaves it to the caller
	Config      ordered.Object // as written; see Rendered.ChatRequest
	Input       Input
	Output      Output
	Ext         ordered.Object // extension keys by namespace
	Raw         ordered.Object // the whole front matter as written; nil: the file has none
	Tools       []any          // names of tools without a definition, as Dotprompt writes them
	ToolDefs    []any          // definitions as written
	Sluice      Settings       // our own keys

	meta     ordered.Object // name, variant, description, model and version as written
	lines    map[string]int // of the keys of the front matter
	body     *handlebars.Template
	size     int                 // of the body in bytes
	request  *schema.ChatRequest // what Model, Config, Output and the tools come to
	invalid  error               // why they come to none; only in a lenient template
	checkIn  *validator
	checkOut *validator
	growing  func() *growing // what a partial output may hold; made when it is first asked for
}

// Input is what the caller gives.
type Input struct {
	// Schema is JSON Schema as an ordered value; nil: anything goes.
	Schema any
	// Default has the values of inputs that the caller left out.
	Default ordered.Object
	object  ordered.Object // input as Dotprompt shows it; nil: the file has none
}

// Output is what the prompt answers with.
type Output struct {
	Format string // as written: json, text, …; "" is not said
	// Schema is JSON Schema as an ordered value; nil: none.
	Schema any
	object ordered.Object
}

// JSON tells whether the answer is a JSON value rather than text: the format
// says so, or there is a schema and no format.
func (o Output) JSON() bool {
	switch o.Format {
	case "json", "array":
		return true
	case "":
		return o.Schema != nil
	}
	return false
}

// InputSchema is the input's JSON Schema as stable bytes; nil if there is none.
func (t *Template) InputSchema() json.RawMessage { return schemaBytes(t.Input.Schema) }

// OutputSchema is the output's JSON Schema as stable bytes; nil if there is
// none.
func (t *Template) OutputSchema() json.RawMessage { return schemaBytes(t.Output.Schema) }

func schemaBytes(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	return ordered.Append(nil, v)
}

// Partials are the sources of every partial that the prompt uses, by name.
// The map must not be changed.
func (t *Template) Partials() map[string]string { return t.body.Partials }

// ReadsContext tells whether the body reads @ variables.
func (t *Template) ReadsContext() bool { return t.body.Data }
