package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
)

// Environment fills in what a provider does not say and its cloud's own
// variables do: the region, the project, the endpoint. get gives a variable,
// or nothing. The credentials file that GOOGLE_APPLICATION_CREDENTIALS names is
// read; that it cannot be is the only error. Keys are left to the caller.
func (p *Provider) Environment(get func(name string) string) error {
	return p.environment(get, func(string) {})
}

// environment is Environment; read is told of every file that is read.
func (p *Provider) environment(get func(name string) string, read func(path string)) error {
	switch p.Kind {
	case "bedrock":
		p.Region = cmp.Or(p.Region, get("AWS_REGION"), get("AWS_DEFAULT_REGION"))
	case "azure":
		p.BaseURL = cmp.Or(p.BaseURL, trimBase(get("AZURE_OPENAI_ENDPOINT")))
		p.APIVersion = cmp.Or(p.APIVersion, get("OPENAI_API_VERSION"))
	case "vertex":
		return p.vertexEnvironment(get, read)
	}
	return nil
}

func (p *Provider) vertexEnvironment(get func(name string) string, read func(path string)) error {
	if name := get("GOOGLE_APPLICATION_CREDENTIALS"); name != "" && p.Credentials == "" && len(p.Keys) == 0 {
		abs, err := filepath.Abs(name)
		if err != nil {
			return fmt.Errorf("GOOGLE_APPLICATION_CREDENTIALS: %w", err)
		}
		text, err := (&expander{dir: ".", read: read}).file(abs)
		if err != nil {
			return fmt.Errorf("GOOGLE_APPLICATION_CREDENTIALS: %w", err)
		}
		p.Credentials = Secret(text)
	}
	p.Project = cmp.Or(p.Project, get("GOOGLE_CLOUD_PROJECT"), projectOf(p.Credentials))
	p.Location = cmp.Or(p.Location, get("GOOGLE_CLOUD_LOCATION"), "global")
	return nil
}

// projectOf is the project that a service account's file belongs to.
func projectOf(credentials Secret) string {
	var file struct {
		Project string `json:"project_id"`
	}
	_ = json.Unmarshal([]byte(credentials.Reveal()), &file) // checked later; no project then
	return file.Project
}
