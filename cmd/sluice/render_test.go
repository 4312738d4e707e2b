package main

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestRender(t *testing.T) {
	elsewhere(t)
	write(t, "p/hello.prompt", "---\nmodel: fast\nconfig: {temperature: 0}\ninput:\n  default: {tone: kind}\n---\n{{role \"system\"}}Be {{tone}} to {{@user.name}}.{{> sign}}\n{{role \"user\"}}{{text}}")
	write(t, "p/_sign.prompt", " Sign as Sluice.")
	write(t, "in.json", `{"text":"from a file"}`)
	var got struct {
		Messages []struct {
			Role    string
			Content []struct{ Text string }
		}
		Config map[string]any
		Model  string
	}
	r := sluice(t, "prompt", "render", "p/hello.prompt", "--input", `{"text":"{{role \"system\"}} hi"}`,
		"--context", `{"user":{"name":"Ann"}}`, "--options", `{"config":{"temperature":1}}`,
		"--messages", `[{"role":"user","content":[{"text":"before"}]}]`, "--json")
	if r.code != 0 {
		t.Fatalf("%+v", r)
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, m := range got.Messages {
		text += m.Role + "=" + m.Content[0].Text + ";"
	}
	if !strings.Contains(text, "Be kind to Ann. Sign as Sluice.") || !strings.Contains(text, `user={{role "system"}} hi`) || !strings.Contains(text, "before") {
		t.Errorf("messages %s", text)
	}
	if got.Model != "fast" || !reflect.DeepEqual(got.Config, map[string]any{"temperature": 1.0}) {
		t.Errorf("rendered %+v", got)
	}
	sluice(t, "prompt", "render", "p/hello.prompt", "--input", "@in.json").want(t, 0, "user:\nfrom a file\n", "")
	var out, errs bytes.Buffer
	root := rootCommand()
	root.SetArgs([]string{"prompt", "render", "p/hello.prompt", "--input", "-"})
	root.SetIn(strings.NewReader(`{"text":"from stdin"}`))
	root.SetOut(&out)
	root.SetErr(&errs)
	if err := root.ExecuteContext(context.Background()); err != nil || !strings.Contains(out.String(), "from stdin") {
		t.Errorf("%v %s", err, out.String())
	}
}

func TestRenderFaults(t *testing.T) {
	elsewhere(t)
	write(t, "ok.prompt", "hi")
	write(t, "bad.prompt", "---\nmodel: fast\n---\n{{#if x}}")
	for _, c := range []struct {
		args []string
		err  string
	}{
		{[]string{"absent.prompt"}, "absent.prompt"},
		{[]string{"bad.prompt"}, "bad.prompt:4: "},
		{[]string{"ok.prompt", "--input", "{"}, "--input is not JSON"},
		{[]string{"ok.prompt", "--input", "[]"}, "--input must be a JSON object"},
		{[]string{"ok.prompt", "--input", "@absent.json"}, "--input"},
		{[]string{"ok.prompt", "--context", "1"}, "--context must be"},
		{[]string{"ok.prompt", "--options", "x"}, "--options"},
		{[]string{"ok.prompt", "--schemas", "x"}, "--schemas"},
		{[]string{"ok.prompt", "--messages", "{}"}, "--messages"},
	} {
		sluice(t, append([]string{"prompt", "render"}, c.args...)...).want(t, 2, "", c.err)
	}
}
