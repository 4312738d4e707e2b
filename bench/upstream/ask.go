package upstream

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// ask is what a chat request of any format wants.
type ask struct {
	model    string
	stream   bool
	usage    bool // the stream is to tell its usage
	max      int  // tokens; 0: no bound
	messages gjson.Result
	text     string // of the last user or tool message
	words    int    // of all messages: the prompt tokens that we report
	tools    []tool
	choice   string // the tool that must be called, "" if any
	single   bool   // no parallel calls
	results  bool   // the last turn brings tool results
	schema   gjson.Result
	thinking bool
	budget   int             // of the thinking, in tokens; 0: none said
	metadata json.RawMessage // to be told again (responses)
}

type tool struct {
	name   string
	schema gjson.Result
}

// plain says that nothing but the model's name and max shape the answer, the
// messages aside.
func (a *ask) plain() bool {
	return len(a.tools) == 0 && !a.schema.Exists() && !a.thinking
}

// readOpenAI reads a chat completion request. The body must outlive the ask.
func readOpenAI(_, body string) (a ask, ok bool) {
	root := gjson.Parse(body)
	root.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "model":
			a.model = v.String()
		case "stream":
			a.stream = v.Bool()
		case "stream_options":
			a.usage = v.Get("include_usage").Bool()
		case "max_tokens", "max_completion_tokens":
			a.max = int(v.Int())
		case "messages":
			a.messages = v
		case "tools":
			v.ForEach(func(_, t gjson.Result) bool {
				f := t.Get("function")
				a.tools = append(a.tools, tool{f.Get("name").String(), f.Get("parameters")})
				return true
			})
		case "tool_choice":
			a.readChoice(v, "function.name")
		case "parallel_tool_calls":
			a.single = v.Raw == "false"
		case "response_format":
			a.schema = v.Get("json_schema.schema")
		}
		return true
	})
	return a, root.IsObject() && a.model != ""
}

// readAnthropic reads a messages request. Structured output arrives as
// output_format or output_config.format, or as a tool that must be called.
func readAnthropic(_, body string) (a ask, ok bool) {
	root := gjson.Parse(body)
	a.usage = true
	root.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "model":
			a.model = v.String()
		case "stream":
			a.stream = v.Bool()
		case "max_tokens":
			a.max = int(v.Int())
		case "system":
			a.words += wordCount(textOf(v))
		case "messages":
			a.messages = v
		case "tools":
			v.ForEach(func(_, t gjson.Result) bool {
				a.tools = append(a.tools, tool{t.Get("name").String(), t.Get("input_schema")})
				return true
			})
		case "tool_choice":
			a.readChoice(v, "name")
			a.single = v.Get("disable_parallel_tool_use").Bool()
		case "thinking":
			a.thinking = v.Get("type").String() == "enabled" || v.Get("type").String() == "adaptive"
			a.budget = int(v.Get("budget_tokens").Int())
		case "output_format":
			a.schema = v.Get("schema")
		case "output_config":
			a.schema = v.Get("format.schema")
		}
		return true
	})
	return a, root.IsObject() && a.model != ""
}

func (a *ask) readChoice(v gjson.Result, namePath string) {
	if v.String() == "none" || v.Get("type").String() == "none" {
		a.choice = "none"
		return
	}
	a.choice = v.Get(namePath).String()
}

// readMessages takes from the messages what an answer needs of them.
func (a *ask) readMessages() {
	a.messages.ForEach(func(_, m gjson.Result) bool {
		content := contentOf(m)
		text := textOf(content)
		a.words += wordCount(text) + 1
		role := m.Get("role").String()
		// Media that a format has no place for in a result come in a turn behind it.
		a.results = len(answeredIn(m)) > 0 || a.results && mediaOnly(content)
		if role == "user" || role == "tool" || role == "function" || m.Get("type").String() == "function_call_output" {
			a.text = text
		}
		return true
	})
}

// contentOf is what a message of any format holds: a text or a list of parts.
func contentOf(m gjson.Result) gjson.Result {
	for _, name := range []string{"parts", "output"} { // of Gemini, and of a function_call_output
		if parts := m.Get(name); parts.Exists() {
			return parts
		}
	}
	return m.Get("content")
}

// textOf joins a content's texts; images are named with type and length.
func textOf(content gjson.Result) string {
	if content.Type == gjson.String {
		return content.Str
	}
	var parts []string
	content.ForEach(func(_, p gjson.Result) bool {
		text, ok := partText(p)
		if !ok {
			text, ok = bareText(p)
		}
		if ok {
			parts = append(parts, text)
		}
		return true
	})
	return strings.Join(parts, " ")
}

// mediaOnly tells whether a content is a list without any text.
func mediaOnly(content gjson.Result) bool {
	texts := false
	content.ForEach(func(_, p gjson.Result) bool {
		texts = texts || p.Get("text").Exists()
		return true
	})
	return content.IsArray() && !texts
}

// partText reads a part that says its type: OpenAI's and Anthropic's.
func partText(p gjson.Result) (string, bool) {
	switch p.Get("type").String() {
	case "text", "input_text", "output_text":
		return p.Get("text").String(), true
	case "image_url":
		return dataURL(p.Get("image_url.url").String()), true
	case "input_image":
		return dataURL(p.Get("image_url").String()), true
	case "file", "input_file":
		data := p.Get("file.file_data")
		if !data.Exists() {
			data = p.Get("file_data")
		}
		return dataURL(data.String()), data.Exists()
	case "image", "document":
		if data := p.Get("source.data"); data.Exists() {
			return media(p.Get("source.media_type").String(), data.String()), true
		}
		return "[image " + p.Get("source.url").String() + "]", true
	case "tool_result":
		return textOf(p.Get("content")), true
	}
	return "", false
}

// bareText reads a part that is named by its one field: Gemini's and Bedrock's.
func bareText(p gjson.Result) (string, bool) {
	if p.Get("thought").Bool() {
		return "", false
	}
	if v := p.Get("text"); v.Exists() {
		return v.String(), true
	}
	if v := p.Get("inlineData"); v.Exists() {
		return media(v.Get("mimeType").String(), v.Get("data").String()), true
	}
	if v := p.Get("fileData"); v.Exists() {
		return "[image " + v.Get("fileUri").String() + "]", true
	}
	if v := p.Get("functionResponse.response"); v.Exists() {
		return v.Raw, true
	}
	if v := p.Get("image"); v.Exists() {
		return media("image/"+v.Get("format").String(), v.Get("source.bytes").String()), true
	}
	if v := p.Get("document"); v.Exists() {
		return media("application/"+v.Get("format").String(), v.Get("source.bytes").String()), true
	}
	if v := p.Get("json"); v.Exists() {
		return v.Raw, true
	}
	if v := p.Get("toolResult.content"); v.Exists() {
		return textOf(v), true
	}
	return "", false
}

func dataURL(url string) string {
	kind, data, ok := strings.Cut(strings.TrimPrefix(url, "data:"), ";base64,")
	if !ok {
		return "[image " + url + "]"
	}
	return media(kind, data)
}

// media names what is not text: [image image/png 96], [file application/pdf 8].
func media(kind, data string) string {
	word := "file"
	if strings.HasPrefix(kind, "image/") {
		word = "image"
	}
	return fmt.Sprintf("[%s %s %d]", word, kind, len(data))
}

// wordCount counts what stands between spaces, without making the words.
func wordCount(text string) int {
	n, inside := 0, false
	for i := range len(text) {
		space := text[i] == ' ' || text[i] == '\n' || text[i] == '\t'
		if !space && !inside {
			n++
		}
		inside = !space
	}
	return n
}
