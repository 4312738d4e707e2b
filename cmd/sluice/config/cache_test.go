package config

import (
	"strings"
	"testing"
	"time"
)

func TestCaches(t *testing.T) {
	c, err := Load(write(t, "models: {a: {targets: [{model: mock/echo}], cache: {ttl: 10m}}, b: {targets: [{model: mock/echo}], cache: {ttl: 1h, scope: all, price: 12.5%, semantic: {model: mock/embed}}}}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := c.Models["a"].Cache; a == nil || a.TTL != 10*time.Minute || a.Scope != "team" || a.Semantic != nil {
		t.Errorf("%+v", a)
	}
	if b := c.Models["b"].Cache; b == nil || b.Scope != "all" || b.Price != 125_000 || b.Semantic == nil || b.Semantic.Threshold != 0.95 || b.Semantic.Model != "mock/embed" {
		t.Errorf("%+v", b)
	}
	for text, want := range map[string]string{
		"{}":                     "models.a.cache.ttl: is needed",
		"{ttl: 0s}":              "models.a.cache.ttl",
		"{ttl: 10}":              "models.a.cache.ttl",
		"{ttl: 1m, scope: user}": "models.a.cache.scope: want one of key, team, all",
		"{ttl: 1m, semantic: {model: mock/embed, threshold: 1.5}}": "models.a.cache.semantic.threshold",
		"{ttl: 1m, semantic: {model: mock/embed, threshold: 0}}":   "models.a.cache.semantic.threshold",
		"{ttl: 1m, semantic: {threshold: 0.9}}":                    "models.a.cache.semantic.model: is needed",
		"{ttl: 1m, semantic: {model: nobody/embed}}":               "models.a.cache.semantic.model: there is no provider",
		"{ttl: 1m, price: 101%}":                                   "models.a.cache.price: want at most 100%",
		"{ttl: 1m, price: 0.5}":                                    "models.a.cache.price: want a percentage such as 12.5%",
		"{ttl: 1m, price: -5%}":                                    "models.a.cache.price: want a percentage",
		"{ttl: 1m, tag: x}":                                        "unknown key \"tag\"",
		"true":                                                     "models.a.cache: want a mapping",
	} {
		_, err := Load(write(t, "models: {a: {targets: [{model: mock/echo}], cache: "+text+"}}"), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
