package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const userFile = `{"type": "authorized_user", "project_id": "from-file", "client_id": "a", "client_secret": "b", "refresh_token": "c"}`

// TestClouds is what the clouds' own variables fill in; what the file says
// stands.
func TestClouds(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sa.json")
	if err := os.WriteFile(file, []byte(userFile+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	src := `
providers:
  bedrock:
  aws: {kind: bedrock, region: eu-west-1}
  near: {kind: bedrock, base_url: "https://bedrock-runtime.eu-west-3.amazonaws.com"}
  vertex:
  gcp: {kind: vertex, project: own, location: us-east5, credentials: '` + strings.ReplaceAll(userFile, "from-file", "other") + `'}
  azure: {keys: [k]}
  az: {kind: azure, base_url: "https://own.openai.azure.com", api_version: v1, keys: [k]}
`
	c := load(t, src, "AWS_DEFAULT_REGION=us-west-2", "GOOGLE_APPLICATION_CREDENTIALS="+file,
		"AZURE_OPENAI_ENDPOINT=https://env.openai.azure.com/", "OPENAI_API_VERSION=2024-10-21")
	for what, pair := range map[string][2]string{
		"bedrock":             {c.Providers["bedrock"].Region, "us-west-2"},
		"aws":                 {c.Providers["aws"].Region, "eu-west-1"},
		"vertex":              {c.Providers["vertex"].Project, "from-file"},
		"vertex, location":    {c.Providers["vertex"].Location, "global"},
		"vertex, credentials": {c.Providers["vertex"].Credentials.Reveal(), userFile},
		"gcp":                 {c.Providers["gcp"].Project, "own"},
		"gcp, location":       {c.Providers["gcp"].Location, "us-east5"},
		"azure":               {c.Providers["azure"].BaseURL, "https://env.openai.azure.com"},
		"azure, version":      {c.Providers["azure"].APIVersion, "2024-10-21"},
		"az":                  {c.Providers["az"].BaseURL, "https://own.openai.azure.com"},
		"az, version":         {c.Providers["az"].APIVersion, "v1"},
		"sources":             {strings.Join(c.Sources()[1:], " "), file},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}
	if c = load(t, "providers: {vertex: }", "GOOGLE_CLOUD_PROJECT=p", "GOOGLE_CLOUD_LOCATION=eu"); c.Providers["vertex"].Project != "p" || c.Providers["vertex"].Location != "eu" {
		t.Errorf("vertex: %+v", c.Providers["vertex"])
	}
	_, err := Load(write(t, "providers: {vertex: {project: p}}"), []string{"GOOGLE_APPLICATION_CREDENTIALS=" + dir + "/none"})
	if err == nil || !strings.Contains(err.Error(), "providers.vertex: GOOGLE_APPLICATION_CREDENTIALS: there is no such file") {
		t.Errorf("a file that is not there: %v", err)
	}
}
