package e2e

import (
	"os"
	"os/exec"
	"testing"
)

const narrowKey = "sk-e2e-narrow-0123456789"

const sdkConfig = providers + `models: {named: up/small}
teams:
  t:
    keys:
      - {name: k, value: "` + teamKey + `"}
      - {name: narrow, value: "` + narrowKey + `", models: [named]}
`

// OpenAI's own client for Node.js, through an OpenAI-shaped provider and
// through Anthropic's API.
func TestSDK(t *testing.T) {
	if os.Getenv("SLUICE_E2E_SDK") == "" {
		t.Skip("SLUICE_E2E_SDK is not set")
	}
	if _, err := os.Stat("sdk/node_modules/openai"); err != nil {
		npm(t, nil, "ci", "--no-audit", "--no-fund")
	}
	g := start(t, sdkConfig)
	for _, provider := range []string{"up", "ant"} {
		t.Run(provider, func(t *testing.T) {
			npm(t, []string{"SLUICE_SDK_URL=http://" + g.listen + "/v1", "SLUICE_SDK_KEY=" + teamKey,
				"SLUICE_SDK_NARROW_KEY=" + narrowKey, "SLUICE_SDK_PROVIDER=" + provider}, "test")
		})
	}
}

// npm runs a command in sdk/.
func npm(t *testing.T, env []string, args ...string) {
	t.Helper()
	cmd := exec.Command("npm", args...)
	cmd.Dir, cmd.Env = "sdk", append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm %v: %v\n%s", args, err, out)
	}
}
