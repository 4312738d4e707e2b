package prompts

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"sluice/prompts/ordered"
	"sluice/prompts/picoschema"
	"sluice/providers/schema"
)

// settingError is a fault of one key of the front matter.
type settingError struct{ key, message string }

// Error is the message without the key.
func (e *settingError) Error() string { return e.message }

// requestOf is the request, but for its messages, that the front matter
// stands for.
func (t *Template) requestOf(model string, config ordered.Object, out Output) (*schema.ChatRequest, error) {
	r := &schema.ChatRequest{Model: model}
	for _, c := range config {
		if c.Value == nil {
			continue
		}
		if err := configure(r, c.Key, c.Value); err != nil {
			return r, &settingError{"config", fmt.Sprintf("%s %v", c.Key, err)}
		}
	}
	if r.ResponseFormat == nil {
		r.ResponseFormat = responseFormat(t.Name, out)
	}
	var err error
	r.Tools, err = t.tools()
	return r, err
}

// configure puts one key of config into a request. Dotprompt's names (those
// of Genkit) and OpenAI's mean the same; a name that neither has goes to the
// provider as it is.
func configure(r *schema.ChatRequest, key string, v any) (err error) {
	switch key {
	case "temperature":
		r.Temperature, err = float(v)
	case "topP", "top_p":
		r.TopP, err = float(v)
	case "topK", "top_k":
		r.TopK, err = integer(v)
	case "minP", "min_p":
		r.MinP, err = float(v)
	case "maxOutputTokens", "maxTokens", "max_tokens", "max_completion_tokens", "max_output_tokens":
		if r.MaxTokens, err = integer(v); err == nil && *r.MaxTokens < 1 {
			err = fmt.Errorf("must be above 0")
		}
	case "stopSequences", "stop", "stop_sequences":
		var ok bool
		if r.Stop, ok = texts(v); !ok {
			err = fmt.Errorf("must be a text or a list of texts")
		}
	case "seed":
		r.Seed, err = integer(v)
	case "frequencyPenalty", "frequency_penalty":
		r.FrequencyPenalty, err = float(v)
	case "presencePenalty", "presence_penalty":
		r.PresencePenalty, err = float(v)
	case "logprobs", "responseLogprobs":
		r.Logprobs, err = boolean(v)
	case "topLogprobs", "top_logprobs":
		r.TopLogprobs, err = integer(v)
	case "n":
		if r.N, err = integer(v); err == nil && *r.N != 1 {
			err = fmt.Errorf("must be 1: a prompt has one answer")
		}
	case "model", "messages", "stream", "stream_options", "tools", "contents":
		err = fmt.Errorf("does not belong here")
	default:
		err = configureMore(r, key, v)
	}
	return err
}

// configureMore has the settings that are OpenAI's alone.
func configureMore(r *schema.ChatRequest, key string, v any) (err error) {
	switch key {
	case "user":
		r.User, err = word(v)
	case "serviceTier", "service_tier":
		r.ServiceTier, err = word(v)
	case "verbosity":
		r.Verbosity, err = word(v)
	case "prompt_cache_key":
		r.PromptCacheKey, err = word(v)
	case "reasoningEffort", "reasoning_effort":
		r.Reasoning = &schema.Reasoning{}
		r.Reasoning.Effort, err = word(v)
	case "parallelToolCalls", "parallel_tool_calls":
		r.ParallelToolCalls, err = boolean(v)
	case "store":
		r.Store, err = boolean(v)
	case "toolChoice", "tool_choice":
		r.ToolChoice, err = toolChoice(v)
	case "modalities", "responseModalities":
		var ok bool
		if r.Modalities, ok = texts(v); !ok {
			err = fmt.Errorf("must be a list of words")
		}
	case "logit_bias":
		r.LogitBias = ordered.Append(nil, v)
	case "audio":
		r.Audio = ordered.Append(nil, v)
	case "prediction":
		r.Prediction = ordered.Append(nil, v)
	case "metadata":
		o, ok := v.(ordered.Object)
		if !ok {
			return fmt.Errorf("must be a mapping, not %s", kindOf(v))
		}
		r.Metadata = make(map[string]string, len(o))
		for _, m := range o {
			if r.Metadata[m.Key], err = word(m.Value); err != nil {
				return err
			}
		}
	default:
		if r.Extra == nil {
			r.Extra = map[string]json.RawMessage{}
		}
		r.Extra[key] = ordered.Append(nil, v)
	}
	return err
}

func float(v any) (*float64, error) {
	if n, ok := v.(json.Number); ok {
		if f, err := n.Float64(); err == nil {
			return &f, nil
		}
	}
	return nil, fmt.Errorf("must be a number, not %s", kindOf(v))
}

func integer(v any) (*int64, error) {
	if n, ok := v.(json.Number); ok {
		if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
			return &i, nil
		}
	}
	return nil, fmt.Errorf("must be a whole number")
}

func boolean(v any) (*bool, error) {
	if b, ok := v.(bool); ok {
		return &b, nil
	}
	return nil, fmt.Errorf("must be true or false, not %s", kindOf(v))
}

func word(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	return "", fmt.Errorf("must be a word, not %s", kindOf(v))
}

func toolChoice(v any) (*schema.ToolChoice, error) {
	switch v := v.(type) {
	case string:
		return &schema.ToolChoice{Mode: v}, nil
	case ordered.Object:
		f, _ := v.Get("function")
		o, _ := f.(ordered.Object)
		name, _ := o.Get("name")
		if s, ok := name.(string); ok {
			return &schema.ToolChoice{Mode: "function", Name: s}, nil
		}
	}
	return nil, fmt.Errorf("must be auto, none, required or {function: {name: …}}")
}

// tools are the definitions of toolDefs, and those that stand among tools. A
// name without a definition is an error.
func (t *Template) tools() ([]schema.Tool, error) {
	var out []schema.Tool
	defined := map[string]bool{}
	defs := append([]any{}, t.ToolDefs...)
	for _, v := range t.Tools {
		if _, ok := v.(ordered.Object); ok {
			defs = append(defs, v)
		}
	}
	for i, v := range defs {
		tool, err := toolOf(v)
		if err != nil {
			return nil, &settingError{"toolDefs", fmt.Sprintf("tool %d: %v", i+1, err)}
		}
		if defined[tool.Name] {
			return nil, &settingError{"toolDefs", fmt.Sprintf("two tools are called %q", tool.Name)}
		}
		defined[tool.Name] = true
		out = append(out, tool)
	}
	for _, v := range t.Tools {
		name, ok := v.(string)
		if _, object := v.(ordered.Object); !ok && !object {
			return nil, &settingError{"tools", fmt.Sprintf("a tool is a name or a definition, not %s", kindOf(v))}
		}
		if ok && !defined[name] {
			return nil, &settingError{"tools", fmt.Sprintf("the tool %q has no definition in toolDefs", name)}
		}
	}
	return out, nil
}

var toolName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// toolOf reads Dotprompt's {name, description, inputSchema}, whose schema may
// be Picoschema.
func toolOf(v any) (schema.Tool, error) {
	tool := schema.Tool{Type: "function"}
	o, ok := v.(ordered.Object)
	if !ok {
		return tool, fmt.Errorf("must be a mapping, not %s", kindOf(v))
	}
	for _, f := range o {
		switch f.Key {
		case "name":
			tool.Name, _ = f.Value.(string)
		case "description":
			tool.Description, _ = f.Value.(string)
		case "inputSchema", "parameters":
			s, err := picoschema.Parse(f.Value, nil)
			if err != nil {
				return tool, fmt.Errorf("%s: %w", f.Key, err)
			}
			if _, err := compileSchema(s); err != nil {
				return tool, fmt.Errorf("%s: %w", f.Key, err)
			}
			tool.Parameters = schemaBytes(s)
		case "outputSchema":
		default:
			return tool, fmt.Errorf("unknown key %q%s", f.Key, meant(f.Key, []string{"name", "description", "inputSchema", "outputSchema"}))
		}
	}
	if !toolName.MatchString(tool.Name) {
		return tool, fmt.Errorf("the name must be letters, digits, _ and -, at most 64")
	}
	return tool, nil
}

// responseFormat asks the provider for the JSON that the prompt promises; nil
// where it cannot be asked for: a provider's JSON mode gives objects only.
func responseFormat(name string, out Output) *schema.ResponseFormat {
	if !out.JSON() {
		return nil
	}
	if out.Schema == nil {
		return &schema.ResponseFormat{Type: "json_object"}
	}
	s, ok := out.Schema.(ordered.Object)
	if !ok || typeOf(s) != "object" || nullable(s) {
		return nil
	}
	strict := strictSchema(s)
	return &schema.ResponseFormat{Type: "json_schema", Name: formatName(name), Schema: schemaBytes(typed(s)), Strict: &strict}
}

var notInFormatName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// formatName is a prompt's name as OpenAI's response_format takes it: letters,
// digits, _ and -, at most 64.
func formatName(name string) string {
	s := strings.Trim(notInFormatName.ReplaceAllString(name, "_"), "_")
	if s == "" {
		s = "output"
	}
	return s[:min(len(s), 64)]
}
