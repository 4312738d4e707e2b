package e2e

import (
	"strings"
	"testing"
	"time"
)

// A provider that speaks OpenAI's API is one entry, and a running gateway takes
// it up: no code, no restart, no call dropped. One entry takes it away again.
func TestProviderAdded(t *testing.T) {
	h := newHost(t)
	h.answers("fresh", jsonBody(openaiWhole), sse(openaiDelta, openaiStop, openaiUsage, "[DONE]"))
	g := start(t, providers+team)
	if a := g.chat(chatBody("fresh/m", "hi", "")); a.status != 404 || a.get("error.code").String() != "model_not_found" {
		t.Fatalf("before: %d %s", a.status, a.body)
	}
	entry := `  fresh: {kind: openai-compatible, base_url: "` + h.URL + `/fresh/v1", keys: [sk-fresh], prices: {m: {input: 1, output: 2}}}` + "\n"
	g.configure(head + providers + entry + team)
	if a := g.api("POST", "reload", ""); a.status >= 300 {
		t.Fatalf("reload: %d %s", a.status, a.body)
	}
	k := kind{name: "fresh", model: "m", wholePath: "/v1/chat/completions", streamPath: "/v1/chat/completions", header: "Authorization", value: "^Bearer sk-fresh$"}
	g.askWhole(t, h, k, "hello")
	g.askStream(t, h, k, "hello")
	if a := g.chat(chatBody("m", "hi", "")); a.status != 200 || a.header.Get("x-sluice-model") != "fresh/m" || a.header.Get("x-sluice-cost") != "0.000013" {
		t.Errorf("by its bare name: %d %v %s", a.status, a.header, a.body)
	}
	if a := g.data("GET", "/v1/models", ""); !a.get(`data.#(id=="fresh/m")`).Exists() {
		t.Errorf("not listed: %s", a.body)
	}
	g.configure(head + providers + team + "# it is gone\n") // the changed file is enough
	if !eventually(5*time.Second, func() bool { return g.chat(chatBody("fresh/m", "hi", "")).status == 404 }) {
		t.Error("still there")
	}
}

// What the environment holds is on without a configuration; variables of the
// clouds that cannot be used are let be.
func TestProvidersOfTheEnvironment(t *testing.T) {
	g := newGateway(t, team)
	g.env = []string{"MISTRAL_API_KEY=k", "CO_API_KEY=k", "GROQ_API_KEY=k", "CLOUDFLARE_API_KEY=k", "VOYAGE_API_KEY=k",
		"AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=s", "AWS_REGION=eu-west-1",
		"AZURE_OPENAI_API_KEY=k", "AZURE_OPENAI_ENDPOINT=https://x.openai.azure.com/",
		"GOOGLE_APPLICATION_CREDENTIALS=/nonexistent/sa.json", "GOOGLE_CLOUD_PROJECT=p"}
	g.start()
	on := map[string]bool{}
	for _, m := range g.data("GET", "/v1/models", "").get("data.#.id").Array() {
		name, _, _ := strings.Cut(m.String(), "/")
		on[name] = true
	}
	for _, name := range []string{"mock", "mistral", "cohere", "groq", "voyage", "bedrock", "azure"} {
		if !on[name] {
			t.Errorf("%s is not on", name)
		}
	}
	for _, name := range []string{"openai", "vertex", "cloudflare"} {
		if on[name] {
			t.Errorf("%s is on", name)
		}
	}
}
