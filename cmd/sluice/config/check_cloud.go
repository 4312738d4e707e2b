package config

import (
	"regexp"
	"strconv"

	"sluice/providers/auth"
)

// onlyFor are the keys of a provider that one kind alone has.
var onlyFor = map[string]string{
	"region":  "bedrock",
	"project": "vertex", "location": "vertex", "credentials": "vertex",
	"api_version": "azure", "tenant": "azure", "client_id": "azure", "client_secret": "azure",
	"latency": "mock", "rate": "mock", "fail": "mock",
}

// hostLabel is what may stand as a part of a host's name.
var hostLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// kind checks what the kinds of provider ask for beyond an address and keys.
func (k *checker) kind(path []string, p Provider) {
	for _, key := range sortedKeys(onlyFor) {
		if kind := onlyFor[key]; p.Kind != kind && k.origin.given(below(path, key)...) {
			k.fault(below(path, key), "is only for the kind %s", kind)
		}
	}
	switch p.Kind {
	case "mock":
		k.mock(path, p)
	case "bedrock":
		k.bedrock(path, p)
	case "vertex":
		k.vertex(path, p)
	case "azure":
		k.azure(path, p)
	}
}

func (k *checker) bedrock(path []string, p Provider) {
	region := below(path, "region")
	if p.Region == "" {
		if _, err := auth.AWS(auth.AWSOptions{BaseURL: p.BaseURL}); err != nil { // its host may name one
			k.fault(region, "is needed, such as us-east-1, or AWS_REGION in the environment")
		}
	} else if !hostLabel.MatchString(p.Region) {
		k.fault(region, "want a region such as us-east-1%s", k.said(region, p.Region))
	}
}

func (k *checker) vertex(path []string, p Provider) {
	if p.Project == "" {
		k.fault(below(path, "project"), "is needed, or GOOGLE_CLOUD_PROJECT in the environment")
	}
	if location := below(path, "location"); !hostLabel.MatchString(p.Location) {
		k.fault(location, "want a location such as us-central1 or global%s", k.said(location, p.Location))
	}
	credentials := below(path, "credentials")
	if p.Credentials != "" && len(p.Keys) > 0 {
		k.fault(credentials, "stands beside keys: give one of the two")
		return
	}
	if err := auth.CheckGoogle(p.Credentials.Reveal()); err != nil {
		k.fault(credentials, "%v", err)
	}
	for i, key := range p.Keys {
		if err := auth.CheckGoogle(key.Value.Reveal()); err != nil {
			k.fault(below(below(path, "keys"), strconv.Itoa(i)), "%v", err)
		}
	}
}

func (k *checker) azure(path []string, p Provider) {
	if p.BaseURL == "" {
		k.fault(below(path, "base_url"), "is needed: the resource's address, such as https://NAME.openai.azure.com")
	}
	if p.Tenant == "" && p.ClientID == "" && p.ClientSecret == "" {
		return
	}
	given := false
	for _, field := range []struct{ key, value string }{
		{"tenant", p.Tenant}, {"client_id", p.ClientID}, {"client_secret", p.ClientSecret.Reveal()},
	} {
		if field.value == "" {
			k.fault(below(path, field.key), "is needed: Entra wants tenant, client_id and client_secret")
			given = true
		}
	}
	if len(p.Keys) > 0 {
		k.fault(below(path, "keys"), "stands beside tenant: give keys, or tenant, client_id and client_secret")
	} else if !given {
		if _, err := auth.Entra(auth.EntraOptions{Tenant: p.Tenant, ClientID: p.ClientID}); err != nil {
			k.fault(below(path, "tenant"), "%v", err)
		}
	}
}

// awsParts refuses what only bedrock's keys have.
func (k *checker) awsParts(path []string) {
	for _, part := range []string{"id", "secret", "token"} {
		if k.origin.given(below(path, part)...) {
			k.fault(below(path, part), "is only for keys of the kind bedrock")
		}
	}
}

// awsKey checks a key of bedrock's, which is an access key or an API key. It
// gives the text by which two keys are the same; false: a fault was told.
func (k *checker) awsKey(path []string, key ProviderKey) (Secret, bool) {
	faults := len(k.faults)
	parts := key.ID != "" || key.Secret != "" || key.Token != ""
	switch {
	case parts && key.Value != "":
		k.fault(below(path, "value"), "stands beside id: give value, or id and secret")
	case parts && key.ID == "":
		k.fault(below(path, "id"), "is needed beside secret")
	case parts && key.Secret == "":
		k.fault(below(path, "secret"), "is needed beside id")
	case parts:
		return Secret(key.ID + ":" + key.Secret.Reveal()), true
	case key.Value != "":
		if _, err := auth.ParseAWSKeys(key.Value.Reveal()); err != nil {
			k.fault(path, "%v", err)
		}
	}
	return key.Value, len(k.faults) == faults
}
