package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// external is a credentials file of workload identity federation: a token of
// another identity provider is exchanged for Google's
// (cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token and
// google.aip.dev/auth/4117; not checked against the documents). Its token comes from a file or a
// URL; those that AWS signs and those that a program prints are not supported.
type external struct {
	Audience         string `json:"audience"`
	SubjectTokenType string `json:"subject_token_type"`
	TokenURL         string `json:"token_url"`
	Impersonation    string `json:"service_account_impersonation_url"`
	Source           struct {
		File          string            `json:"file"`
		URL           string            `json:"url"`
		Headers       map[string]string `json:"headers"`
		EnvironmentID string            `json:"environment_id"`
		Executable    json.RawMessage   `json:"executable"`
		Certificate   json.RawMessage   `json:"certificate"`
		Format        struct {
			Type  string `json:"type"` // text, json
			Field string `json:"subject_token_field_name"`
		} `json:"format"`
	} `json:"credential_source"`
}

func (x *external) check() error {
	s := &x.Source
	switch {
	case x.Audience == "":
		return fmt.Errorf("cannot read Google credentials: audience is missing")
	case x.SubjectTokenType == "":
		return fmt.Errorf("cannot read Google credentials: subject_token_type is missing")
	case s.EnvironmentID != "", s.Executable != nil, s.Certificate != nil, s.File == "" && s.URL == "":
		return fmt.Errorf("cannot use Google credentials: credential_source must have a file or a url; AWS, executable and certificate sources are not supported")
	case s.Format.Type == "json" && s.Format.Field == "":
		return fmt.Errorf("cannot read Google credentials: credential_source.format.subject_token_field_name is missing")
	}
	return nil
}

// externalAccount exchanges the foreign token, and, where the file says so,
// the token got for a service account's.
func (g google) externalAccount(ctx context.Context, x *external) (token, error) {
	subject, err := g.subject(ctx, x)
	if err != nil {
		return token{}, err
	}
	address, scope := x.TokenURL, g.opt.Scope
	if address == "" {
		address = "https://sts.googleapis.com/v1/token"
	}
	if x.Impersonation != "" {
		scope = GoogleScope // what impersonation itself needs
	}
	t, err := g.form(ctx, "Google's token exchange", address, url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"audience":             {x.Audience},
		"scope":                {scope},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"subject_token":        {subject},
		"subject_token_type":   {x.SubjectTokenType},
	})
	if err != nil || x.Impersonation == "" {
		return t, err
	}
	return g.impersonate(ctx, x.Impersonation, t)
}

// subject reads the foreign token, which is renewed where it stands.
func (g google) subject(ctx context.Context, x *external) (string, error) {
	raw, err := g.source(ctx, x)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(raw))
	if x.Source.Format.Type == "json" {
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) != nil || json.Unmarshal(fields[x.Source.Format.Field], &text) != nil {
			return "", refused("the source of the provider's external token has no field %q", x.Source.Format.Field)
		}
	}
	if text == "" {
		return "", refused("the source of the provider's external token is empty")
	}
	return text, nil
}

func (g google) source(ctx context.Context, x *external) ([]byte, error) {
	if x.Source.File != "" {
		raw, err := os.ReadFile(x.Source.File)
		if err != nil {
			return nil, unavailable(err, "the file of the provider's external token cannot be read")
		}
		return raw, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.Source.URL, nil)
	if err != nil {
		return nil, refused("the address of the provider's external token is not a URL")
	}
	for name, value := range x.Source.Headers {
		req.Header.Set(name, value)
	}
	return g.read("the source of the external token", req)
}

// impersonate exchanges a federated token for a service account's own.
func (g google) impersonate(ctx context.Context, address string, federated token) (token, error) {
	body, err := json.Marshal(map[string]any{"scope": strings.Fields(g.opt.Scope), "lifetime": "3600s"})
	if err != nil {
		return token{}, refused("the scope of the provider's token cannot be written")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return token{}, refused("the address to impersonate the service account is not a URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+federated.value)
	return g.token("Google's credentials service", req)
}
