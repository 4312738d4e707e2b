package openai

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// understood leaves out of a request what it holds verbatim in another
// dialect's words, and names it as dropped. It gives req itself where there is
// nothing of the kind.
func understood(req *schema.ChatRequest, up *dialect.Upstream) *schema.ChatRequest {
	if req.Dialect == "" || req.Dialect == Name {
		return req
	}
	out := *req
	up.Dropped = append(up.Dropped, slices.Sorted(maps.Keys(req.Extra))...)
	out.Extra = nil
	out.Tools = slices.DeleteFunc(slices.Clone(req.Tools), func(t schema.Tool) bool { return t.Raw != nil && t.Name == "" })
	if len(out.Tools) < len(req.Tools) {
		up.Dropped = append(up.Dropped, "tools")
	}
	fit(&out, up)
	out.Messages = slices.Clone(req.Messages)
	lost := false
	for i := range out.Messages {
		m := &out.Messages[i]
		m.Extra = nil
		var gone bool
		m.Parts, gone = plainParts(m.Parts)
		lost = lost || gone
		if m.IsError {
			m.Parts = failed(m)
		}
	}
	if lost {
		up.Dropped = append(up.Dropped, "messages.content")
	}
	return &out
}

// needsBytes is Chat.NeedsBytes: chat completions take pictures by URL, but
// files and sounds as data only (developers.openai.com/api/docs/guides/
// file-inputs: "External file URL: not supported").
func needsBytes(p *schema.Part) bool {
	return p.Type == schema.PartDocument || p.Type == schema.PartAudio
}

// plainParts puts text in the place of raw parts and documents that have it,
// and leaves out the other raw ones: every host reads text as text, but few
// read it as a file.
func plainParts(parts []schema.Part) (out []schema.Part, lost bool) {
	if !slices.ContainsFunc(parts, func(p schema.Part) bool { return isRaw(p) || p.Type == schema.PartDocument }) {
		return parts, false
	}
	for _, p := range parts {
		text, isText := documentText(&p)
		switch {
		case isText:
			out = append(out, schema.Part{Type: schema.PartText, Text: text})
		case !isRaw(p):
			out = append(out, p)
		case p.Text != "":
			out = append(out, schema.Part{Type: schema.PartText, Text: p.Text})
		default:
			lost = true
		}
	}
	return out, lost
}

func isRaw(p schema.Part) bool { return p.Type == schema.PartRaw }

// documentText is the text of a document that is one, after its title.
func documentText(p *schema.Part) (text string, ok bool) {
	if p.Type != schema.PartDocument || p.Media == nil || p.Media.Data == "" || !strings.HasPrefix(p.Media.MIME, "text/") {
		return "", false
	}
	raw, err := base64.StdEncoding.DecodeString(p.Media.Data)
	if err != nil {
		return "", false
	}
	if p.Media.Filename != "" {
		return p.Media.Filename + "\n\n" + string(raw), true
	}
	return string(raw), true
}

// failed marks a tool's result as a failure in words, for which OpenAI has no
// field, unless it says so itself.
func failed(m *schema.Message) []schema.Part {
	text := m.Text()
	if strings.Contains(strings.ToLower(text[:min(len(text), 64)]), "error") {
		return m.Parts
	}
	return append([]schema.Part{{Type: schema.PartText, Text: "Error: "}}, m.Parts...)
}

// What OpenAI takes less of than others do: four stop sequences
// (help.openai.com/en/articles/5072263), and 64 characters of an identifier;
// OpenRouter takes 128.
const (
	maxStops = 4
	maxUser  = 64
)

// fit brings a request within OpenAI's limits. A long name of a user, such as
// Claude Code's, becomes its digest, which tells users apart as well.
func fit(req *schema.ChatRequest, up *dialect.Upstream) {
	if len(req.Stop) > maxStops {
		req.Stop = req.Stop[:maxStops]
		up.Dropped = append(up.Dropped, "stop")
	}
	if len(req.User) > maxUser {
		sum := sha256.Sum256([]byte(req.User))
		req.User = hex.EncodeToString(sum[:])
	}
	if r := req.Reasoning; r != nil && r.Effort == "max" { // Anthropic's
		high := *r
		high.Effort = "high"
		req.Reasoning = &high
	}
}

// addExtra keeps a field that nobody knows.
func addExtra(to map[string]json.RawMessage, name, raw string) map[string]json.RawMessage {
	if to == nil {
		to = make(map[string]json.RawMessage)
	}
	to[name] = json.RawMessage(raw)
	return to
}
