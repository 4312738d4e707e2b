package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// What is made of a LiteLLM configuration passes the check, and its models
// answer: balanced, by fallback, under an alias, by pattern.
func TestImportLiteLLM(t *testing.T) {
	g := newGateway(t, "")
	g.env = []string{"FAKE_KEY=sk-up-key", "MASTER=" + adminToken}
	g.commandEnv = g.env
	g.write("config.yaml", []byte(fmt.Sprintf(`model_list:
  - {model_name: small, litellm_params: {model: openai/small, api_base: "%[1]s/v1", api_key: os.environ/FAKE_KEY}, model_info: {input_cost_per_token: 1e-6, output_cost_per_token: 2e-6}}
  - {model_name: bad, litellm_params: {model: openai/status-500, api_base: "%[1]s/v1", api_key: os.environ/FAKE_KEY}}
  - {model_name: "lab/*", litellm_params: {model: "hosted_vllm/*", api_base: "%[1]s/v1/", api_key: sk-written}}
router_settings: {num_retries: 0, fallbacks: [{bad: [small]}, {small: [bad]}], model_group_alias: {tiny: small}}
litellm_settings: {success_callback: [langfuse]}
general_settings: {master_key: os.environ/MASTER}
`, g.fake.URL())))
	out, errs, code := g.sluice("import", "litellm", "config.yaml")
	if code != 0 || !strings.Contains(out, "# not carried over: line 6: litellm_settings.success_callback") {
		t.Fatalf("import: %d %s%s", code, errs, out)
	}
	text := strings.Replace(head, `admin: {token: "`+adminToken+`"}`, "", 1) + out + team
	g.configure(text)
	if out, _, code := g.sluice("check", "-c", g.file()); code != 0 {
		t.Fatalf("check: %d %s", code, out)
	}
	g.start()
	for _, model := range []string{"small", "tiny", "bad", "lab/anything"} {
		if a := g.chat(chatBody(model, "hi", "")); a.status != 200 || a.get("choices.0.message.content").String() == "" {
			t.Errorf("%s: %d %s", model, a.status, a.body)
		}
	}
	if a := g.api("GET", "requests", ""); a.status != 200 {
		t.Error("the master key does not open the admin API")
	}
}
