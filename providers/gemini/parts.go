package gemini

import (
	"encoding/json"
	"hash/fnv"
	"strconv"
	"strings"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// piece is one part of a turn as it came, of an answer or of a caller's
// request.
type piece struct {
	text      string
	textual   bool // it has a text, if an empty one
	thought   bool
	signature string
	call      *functionCall
	result    gjson.Result // a functionResponse
	media     *schema.Media
	known     bool            // it is one of rawParts
	raw       json.RawMessage // the whole of it
	wrong     string          // a field that is not of its type
}

// readPart reads a part with names in either case.
func readPart(v gjson.Result) piece {
	p := piece{raw: json.RawMessage(v.Raw)}
	v.ForEach(func(key, x gjson.Result) bool {
		name := camelCase(key.Str)
		if x.Type != gjson.Null && !ofType(name, x) {
			p.wrong = name
		}
		switch name {
		case "text":
			p.text, p.textual = x.String(), x.Type == gjson.String
		case "thought":
			p.thought = x.Type == gjson.True
		case "thoughtSignature":
			p.signature = x.String()
		case "functionCall":
			if x.IsObject() {
				p.call = &functionCall{ID: x.Get("id").String(), Name: x.Get("name").String(), Args: wire.RawObject(x.Get("args"))}
				if p.call.Args == nil {
					p.call.Args = json.RawMessage("{}")
				}
			}
		case "functionResponse":
			p.result = x
		case "inlineData":
			p.media = &schema.Media{MIME: field(x, "mimeType").String(), Data: x.Get("data").String(), Filename: field(x, "displayName").String()}
		case "fileData":
			p.media = &schema.Media{MIME: field(x, "mimeType").String(), URL: field(x, "fileUri").String()}
		case "executableCode", "codeExecutionResult", "toolCall", "toolResponse":
			p.known = x.IsObject()
		}
		return true
	})
	return p
}

// ofType tells whether a field of a part has a value that it can have.
func ofType(name string, v gjson.Result) bool {
	switch name {
	case "text", "thoughtSignature":
		return v.Type == gjson.String
	case "thought":
		return v.IsBool()
	case "functionCall", "functionResponse", "inlineData", "fileData", "executableCode", "codeExecutionResult":
		return v.IsObject()
	}
	return true
}

// field is an object's field, its name in camelCase or snake_case.
func field(object gjson.Result, name string) (out gjson.Result) {
	object.ForEach(func(key, v gjson.Result) bool {
		if key.Str == name || strings.IndexByte(key.Str, '_') >= 0 && camelCase(key.Str) == name {
			out = v
			return false
		}
		return true
	})
	return out
}

// each walks a list; a single object stands for a list of one, as Google's
// parsers have it.
func each(v gjson.Result, f func(gjson.Result)) {
	switch {
	case v.IsArray():
		v.ForEach(func(_, item gjson.Result) bool { f(item); return true })
	case v.IsObject():
		f(v)
	}
}

// list gives f what each walks, as part of a caller's request: what is neither
// absent nor a list of objects is refused, and f's first fault ends it.
func list(v gjson.Result, at string, f func(v gjson.Result, at string) error) error {
	switch {
	case v.Type == gjson.Null:
		return nil
	case v.IsObject():
		return f(v, at)
	case !v.IsArray():
		return schema.Invalid(at, "%s must be a list of objects", at)
	}
	i, err := 0, error(nil)
	v.ForEach(func(_, item gjson.Result) bool {
		where := at + "[" + strconv.Itoa(i) + "]"
		i++
		if !item.IsObject() {
			err = schema.Invalid(where, "%s must be an object", where)
		} else {
			err = f(item, where)
		}
		return err == nil
	})
	return err
}

// mediaPart is the part that holds m, by its media type.
func mediaPart(m *schema.Media) schema.Part {
	kind := schema.PartDocument
	if before, _, ok := strings.Cut(m.MIME, "/"); ok {
		switch before {
		case "image":
			kind = schema.PartImage
		case "audio":
			kind = schema.PartAudio
		}
	}
	return schema.Part{Type: kind, Media: m}
}

// inWords is code and its outcome as a text, for those who know no such parts.
func (p *piece) inWords() string {
	v := gjson.ParseBytes(p.raw)
	if code := field(v, "executableCode"); code.IsObject() {
		return "```" + strings.ToLower(code.Get("language").String()) + "\n" + code.Get("code").String() + "\n```"
	}
	if outcome := field(v, "codeExecutionResult"); outcome.IsObject() {
		return "```\n" + outcome.Get("output").String() + "\n```"
	}
	return ""
}

// ids makes ids for calls that have none: no two of a conversation may be
// alike.
type ids struct {
	answer string // its id; empty: made of what it says
	n      int
}

func (i *ids) next(data []byte) string {
	if i.answer == "" {
		h := fnv.New64a()
		_, _ = h.Write(data) // never fails
		i.answer = strconv.FormatUint(h.Sum64(), 36)
	}
	i.n++
	return "call_" + i.answer + "_" + strconv.Itoa(i.n)
}

// toolCall is the call in unified form, its signature in its id.
func (p *piece) toolCall(i *ids, data []byte) openai.ToolCall {
	id := p.call.ID
	if id == "" {
		id = i.next(data)
	}
	return openai.ToolCall{ID: wire.SignCall(id, p.signature), Type: openai.ToolTypeFunction,
		Function: openai.FunctionCall{Name: p.call.Name, Arguments: string(p.call.Args)}}
}
