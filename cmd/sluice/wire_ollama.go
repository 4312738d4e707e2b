package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"sluice/cmd/sluice/config"
)

// Asking an Ollama for its models must not hold a reload up.
const (
	pulledWait = time.Second
	pulledAge  = 10 * time.Second // no answer is asked for again within
	pulledSize = 4 << 20
)

// pulled is the models that an Ollama has, when it was asked.
type pulled struct {
	models []string
	asked  time.Time
}

// refresh asks again if the answer is old. An Ollama that does not answer has
// the models that it had: a list is a help, no model needs to be in it.
func (l pulled) refresh(base string, p config.Provider) pulled {
	if time.Since(l.asked) < pulledAge {
		return l
	}
	l.asked = time.Now()
	if models, err := ollamaModels(base, p); err == nil {
		l.models = models
	}
	return l
}

// ollamaModels lists the models that an Ollama has: GET /api/tags
// (docs.ollama.com/api/tags, read 2026-11-24).
func ollamaModels(base string, p config.Provider) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), pulledWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/tags", nil)
	if err != nil {
		return nil, fmt.Errorf("cannot list the models of an Ollama: %w", err)
	}
	for _, h := range headers(p) {
		req.Header.Set(h.Name, h.Value)
	}
	if len(p.Keys) > 0 {
		req.Header.Set("Authorization", "Bearer "+p.Keys[0].Value.Reveal())
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot list the models of an Ollama: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("cannot list the models of an Ollama: status %d", res.StatusCode)
	}
	var answer struct {
		Models []struct {
			Name  string `json:"name"`
			Model string `json:"model"`
		} `json:"models"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, pulledSize)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("cannot list the models of an Ollama: %w", err)
	}
	var names []string
	for _, m := range answer.Models {
		if m.Name != "" {
			names = append(names, m.Name)
		} else if m.Model != "" {
			names = append(names, m.Model)
		}
	}
	return names, nil
}

// merged is the names of both lists, each once, in order.
func merged(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
