package gemini

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decodeRequest is Client.DecodeChat, also of a request to count tokens, which
// may wrap the request that is counted.
func decodeRequest(raw []byte) (*schema.ChatRequest, error) {
	root := gjson.ParseBytes(raw)
	if inner := field(root, "generateContentRequest"); inner.IsObject() {
		root = inner
	}
	d := &requestDecoder{req: &schema.ChatRequest{Dialect: Name}}
	err := wire.EachField(root, func(name string, v gjson.Result) error { return d.field(camelCase(name), v) })
	if err != nil {
		return nil, err
	}
	if len(d.system.Parts) > 0 {
		d.req.Messages = append([]schema.Message{d.system}, d.req.Messages...)
	}
	if len(d.allowed) > 0 { // functions that may not be called need not be shown
		d.req.Tools = slices.DeleteFunc(d.req.Tools, func(t schema.Tool) bool {
			return t.Name != "" && !slices.Contains(d.allowed, t.Name)
		})
	}
	return d.req, nil
}

// requestDecoder is the state of one reading.
type requestDecoder struct {
	req     *schema.ChatRequest
	system  schema.Message
	allowed []string // functions
	turns   turns
}

func (d *requestDecoder) field(name string, v gjson.Result) (err error) {
	switch name {
	case "contents":
		d.req.Messages, err = d.turns.read(v)
	case "systemInstruction":
		d.system, err = readSystem(v)
	case "tools":
		d.req.Tools, err = readTools(v)
	case "toolConfig":
		err = d.toolConfig(v)
	case "generationConfig":
		err = d.config(v)
	case "labels":
		d.req.Metadata = map[string]string{}
		v.ForEach(func(key, value gjson.Result) bool {
			d.req.Metadata[key.Str] = value.String()
			return true
		})
	case "serviceTier":
		if d.req.ServiceTier, err = wire.Text(name, v); err == nil {
			d.req.ServiceTier = tierName(strings.TrimPrefix(strings.ToLower(v.Str), "service_tier_"))
		}
	case "model": // stands in the path
	default:
		d.keep(name, v)
	}
	return err
}

// keep holds on to a field that other dialects have not.
func (d *requestDecoder) keep(name string, v gjson.Result) {
	if d.req.Extra == nil {
		d.req.Extra = map[string]json.RawMessage{}
	}
	d.req.Extra[name] = json.RawMessage(v.Raw)
}

// config reads generationConfig.
func (d *requestDecoder) config(v gjson.Result) error {
	if !v.IsObject() {
		return schema.Invalid("generationConfig", "generationConfig must be an object")
	}
	f := &format{}
	var err error
	v.ForEach(func(key, v gjson.Result) bool {
		if v.Type != gjson.Null {
			err = d.setting(camelCase(key.Str), v, f)
		}
		return err == nil
	})
	if err == nil {
		d.req.ResponseFormat = f.unified()
	}
	return err
}

// setting reads one field of generationConfig.
func (d *requestDecoder) setting(name string, v gjson.Result, f *format) (err error) {
	req, at := d.req, "generationConfig."+name
	switch name {
	case "temperature":
		req.Temperature, err = wire.Number(at, v)
	case "topP":
		req.TopP, err = wire.Number(at, v)
	case "topK":
		req.TopK, err = wire.Integer(at, v)
	case "maxOutputTokens":
		req.MaxTokens, err = wire.Integer(at, v)
	case "candidateCount":
		req.N, err = wire.Integer(at, v)
	case "seed":
		req.Seed, err = wire.Integer(at, v)
	case "presencePenalty":
		req.PresencePenalty, err = wire.Number(at, v)
	case "frequencyPenalty":
		req.FrequencyPenalty, err = wire.Number(at, v)
	case "logprobs":
		req.TopLogprobs, err = wire.Integer(at, v)
	case "responseLogprobs":
		var on bool
		on, err = wire.Boolean(at, v)
		req.Logprobs = &on
	case "stopSequences":
		req.Stop, err = wire.Texts(at, v)
	case "responseMimeType":
		f.mime, err = wire.Text(at, v)
	case "responseSchema", "responseJsonSchema":
		if !v.IsObject() {
			return schema.Invalid(at, "%s must be an object", at)
		}
		if f.schema = json.RawMessage(v.Raw); name == "responseSchema" {
			f.schema = jsonSchema(nil, v)
		}
	case "thinkingConfig":
		req.Reasoning, err = readThinking(at, v)
	case "responseModalities":
		var list []string
		if list, err = wire.Texts(at, v); err == nil && (len(list) != 1 || !strings.EqualFold(list[0], "text")) {
			for _, m := range list {
				req.Modalities = append(req.Modalities, strings.ToLower(m))
			}
		}
	default:
		d.keep(name, v)
	}
	return err
}

// format is what is said of the form of the answer.
type format struct {
	mime   string
	schema json.RawMessage
}

func (f *format) unified() *schema.ResponseFormat {
	switch {
	case f.schema != nil && gjson.ParseBytes(f.schema).IsObject():
		return &schema.ResponseFormat{Type: "json_schema", Schema: f.schema}
	case f.mime == "application/json":
		return &schema.ResponseFormat{Type: "json_object"}
	}
	return nil // text/plain; text/x.enum comes with a schema
}

// readThinking reads a thinkingConfig. A budget of -1 leaves it to the model,
// one of 0 turns thinking off.
func readThinking(at string, v gjson.Result) (*schema.Reasoning, error) {
	if !v.IsObject() {
		return nil, schema.Invalid(at, "%s must be an object", at)
	}
	r := &schema.Reasoning{Exclude: field(v, "includeThoughts").Type != gjson.True}
	if level := field(v, "thinkingLevel"); level.Type != gjson.Null && level.Type != gjson.String {
		return nil, schema.Invalid(at+".thinkingLevel", "%s.thinkingLevel must be a string", at)
	} else if level.Str != "THINKING_LEVEL_UNSPECIFIED" {
		r.Effort = strings.ToLower(level.Str)
	}
	budget := field(v, "thinkingBudget")
	if budget.Type == gjson.Null {
		return r, nil
	}
	n, err := wire.Integer(at+".thinkingBudget", budget)
	switch {
	case err != nil:
		return nil, err
	case *n == 0:
		r.Off, r.Exclude = true, false
	case *n > 0:
		r.Budget = n
	}
	return r, nil
}
