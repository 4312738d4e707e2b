package mistral

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/sjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// ownFields are the API's fields that OpenAI has not: they pass as they came.
var ownFields = map[string]bool{"random_seed": true, "safe_prompt": true, "prompt_mode": true, "min_tokens": true,
	"guardrails": true, "document_image_limit": true, "document_page_limit": true}

// maxTemperature is the most that the API takes; OpenAI's range ends at 2.
const maxTemperature = 1.5

// encoder is the state of one translation: out is the request in the words of
// OpenAI's that Mistral understands.
type encoder struct {
	req     *schema.ChatRequest
	out     schema.ChatRequest
	results map[int][]byte // contents that are lists, by place in out.Messages
	dropped wire.Dropped
}

// encode is Chat.Encode.
func encode(req *schema.ChatRequest) (*dialect.Upstream, error) {
	e := &encoder{req: req, out: *req}
	e.out.Dialect = ""
	e.messages()
	e.tools()
	e.extra()
	e.sampling()
	e.reasoning()
	e.dropped.Add(wire.Absent(req, "logprobs", "top_logprobs", "logit_bias", "modalities", "audio", "store", "verbosity", "service_tier", "user")...)
	o := &e.out
	o.Logprobs, o.TopLogprobs, o.LogitBias, o.Modalities, o.Audio, o.Store = nil, nil, nil, nil, nil, nil
	o.Verbosity, o.ServiceTier, o.User = "", "", ""
	up, err := base.Chat.Encode(o)
	if err != nil {
		return nil, err
	}
	for _, i := range slices.Sorted(maps.Keys(e.results)) {
		up.Body, err = sjson.SetRawBytes(up.Body, "messages."+strconv.Itoa(i)+".content", e.results[i])
		if err != nil {
			return nil, fmt.Errorf("cannot encode request for model %q: %w", req.Model, err)
		}
	}
	e.dropped.Add(up.Dropped...)
	up.Dropped = e.dropped
	return up, nil
}

// tools leaves out the server-side tools of other providers.
func (e *encoder) tools() {
	raw := func(t schema.Tool) bool { return t.Name == "" }
	if slices.ContainsFunc(e.req.Tools, raw) {
		e.dropped.Add("tools")
		e.out.Tools = slices.DeleteFunc(slices.Clone(e.req.Tools), raw)
	}
	if c := e.req.ToolChoice; c != nil && c.Mode == "required" {
		e.out.ToolChoice = &schema.ToolChoice{Mode: "any"}
	}
}

// extra keeps the caller's own Mistral fields and names the others.
func (e *encoder) extra() {
	e.out.Extra = make(map[string]json.RawMessage)
	for _, name := range slices.Sorted(maps.Keys(e.req.Extra)) {
		if raw := e.req.Extra[name]; ownFields[name] && !wire.Foreign(e.req, Name) {
			e.out.Extra[name] = raw
		} else if wire.Says(raw) {
			e.dropped.Add(name)
		}
	}
}

func (e *encoder) sampling() {
	if t := e.req.Temperature; t != nil && *t > maxTemperature {
		most := maxTemperature
		e.out.Temperature = &most
		e.dropped.Add("temperature")
	}
	seed := e.req.Seed
	e.out.Seed = nil
	switch {
	case seed == nil:
	case *seed < 0:
		e.dropped.Add("seed")
	case e.out.Extra["random_seed"] == nil:
		e.out.Extra["random_seed"] = strconv.AppendInt(nil, *seed, 10)
	}
}

// adjustables begin the names of the models that think when they are asked to,
// beside the fourth large generation.
var adjustables = []string{"mistral-small-latest", "mistral-small-26", "mistral-small-4", "mistral-medium-latest", "mistral-medium-3-5", "mistral-medium-3.5", "mistral-medium-26"}

// reasoning writes reasoning_effort for models that have it: high and none,
// and low and medium on those of the fourth large generation. The magistral
// models always think.
func (e *encoder) reasoning() {
	r := e.req.Reasoning
	e.out.Reasoning = nil
	if r == nil {
		return
	}
	graded := strings.HasPrefix(e.req.Model, "mistral-large-4")
	adjustable := graded || slices.ContainsFunc(adjustables, func(prefix string) bool { return strings.HasPrefix(e.req.Model, prefix) })
	native := strings.HasPrefix(e.req.Model, "magistral")
	switch {
	case adjustable && r.Off:
		e.out.Reasoning = &schema.Reasoning{Effort: "none"}
	case r.Off:
		if native {
			e.dropped.Add("reasoning_effort")
		}
	case adjustable && graded && (r.Effort == "low" || r.Effort == "medium"):
		e.out.Reasoning = &schema.Reasoning{Effort: r.Effort}
	case adjustable && r.Effort == "minimal":
		e.out.Reasoning = &schema.Reasoning{Effort: "none"}
	case adjustable:
		e.out.Reasoning = &schema.Reasoning{Effort: "high"}
	case !native || r.Effort != "" || r.Budget != nil:
		e.dropped.Add("reasoning_effort")
	}
}
