package schema

// What PromptTokens adds to the text's own tokens.
const (
	MessageTokens = 3  // a message's frame
	ReplyTokens   = 3  // the beginning of the answer
	ToolTokens    = 8  // a tool's frame
	MediaTokens   = 85 // an image, a sound or a document: OpenAI's price of a small picture
)

// PromptTokens counts what a request gives the model to read, by the rule that
// the mock provider charges by: the tokens of every text, of tool calls (name and
// arguments), of tools (name, description and schema) and of a response
// schema, plus the frames above. count must not be nil.
func PromptTokens(req *ChatRequest, count func(text string) int64) int64 {
	total := int64(ReplyTokens)
	for i := range req.Messages {
		m := &req.Messages[i]
		total += MessageTokens
		for j := range m.Parts {
			total += partTokens(&m.Parts[j], count)
		}
		for j := range m.ToolCalls {
			f := &m.ToolCalls[j].Function
			total += count(f.Name) + count(f.Arguments)
		}
		if m.Refusal != "" {
			total += count(m.Refusal)
		}
	}
	for i := range req.Tools {
		t := &req.Tools[i]
		total += ToolTokens + count(t.Name) + count(t.Description) + count(string(t.Parameters)) + count(string(t.Raw))
	}
	if f := req.ResponseFormat; f != nil && len(f.Schema) > 0 {
		total += count(string(f.Schema))
	}
	return total
}

func partTokens(p *Part, count func(string) int64) int64 {
	switch p.Type {
	case PartText, PartThinking:
		return count(p.Text)
	case PartImage, PartAudio, PartDocument:
		return MediaTokens
	case PartRaw:
		return count(string(p.Raw))
	}
	return 0
}
