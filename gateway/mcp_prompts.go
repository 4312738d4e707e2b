package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sluice/prompts"
	"sluice/prompts/ordered"
	"sluice/providers/schema"
)

// mcpDesk answers what a client of the Model Context Protocol asks of prompts,
// on behalf of a caller.
type mcpDesk struct {
	g    *Gateway
	base errand
}

func (d mcpDesk) of(p *prompts.Live) errand {
	e := d.base
	e.prompt = p
	return e
}

// addTool makes a prompt a tool.
func (d mcpDesk) addTool(server *mcp.Server, p *prompts.Live) {
	defer func() { // the library panics over schemas that it does not like
		if r := recover(); r != nil {
			d.g.log.Warn("a prompt cannot be a tool", "prompt", p.Name, "reason", fmt.Sprint(r))
		}
	}()
	t := p.Template
	tool := &mcp.Tool{Name: p.Name, Title: t.Sluice.Summary, Description: describedAs(t), InputSchema: t.CallerSchema().With("type", "object")}
	structured := false
	if o, ok := t.Output.Schema.(ordered.Object); ok && t.Output.JSON() {
		if kind, _ := o.Get("type"); kind == "object" { // older clients take no other
			tool.OutputSchema, structured = o, true
		}
	}
	server.AddTool(tool, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return d.callTool(p, req.Params.Arguments, structured), nil
	})
}

// callTool calls the prompt. What goes wrong is told to the model that called
// the tool, which may mend it.
func (d mcpDesk) callTool(p *prompts.Live, arguments json.RawMessage, structured bool) *mcp.CallToolResult {
	input, err := prompts.DecodeInput(arguments)
	if err != nil {
		return toolError(err.Error())
	}
	if faults := problemsOf(p.Template, input, ""); len(faults) > 0 {
		text := "the input does not fit the schema:"
		for _, f := range faults {
			text += "\n" + strings.TrimSpace(f.Pointer+" "+f.Message)
		}
		return toolError(text)
	}
	o := d.g.run(d.of(p), input)
	if o.err != nil {
		return toolError(schema.AsError(o.err).Message)
	}
	result := &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: o.text}},
		Meta: mcp.Meta{"sluice/prompt": p.ID(), "sluice/cost": o.cost.String(), "sluice/model": o.target}}
	if o.json != nil {
		result.Content = []mcp.Content{&mcp.TextContent{Text: string(o.json)}}
		if structured {
			result.StructuredContent = json.RawMessage(o.json)
		}
	}
	return result
}

func toolError(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: text}}}
}

func describedAs(t *prompts.Template) string {
	if t.Description != "" {
		return t.Description
	}
	return t.Sluice.Summary
}

// addPrompt makes a prompt one of the protocol's prompts: its messages, for the
// client's own model.
func (d mcpDesk) addPrompt(server *mcp.Server, p *prompts.Live) {
	t := p.Template
	shown := &mcp.Prompt{Name: p.Name, Title: t.Sluice.Summary, Description: describedAs(t), Arguments: argumentsOf(t)}
	server.AddPrompt(shown, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		var list []prompts.Pair
		for _, name := range sorted(req.Params.Arguments) {
			list = append(list, prompts.Pair{Name: name, Value: req.Params.Arguments[name]})
		}
		input, err := t.InputFromPairs(list)
		if err != nil {
			return nil, err
		}
		if faults := t.CheckInput(input); len(faults) > 0 {
			return nil, fmt.Errorf("the arguments do not fit: %s", strings.TrimSpace(faults[0].Pointer+" "+faults[0].Message))
		}
		rendered, err := t.Render(prompts.RenderInput{Input: input, Context: promptContext(d.base.caller.Key.Team, d.base.caller.Label, time.Now())})
		if err != nil {
			return nil, err
		}
		chat, err := rendered.ChatRequest()
		if err != nil {
			return nil, err
		}
		return &mcp.GetPromptResult{Description: describedAs(t), Messages: mcpMessages(chat.Messages)}, nil
	})
}

// argumentsOf are the inputs of a prompt, one by one.
func argumentsOf(t *prompts.Template) []*mcp.PromptArgument {
	s := t.CallerSchema()
	properties, _ := s.Get("properties")
	required, _ := s.Get("required")
	props, _ := properties.(ordered.Object)
	needed, _ := required.([]any)
	var list []*mcp.PromptArgument
	for _, p := range props {
		a := &mcp.PromptArgument{Name: p.Key, Required: slices.Contains(needed, any(p.Key))}
		if o, ok := p.Value.(ordered.Object); ok {
			text, _ := o.Get("description")
			a.Description, _ = text.(string)
		}
		list = append(list, a)
	}
	return list
}

// mcpMessages are messages in the protocol's terms, which know user and
// assistant alone: what the system says comes from the user.
func mcpMessages(messages []schema.Message) []*mcp.PromptMessage {
	var list []*mcp.PromptMessage
	for i := range messages {
		role := mcp.Role("user")
		if messages[i].Role == schema.RoleAssistant {
			role = "assistant"
		}
		for j := range messages[i].Parts {
			list = append(list, &mcp.PromptMessage{Role: role, Content: mcpContent(&messages[i].Parts[j])})
		}
	}
	return list
}

func mcpContent(p *schema.Part) mcp.Content {
	if p.Media == nil {
		return &mcp.TextContent{Text: p.Text}
	}
	if p.Media.Data == "" {
		return &mcp.ResourceLink{URI: p.Media.URL, Name: p.Media.URL, MIMEType: p.Media.MIME}
	}
	data, err := base64.StdEncoding.DecodeString(p.Media.Data)
	switch {
	case err == nil && p.Type == schema.PartImage:
		return &mcp.ImageContent{Data: data, MIMEType: p.Media.MIME}
	case err == nil && p.Type == schema.PartAudio:
		return &mcp.AudioContent{Data: data, MIMEType: p.Media.MIME}
	}
	return &mcp.TextContent{Text: "data:" + p.Media.MIME + ";base64," + p.Media.Data}
}
