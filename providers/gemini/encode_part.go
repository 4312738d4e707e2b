package gemini

import (
	"encoding/json"
	"fmt"
	"mime"
	"path"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// part is one part of a turn. raw, where set, is the whole part.
type part struct {
	Text             *string           `json:"text,omitempty"`
	Thought          bool              `json:"thought,omitempty"`
	InlineData       *blob             `json:"inlineData,omitempty"`
	FileData         *fileData         `json:"fileData,omitempty"`
	FunctionCall     *functionCall     `json:"functionCall,omitempty"`
	FunctionResponse *functionResponse `json:"functionResponse,omitempty"`
	ThoughtSignature string            `json:"thoughtSignature,omitempty"`

	raw json.RawMessage
}

type blob struct {
	MIMEType    string `json:"mimeType"`
	Data        string `json:"data"`
	DisplayName string `json:"displayName,omitempty"`
}

type fileData struct {
	FileURI  string `json:"fileUri"`
	MIMEType string `json:"mimeType,omitempty"`
}

type functionCall struct {
	ID   string          `json:"id,omitempty"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args"`
}

type functionResponse struct {
	ID       string          `json:"id,omitempty"`
	Name     string          `json:"name"`
	Response json.RawMessage `json:"response"`
	Parts    []part          `json:"parts,omitempty"`
}

// MarshalJSON writes the part, or what it was kept as.
func (p part) MarshalJSON() ([]byte, error) {
	if p.raw != nil {
		return p.raw, nil
	}
	type plain part
	return wire.Marshal(plain(p))
}

// rawParts are the API's parts that have no unified form.
var rawParts = []string{"executableCode", "executable_code", "codeExecutionResult", "code_execution_result",
	"toolCall", "tool_call", "toolResponse", "tool_response"}

// parts writes content parts. at names the content in errors.
func (e *encoder) parts(at string, parts []schema.Part) ([]part, error) {
	var out []part
	for i := range parts {
		p := &parts[i]
		e.dropIf(isSet(p.CacheControl), "cache_control")
		switch p.Type {
		case schema.PartText:
			out = append(out, part{Text: &p.Text})
		case schema.PartImage, schema.PartDocument, schema.PartAudio:
			m, err := media(fmt.Sprintf("%s[%d]", at, i), p)
			if err != nil {
				return nil, err
			}
			e.dropIf(p.Media.Detail != "" && p.Media.Detail != "auto", "image_url.detail")
			out = append(out, m)
		case schema.PartRaw:
			switch {
			case isRawPart(p.Raw):
				out = append(out, part{raw: p.Raw})
			case p.Text != "":
				out = append(out, part{Text: &p.Text})
			default:
				e.drop("content." + partName(p.Raw))
			}
		case schema.PartThinking, schema.PartRedactedThinking: // another model's
		default:
			return nil, schema.Invalid(at, "%s[%d]: unknown type %q", at, i, p.Type)
		}
	}
	return out, nil
}

func isRawPart(raw json.RawMessage) bool {
	if !json.Valid(raw) {
		return false
	}
	for _, name := range rawParts {
		if gjson.GetBytes(raw, name).IsObject() {
			return true
		}
	}
	return false
}

// partName is another dialect's word for a part.
func partName(raw json.RawMessage) string {
	if kind := gjson.GetBytes(raw, "type").Str; kind != "" {
		return kind
	}
	return "part"
}

// media writes an image, a document, a sound or a film.
func media(at string, p *schema.Part) (part, error) {
	m := p.Media
	if m == nil {
		return part{}, schema.Invalid(at, "%s has no data, URL or file id", at)
	}
	url, kind, data := m.URL, strings.ToLower(m.MIME), m.Data
	if len(url) > 5 && strings.EqualFold(url[:5], "data:") {
		var ok bool
		if kind, data, ok = wire.DataURL(url); !ok {
			return part{}, schema.Invalid(at, "%s is not a base64 data URL", at)
		}
		url = ""
	}
	if m.FileID != "" {
		url = m.FileID
	}
	switch {
	case url != "":
		if kind == "" {
			kind = typeByName(url, p.Type)
		}
		return part{FileData: &fileData{FileURI: url, MIMEType: kind}}, nil
	case data == "":
		return part{}, schema.Invalid(at, "%s has no data, URL or file id", at)
	}
	if kind, _, _ = strings.Cut(kind, ";"); kind == "" || kind == "application/octet-stream" || kind == "image/*" {
		if kind = typeByData(data); kind == "" {
			kind = typeByName(m.Filename, p.Type)
		}
		if kind == "" {
			return part{}, schema.Invalid(at, "%s: the media type is not known", at)
		}
	} else if kind == "image/jpg" {
		kind = "image/jpeg"
	}
	return part{InlineData: &blob{MIMEType: kind, Data: data}}, nil
}

// googles are the beginnings of URLs of the API's own files, and of films.
var googles = []string{"https://generativelanguage.googleapis.com/", "https://www.youtube.com/", "https://youtube.com/", "https://youtu.be/"}

// needsBytes is Chat.NeedsBytes. Google itself fetches pictures and documents
// by https (blog.google/innovation-and-ai/technology/developers-tools/
// gemini-api-new-file-limits), but wants to be told their type. http and sounds
// it does not name.
func needsBytes(p *schema.Part) bool {
	address := strings.ToLower(p.Media.URL)
	for _, own := range googles {
		if strings.HasPrefix(address, own) {
			return false
		}
	}
	return strings.HasPrefix(address, "http://") || p.Type == schema.PartAudio ||
		p.Media.MIME == "" && typeByName(address, schema.PartDocument) == ""
}

// typeByData knows a media type by the first bytes, in base64.
func typeByData(data string) string {
	for prefix, t := range map[string]string{"/9j/": "image/jpeg", "iVBOR": "image/png", "R0lGOD": "image/gif",
		"UklGR": "image/webp", "JVBERi": "application/pdf", "SUQz": "audio/mpeg"} {
		if strings.HasPrefix(data, prefix) {
			if t == "image/webp" && len(data) > 12 && strings.HasPrefix(data[10:], "BXQV") { // RIFF….WAVE
				return "audio/wav"
			}
			return t
		}
	}
	return ""
}

// typeByName guesses a media type by a file's name or URL.
func typeByName(name string, kind schema.PartType) string {
	name, _, _ = strings.Cut(name, "?")
	if t := mime.TypeByExtension(strings.ToLower(path.Ext(name))); t != "" {
		t, _, _ = strings.Cut(t, ";")
		return t
	}
	switch kind {
	case schema.PartImage:
		return "image/jpeg"
	case schema.PartAudio:
		return "audio/wav"
	}
	return ""
}
