package main

import (
	"os"
	"strings"
	"testing"
)

// An export becomes a prompt that renders what the other program would have
// said, with a note for what was left out.
func TestPromptImport(t *testing.T) {
	elsewhere(t)
	t.Setenv("SLUICE_KEY", "")
	langchain := `{"lc":1,"type":"constructor","id":["langsmith","playground","PromptPlayground"],"kwargs":{"first":
		{"lc":1,"type":"constructor","id":["langchain","prompts","chat","ChatPromptTemplate"],"kwargs":{"input_variables":["text"],"messages":[
		{"lc":1,"type":"constructor","id":["langchain","prompts","chat","SystemMessagePromptTemplate"],"kwargs":{"prompt":{"lc":1,"type":"constructor","id":["langchain","prompts","prompt","PromptTemplate"],
			"kwargs":{"input_variables":[],"template_format":"f-string","template":"Answer as {{\"a\": 1}}."}}}},
		{"lc":1,"type":"constructor","id":["langchain","prompts","chat","MessagesPlaceholder"],"kwargs":{"variable_name":"chat_history"}},
		{"lc":1,"type":"constructor","id":["langchain","prompts","chat","HumanMessagePromptTemplate"],"kwargs":{"prompt":{"lc":1,"type":"constructor","id":["langchain","prompts","prompt","PromptTemplate"],
			"kwargs":{"input_variables":["text"],"template":"Say {text}"}}}}]}},
		"last":{"lc":1,"type":"constructor","id":["x","RunnableBinding"],"kwargs":{"bound":{"lc":1,"type":"constructor","id":["x","ChatOpenAI"],"kwargs":{"temperature":0,"model_name":"gpt-4o","openai_api_key":{"lc":1,"type":"secret","id":["K"]}}}}}}}`
	for name, c := range map[string]struct {
		source string
		says   string   // as the user, with text = hi
		holds  []string // the file
	}{
		"langchain": {langchain, "Say hi", []string{`model: "gpt-4o"`, `config: {"temperature":0}`, `Answer as {"a": 1}.`, `# not carried over: the placeholder "chat_history" for messages`}},
		"langfuse": {`{"name":"movie critic","type":"text","prompt":"As a {{ text }} critic {{#if x}}","config":{"model":"gpt-4o","temperature":0.5,"supported_languages":["en"]},"version":1,"labels":["production"]}`,
			"As a hi critic {{#if x}}", []string{`# not carried over: supported_languages: ["en"]`, "# not carried over: {{#if x}}", `"temperature":0.5`}},
		"langfuse-chat": {`{"name":"c","type":"chat","prompt":[{"role":"system","content":"Be kind"},{"type":"placeholder","name":"msgs"},{"role":"user","content":"{{text}}"}],"config":{}}`,
			"hi", []string{`{{role "system"}}Be kind`, `placeholder "msgs"`}},
		"portkey": {`{"slug":"my-prompt","string":"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Tell {{text}}\"}]}]","parameters":{"max_tokens":10,"stream":false},"model":"gpt-4o"}`,
			"Tell hi", []string{`"max_tokens":10`}},
		"openai": {`{"model":"gpt-4o","messages":[{"role":"developer","content":"Short."},{"role":"user","content":"{{text}}!"}],"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"a":{"type":"string"}}}}},
			"tools":[{"type":"function","function":{"name":"find","parameters":{"type":"object"}}}],"logit_bias":{"1":2}}`, "hi!", []string{`output: {"format":"json"`, `toolDefs: [{"name":"find","inputSchema"`, "# not carried over: logit_bias"}},
		"responses": {`{"model":"gpt-4o","instructions":"Short.","input":[{"role":"user","content":[{"type":"input_text","text":"{{text}}"},{"type":"input_image","image_url":"x"}]}],"max_output_tokens":5}`,
			"hi", []string{`{{role "system"}}Short.`, `part of type "input_image"`}},
	} {
		write(t, name+".json", c.source)
		r := sluice(t, "prompt", "import", name+".json")
		r.want(t, 0, "", "")
		for _, want := range c.holds {
			if !strings.Contains(r.out, want) {
				t.Errorf("%s lacks %s:\n%s", name, want, r.out)
			}
		}
		write(t, name+".prompt", r.out)
		if got := sluice(t, "prompt", "render", name+".prompt", "--input", `{"text":"hi"}`, "--json"); got.code != 0 || !strings.Contains(strings.ReplaceAll(got.out, `\"`, `"`), c.says) {
			t.Errorf("%s: rendered %d %s %s, want %s", name, got.code, got.out, got.err, c.says)
		}
	}
	sluice(t, "prompt", "import", "langfuse.json", "--dir", "out").want(t, 0, "out/movie-critic.prompt", "not carried over: supported_languages")
	if _, err := os.Stat("out/movie-critic.prompt"); err != nil {
		t.Error(err)
	}
	sluice(t, "prompt", "import", "langfuse.json", "--dir", "out").want(t, 1, "", "is there already")
	for source, want := range map[string]string{`[]`: "no JSON object", `{"a":1}`: "it is no prompt of LangChain", `{"messages":[]}`: "no messages",
		`{"lc":1,"id":["x","Agent"],"kwargs":{}}`: `class "Agent"`, strings.Replace(langchain, `"f-string"`, `"jinja2"`, 1): "format jinja2 are not understood"} {
		write(t, "bad.json", source)
		sluice(t, "prompt", "import", "bad.json").want(t, 2, "", want)
	}
}
