package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"strconv"
	"time"

	"sluice/billing"
	"sluice/cmd/sluice/config"
	"sluice/gateway"
	"sluice/providers/auth"
	"sluice/providers/catalog"
	"sluice/router"
)

// ollamaAddress is where an Ollama listens by default.
const ollamaAddress = "127.0.0.1:11434"

// enabledProviders are those of the file, and those whose keys the environment
// holds.
func enabledProviders(cfg *config.Config, known *catalog.Catalog) map[string]config.Provider {
	all := map[string]config.Provider{}
	for _, name := range found(known) {
		all[name], _ = fromEnvironment(known, name) // found is what that works for
	}
	maps.Copy(all, cfg.Providers)
	return all
}

// providers makes the enabled providers: those of the file, and those whose
// keys the environment holds.
func (b *builder) providers(s *server, cfg *config.Config, reg *router.Registry, set []billing.SetPrice) ([]*gateway.Provider, error) {
	known := catalog.Load()
	all := enabledProviders(cfg, known)
	clients := make(map[string]cachedClient, len(all))
	var list []*gateway.Provider
	for _, name := range sortedKeys(all) {
		p := all[name]
		entry := lookUp(known, name, p.Kind)
		client, err := b.client(s, cfg.Fetch, name, p, entry)
		if err != nil {
			return nil, fmt.Errorf("providers.%s: %w", name, err)
		}
		secrets, err := secrets(p, entry)
		if err != nil {
			return nil, fmt.Errorf("providers.%s: %w", name, err)
		}
		g := &gateway.Provider{Name: name, Kind: client.kind, BaseURL: client.base, Client: client.client, Pool: reg.Pool(name, secrets...)}
		if g.Health, err = health(reg, p, g); err != nil {
			return nil, fmt.Errorf("providers.%s: %w", name, err)
		}
		if err := describe(g, p, entry, set); err != nil {
			return nil, fmt.Errorf("providers.%s: %w", name, err)
		}
		if client.kind == "ollama" {
			client.pulled = client.pulled.refresh(client.base, p)
			g.Models = merged(g.Models, client.pulled.models)
		}
		clients[name] = client
		list = append(list, g)
	}
	b.clients = clients
	return list, nil
}

// health is how a provider is checked; nil: it is not. Its first key is used,
// whatever has become of it: a refusal proves that the provider answers.
func health(reg *router.Registry, p config.Provider, g *gateway.Provider) (*router.Health, error) {
	if p.Health == nil {
		return nil, nil
	}
	path, secret := p.HealthPath(g.Kind), ""
	if path == "" {
		return nil, fmt.Errorf("health.path is missing: for the kind %s no path is known that costs nothing", g.Kind)
	}
	if list := g.Pool.Secrets(); len(list) > 0 {
		secret = list[0].Value
	}
	policy := router.Check{Every: p.Health.Every, Timeout: p.Health.Timeout, Fails: int(p.Health.Fails), Passes: int(p.Health.Passes)}
	return reg.Health(g.Name, policy, func(ctx context.Context) error { return g.Client.Check(ctx, secret, path) }), nil
}

// lookUp is the catalogue's entry of a provider: by its name, else by its
// kind where that is a provider's own format.
func lookUp(known *catalog.Catalog, name, kind string) catalog.Provider {
	if e, ok := known.Provider(name); ok && (kind == "" || kind == e.Kind) {
		return e
	}
	if kind != "" && kind != "openai-compatible" {
		if e, ok := known.Provider(kind); ok {
			return e
		}
	}
	return catalog.Provider{Name: name}
}

// found are the providers that are on without being declared: all that they
// need is in the environment, or an Ollama answers where it listens by default.
func found(known *catalog.Catalog) []string {
	var names []string
	for _, entry := range known.Providers() {
		if p, ok := fromEnvironment(known, entry.Name); ok {
			if list, err := secrets(p, entry); err == nil && len(list) > 0 {
				names = append(names, entry.Name)
			}
		}
	}
	if conn, err := net.DialTimeout("tcp", ollamaAddress, 50*time.Millisecond); err == nil {
		conn.Close()
		names = append(names, "ollama")
	}
	return names
}

// fromEnvironment is a provider as the environment alone describes it; false:
// it says too little, or what it says cannot be used. Variables of the clouds
// are set for other programs too, so that is no fault.
func fromEnvironment(known *catalog.Catalog, name string) (config.Provider, bool) {
	entry, _ := known.Provider(name)
	p := config.DefaultProvider()
	p.Kind = entry.Kind
	if err := p.Environment(os.Getenv); err != nil {
		return p, false
	}
	switch p.Kind {
	case "bedrock":
		return p, p.Region != ""
	case "vertex":
		return p, os.Getenv("GOOGLE_CLOUD_PROJECT") != "" && auth.CheckGoogle(p.Credentials.Reveal()) == nil
	}
	return p, p.BaseURL != "" || entry.BaseURL != ""
}

// secrets are a provider's keys: the declared ones, else the environment's.
func secrets(p config.Provider, entry catalog.Provider) ([]*router.Secret, error) {
	switch {
	case p.Credentials != "":
		return []*router.Secret{router.NewSecret(p.Credentials.Reveal(), "credentials", 1, nil)}, nil
	case p.ClientSecret != "":
		return []*router.Secret{router.NewSecret(p.ClientSecret.Reveal(), "client_secret", 1, nil)}, nil
	case len(p.Keys) > 0:
		return declaredSecrets(p)
	case p.Kind == "bedrock":
		return awsEnvironment()
	}
	for _, env := range entry.KeyEnv {
		if v := os.Getenv(env); v != "" {
			return []*router.Secret{router.NewSecret(v, env, 1, nil)}, nil
		}
	}
	return nil, nil
}

func declaredSecrets(p config.Provider) ([]*router.Secret, error) {
	var list []*router.Secret
	for i, k := range p.Keys {
		if k.Weight == 0 {
			continue
		}
		value, err := secretValue(k)
		if err != nil {
			return nil, err
		}
		label := ""
		switch {
		case k.ID != "":
			label = "…" + k.ID[max(0, len(k.ID)-4):]
		case p.Kind == "vertex":
			label = "keys[" + strconv.Itoa(i) + "]" // the end of a file tells nothing
		}
		list = append(list, router.NewSecret(value, label, int(k.Weight), k.Models))
	}
	return list, nil
}

// secretValue is a declared key as the one text that a pool keeps.
func secretValue(k config.ProviderKey) (string, error) {
	if k.ID == "" {
		return k.Value.Reveal(), nil
	}
	return awsSecret(auth.AWSKeys{ID: k.ID, Secret: k.Secret.Reveal(), Token: k.Token.Reveal()})
}

// awsEnvironment is the key of AWS's own variables. A Bedrock API key counts
// before an access key, as with AWS's SDKs.
func awsEnvironment() ([]*router.Secret, error) {
	keys, label := auth.AWSKeys{APIKey: os.Getenv("AWS_BEARER_TOKEN_BEDROCK")}, "AWS_BEARER_TOKEN_BEDROCK"
	if keys.IsZero() {
		keys, label = auth.AWSKeys{ID: os.Getenv("AWS_ACCESS_KEY_ID"), Secret: os.Getenv("AWS_SECRET_ACCESS_KEY"),
			Token: os.Getenv("AWS_SESSION_TOKEN")}, "AWS_ACCESS_KEY_ID"
		if keys.ID == "" || keys.Secret == "" {
			return nil, nil
		}
	}
	value, err := awsSecret(keys)
	if err != nil {
		return nil, err
	}
	return []*router.Secret{router.NewSecret(value, label, 1, nil)}, nil
}

// awsSecret is AWS keys as the one text that a pool keeps.
func awsSecret(keys auth.AWSKeys) (string, error) {
	b, err := json.Marshal(keys)
	if err != nil {
		return "", fmt.Errorf("cannot keep AWS keys: %w", err)
	}
	return string(b), nil
}
