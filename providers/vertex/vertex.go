// Package vertex is what Google's Vertex AI serves: Claude, by the Messages API
// with the model in the path and the API's version in the body, and Gemini.
// Other makers' models there speak OpenAI's dialect below
// …/v1/projects/P/locations/L/endpoints/openapi. All take an access token of
// Google's as a bearer token (package auth).
//
// Documents, checked on 2026-11-24: platform.claude.com/docs/en/build-with-claude/
// claude-on-vertex-ai (the model in the URL, anthropic_version and its value in
// the body) and build-with-claude/vision (pictures as data only, for the models
// that Google manages). Not checked against a document: the paths of rawPredict
// and of counting, the addresses of multi-regions, the form of errors.
package vertex

import (
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/gemini"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// version is the value of anthropic_version, which the body must have.
const version = "vertex-2023-10-16"

// BaseURL is the address of a location: a region such as us-east5, a
// multi-region (us, eu), or global.
func BaseURL(location string) string {
	switch location {
	case "", "global":
		return "https://aiplatform.googleapis.com"
	case "us", "eu":
		return "https://aiplatform." + location + ".rep.googleapis.com"
	}
	return "https://" + location + "-aiplatform.googleapis.com"
}

// Gemini makes the dialect of Google's own models in a project and a location.
func Gemini(project, location string) *dialect.Dialect {
	return gemini.New(gemini.Quirks{Path: gemini.VertexPath(project, location), Vertex: true})
}

// Anthropic makes the dialect of Claude in a project and a location. Its name
// is Anthropic's: a client's bytes can go there, but for model and version.
func Anthropic(project, location string) *dialect.Dialect {
	models := "/v1/projects/" + wire.Segment(project) + "/locations/" + wire.Segment(location) + "/publishers/anthropic/models/"
	path := func(model string, stream bool) string {
		if stream {
			return models + wire.Segment(model) + ":streamRawPredict"
		}
		return models + wire.Segment(model) + ":rawPredict"
	}
	countPath := models + "count-tokens:rawPredict"

	d := anthropic.Dialect
	chat := *d.Chat
	chat.Path = path
	chat.NeedsBytes, chat.RawNeedsBytes = func(*schema.Part) bool { return true }, true
	chat.Encode = func(req *schema.ChatRequest) (*dialect.Upstream, error) {
		up, err := d.Chat.Encode(req)
		return moved(up, path(req.Model, req.Stream), false), err
	}
	chat.Splice = func(p *wire.Patch, raw []byte, head *schema.Head, model string, maxTokens int64) {
		d.Chat.Splice(p, raw, head, model, maxTokens)
		replace(p, raw, false)
	}
	count := *d.Count
	count.Path = func(string) string { return countPath }
	count.Encode = func(req *schema.ChatRequest) (*dialect.Upstream, error) {
		up, err := d.Count.Encode(req)
		return moved(up, countPath, true), err
	}
	count.Splice = func(p *wire.Patch, raw []byte, head *schema.Head, model string) {
		d.Count.Splice(p, raw, head, model)
		replace(p, raw, true)
	}
	made := d
	made.Chat, made.Count, made.Error = &chat, &count, decodeError
	return &made
}

// moved is a request to Anthropic made one to Vertex; nil stays nil.
func moved(up *dialect.Upstream, path string, counting bool) *dialect.Upstream {
	if up == nil {
		return nil
	}
	up.Path, up.Body = path, body(up.Body, counting)
	kept := up.Header[:0]
	for _, h := range up.Header {
		if h.Name != "anthropic-version" {
			kept = append(kept, h)
		}
	}
	up.Header = kept
	return up
}

// replace makes the patch put another body in the place of the whole: fields
// that go may stand anywhere in it.
func replace(p *wire.Patch, raw []byte, counting bool) {
	whole := body(p.Bytes(raw), counting)
	p.Reset()
	p.Text(schema.Span{To: len(raw)}, wire.View(whole))
}

// body puts the version in a body, and takes the model out where the path has
// it. It must not change raw.
func body(raw []byte, counting bool) []byte {
	gone := []string{"anthropic_version"}
	if !counting {
		gone = append(gone, "model")
	}
	for _, name := range gone {
		for gjson.GetBytes(raw, name).Exists() {
			less, err := sjson.DeleteBytes(raw, name)
			if err != nil {
				break
			}
			raw = less
		}
	}
	rest := strings.TrimLeft(string(raw), " \t\r\n")
	rest = strings.TrimLeft(strings.TrimPrefix(rest, "{"), " \t\r\n")
	head := `{"anthropic_version":"` + version + `"`
	if !strings.HasPrefix(rest, "}") {
		head += ","
	}
	return []byte(head + rest)
}

// decodeError is Dialect.Error: Anthropic's own errors, and Google's, which
// may stand in a list.
func decodeError(status int, header func(string) string, raw []byte) *schema.Error {
	if first := gjson.GetBytes(raw, "0"); gjson.ValidBytes(raw) && first.IsObject() {
		raw = []byte(first.Raw)
	}
	e := anthropic.Dialect.Error(status, header, raw)
	if word := gjson.GetBytes(raw, "error.status").Str; e.Type == "" {
		e.Type = word
	}
	if e.Class == schema.ClassNotFound && e.Code == schema.CodeNotFound {
		e.Code = schema.CodeModelNotFound // nothing else is asked for there
	}
	return e
}
