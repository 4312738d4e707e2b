package gateway

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/prompts"
	"sluice/providers/openai"
	"sluice/providers/responses"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// stored is how other products' clients call a prompt that the gateway has: by
// an id, and with variables, which are the prompt's input.
//
// OpenAI: prompt {id, version, variables} of a response. LiteLLM: prompt_id,
// prompt_variables and prompt_version of a completion or a response
// (docs.litellm.ai/docs/proxy/litellm_prompt_management, read 2026-11).
// Portkey: POST /v1/prompts/ID/completions and /render with variables, the
// version or the label behind an @ (portkey.ai/docs/portkey-endpoints/prompts,
// read 2026-11). All else of a request is the prompt's own affair.
type stored struct {
	version, label string
	variables      map[string]any
	versionAt, at  string // the fields that hold version and variables, for errors
	stream, usage  bool
	dropped        []string // fields that count for nothing
}

// serveStored answers a request that calls c.prompt.
func (c *Call) serveStored(s stored) error {
	c.entry.Operation = schema.OpChat.String()
	input, err := c.storedInput(&s)
	if err != nil {
		return err
	}
	c.entry.Model = promptModel + c.prompt.Name
	if len(s.dropped) > 0 {
		c.rc.Response.Header.Set("X-Sluice-Dropped", nameList(s.dropped))
	}
	return c.answerAsModel(input, s.stream, s.usage)
}

// storedInput takes the version that is asked for, and checks the variables.
func (c *Call) storedInput(s *stored) (map[string]any, error) {
	n := 0
	if s.version != "" {
		var err error
		if n, err = strconv.Atoi(s.version); err != nil || n < 1 {
			return nil, schema.Invalid(s.versionAt, "%s must be a version's number, not %q", s.versionAt, s.version)
		}
	}
	if s.label != "" { // as if the header had said so
		c.rc.Request.Header.Set("X-Prompt-Label", s.label)
	}
	if err := c.takeNamed(c.prompt, n); err != nil {
		return nil, err
	}
	if s.variables == nil {
		s.variables = map[string]any{}
	}
	if faults := c.prompt.Template.CheckInput(s.variables); len(faults) > 0 {
		return nil, schema.Invalid(s.at, "%s %s", strings.TrimPrefix(faults[0].Pointer, "/"), faults[0].Message)
	}
	return s.variables, nil
}

// promptNamed finds a prompt of ours by the id that a client gives it.
func (c *Call) promptNamed(id string) bool {
	live, ok := c.g.prompts.Snapshot().ByName(id)
	if ok {
		c.prompt = live
	}
	return ok
}

// fromOpenAI is the prompt of a response.
func fromOpenAI(raw []byte) (id string, s stored, err error) {
	id, version, variables, ok, err := responses.PromptOf(raw)
	if err != nil || !ok {
		return "", s, err
	}
	return id, stored{version: version, variables: variables, versionAt: "prompt.version", at: "prompt.variables",
		stream: responses.Streamed(raw), usage: true}, nil
}

var liteLLMFields = []string{"prompt_id", "prompt_version", "prompt_label", "prompt_variables", "stream", "stream_options"}

// fromLiteLLM is what a request says of the prompt that prompt_id names.
func fromLiteLLM(raw []byte) (id string, s stored, err error) {
	s = stored{versionAt: "prompt_version", at: "prompt_variables"}
	err = wire.Object(raw, liteLLMFields, func(field int, v gjson.Result) (err error) {
		name := liteLLMFields[field]
		switch {
		case v.Type == gjson.Null:
		case field == 0:
			id, err = wire.Text(name, v)
		case field == 1:
			s.version = v.String()
		case field == 2:
			s.label, err = wire.Text(name, v)
		default:
			err = s.take(name, v)
		}
		return err
	})
	return id, s, err
}

// servePromptID answers a completion with a prompt_id. One that is not ours may
// be the provider's, if the request names a model and messages as others do.
func (c *Call) servePromptID(head schema.Head, raw []byte) (ours bool, err error) {
	if !c.promptNamed(head.PromptID) {
		if head.Model == "" || head.PromptSize == 0 {
			return false, schema.Invalid("prompt_id", "there is no prompt %q here", label(head.PromptID))
		}
		return false, nil
	}
	_, s, err := fromLiteLLM(raw)
	if err != nil {
		return true, err
	}
	return true, c.serveStored(s)
}

// take reads a field that all clients have.
func (s *stored) take(name string, v gjson.Result) (err error) {
	switch name {
	case "stream":
		s.stream, err = wire.Boolean(name, v)
	case "stream_options":
		s.usage = v.Get("include_usage").Bool()
	default:
		if !v.IsObject() {
			return schema.Invalid(name, "%s must be an object", name)
		}
		if s.variables, err = prompts.DecodeInput([]byte(v.Raw)); err != nil {
			return schema.Invalid(name, "%s: %v", name, err)
		}
	}
	return err
}

// promptsPath begins the paths of Portkey's prompts.
const promptsPath = "/v1/prompts/"

// servePortkey is a call of /v1/prompts/ID/completions or /render.
func (c *Call) servePortkey(rest string) error {
	id, what, _ := strings.Cut(rest, "/")
	if what != "completions" && what != "render" {
		return errNotFound(c.from.path)
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	s, err := fromPortkey(c.rc.PostBody())
	if err != nil {
		return err
	}
	name := id
	if !c.promptNamed(id) {
		name, s.version, _ = strings.Cut(id, "@")
		if s.version != "" && (s.version[0] < '0' || s.version[0] > '9') {
			s.label, s.version = s.version, ""
		}
		if !c.promptNamed(name) {
			return errNotFound(c.from.path)
		}
	}
	if what == "render" {
		return c.renderStored(s)
	}
	return c.serveStored(s)
}

var portkeyFields = []string{"variables", "stream", "stream_options"}

func fromPortkey(raw []byte) (stored, error) {
	s := stored{versionAt: "version", at: "variables"}
	err := wire.Object(raw, portkeyFields, func(field int, v gjson.Result) error {
		if v.Type == gjson.Null {
			return nil
		}
		return s.take(portkeyFields[field], v)
	})
	if err == nil {
		for name := range wire.Others(gjson.ParseBytes(raw), append(portkeyFields, "user", "metadata")...) {
			s.dropped = append(s.dropped, name)
		}
	}
	return s, err
}

// renderStored shows the request that a call would make, in OpenAI's form. It
// asks no model and costs nothing.
func (c *Call) renderStored(s stored) error {
	input, err := c.storedInput(&s)
	if err != nil {
		return err
	}
	if len(c.prompt.Template.Sluice.Steps) > 0 {
		return schema.Invalid("", "the prompt %s cannot be shown: what its steps bring is known only when it is called", c.prompt.Name)
	}
	if err := c.render(input); err != nil {
		return err
	}
	up, err := openai.Dialect.Chat.Encode(c.req.Unified)
	if err != nil {
		return err
	}
	c.answerHeaders(nil)
	c.rc.Response.Header.SetContentType("application/json")
	c.rc.Response.SetBodyRaw(append(append([]byte(`{"success":true,"data":`), up.Body...), '}'))
	return nil
}
