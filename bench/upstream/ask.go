package upstream

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// ask is what a chat request of either format wants.
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
func readOpenAI(body string) (a ask, ok bool) {
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
func readAnthropic(body string) (a ask, ok bool) {
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
		content := m.Get("content")
		text := textOf(content)
		a.words += wordCount(text) + 1
		role := m.Get("role").String()
		a.results = role == "tool" || content.Get(`#(type=="tool_result")`).Exists()
		if role == "user" || role == "tool" {
			a.text = text
		}
		return true
	})
}

// textOf joins a content's texts; images are named with type and length.
func textOf(content gjson.Result) string {
	if content.Type == gjson.String {
		return content.Str
	}
	var parts []string
	content.ForEach(func(_, p gjson.Result) bool {
		switch p.Get("type").String() {
		case "text":
			parts = append(parts, p.Get("text").String())
		case "image_url":
			parts = append(parts, dataURL(p.Get("image_url.url").String()))
		case "image":
			if data := p.Get("source.data"); data.Exists() {
				parts = append(parts, image(p.Get("source.media_type").String(), data.String()))
			} else {
				parts = append(parts, "[image "+p.Get("source.url").String()+"]")
			}
		case "tool_result":
			parts = append(parts, textOf(p.Get("content")))
		}
		return true
	})
	return strings.Join(parts, " ")
}

func dataURL(url string) string {
	media, data, ok := strings.Cut(strings.TrimPrefix(url, "data:"), ";base64,")
	if !ok {
		return "[image " + url + "]"
	}
	return image(media, data)
}

func image(media, data string) string { return fmt.Sprintf("[image %s %d]", media, len(data)) }

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
