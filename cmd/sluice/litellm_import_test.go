package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"sluice/providers/catalog"
)

// What is printed is as in testdata, and check accepts it. SLUICE_GOLDEN=1
// writes what is printed there.
func TestImportLiteLLM(t *testing.T) {
	for _, name := range []string{"balanced", "clouds", "accounts"} {
		t.Run(name, func(t *testing.T) {
			from := filepath.Join("testdata", "litellm", name+".yaml")
			text, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			golden, err := filepath.Abs(strings.TrimSuffix(from, ".yaml") + ".golden")
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(golden)
			if err != nil && os.Getenv("SLUICE_GOLDEN") == "" {
				t.Fatal(err)
			}
			elsewhere(t)
			for _, v := range []string{"AZURE_EU_KEY", "AZURE_US_KEY", "OPENAI_A", "OPENAI_B", "ANTHROPIC_API_KEY", "LITELLM_MASTER_KEY", "AWS_ID", "AWS_SECRET",
				"GEMINI_API_KEY", "GROQ_API_KEY", "TOGETHER_API_KEY", "ENTRA_SECRET", "VOYAGE_API_KEY", "KEY_A", "KEY_B"} {
				t.Setenv(v, "value-of-"+v)
			}
			write(t, "config.yaml", string(text))
			r := sluice(t, "import", "litellm", "config.yaml")
			r.want(t, 0, "", "")
			if os.Getenv("SLUICE_GOLDEN") != "" {
				write(t, golden, r.out)
			} else if r.out != string(want) {
				t.Errorf("it differs from %s:\n%s", golden, r.out)
			}
			write(t, "sluice.yaml", r.out)
			sluice(t, "check").want(t, 0, "no faults", "")
		})
	}
}

func TestImportLiteLLMRefuses(t *testing.T) {
	elsewhere(t)
	for name, text := range map[string]string{
		"none": "[]", "broken": "{", "empty": "model_list: []\n", "itself": "a: &a [*a]\n", "twice": "a: 1\na: 2\n",
		"unknown": "model_list: [{model_name: x, litellm_params: {model: sagemaker/x}}]\n",
	} {
		write(t, name+".yaml", text)
	}
	for file, says := range map[string]string{
		"absent.yaml": "cannot read the configuration", "none.yaml": "it is no LiteLLM configuration", "broken.yaml": "broken.yaml: ",
		"empty.yaml": "no model that can be carried over", "itself.yaml": "itself.yaml: ", "twice.yaml": "already defined",
		"unknown.yaml": "no model that can be carried over",
	} {
		sluice(t, "import", "litellm", file).want(t, 2, "", says)
	}
}

// Whatever a file holds, what is printed is YAML, with no model without a target.
func FuzzImportLiteLLM(f *testing.F) {
	for _, name := range []string{"balanced", "clouds", "accounts"} {
		text, err := os.ReadFile(filepath.Join("testdata", "litellm", name+".yaml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("model_list: [{model_name: \"a\\n#: \", litellm_params: {model: gpt-4o, weight: .5, rpm: nan, extra_headers: {\"a b\": c}}}]"))
	catalog.Load()
	f.Fuzz(func(t *testing.T, text []byte) {
		source, err := parseLiteLLMConfig(text)
		if err != nil {
			return
		}
		out, err := (&litellmConfig{file: "x", source: source}).yaml()
		if err != nil {
			return
		}
		var got struct {
			Providers map[string]any
			Models    map[string]any
		}
		if err := yaml.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if len(got.Providers) == 0 {
			t.Errorf("no provider:\n%s", out)
		}
		for name, m := range got.Models {
			if long, ok := m.(map[string]any); ok && long["targets"] == nil || m == nil {
				t.Errorf("%q has no target:\n%s", name, out)
			}
		}
	})
}
