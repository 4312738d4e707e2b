package config

import (
	"strings"
	"testing"
	"time"
)

func TestShadows(t *testing.T) {
	const models = "models: {b: mock/echo, a: {targets: [{model: mock/echo}], shadow: "
	c, err := Load(write(t, models+"{model: b, share: 0.1}}}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := c.Models["a"].Shadow; s == nil || *s != (Shadow{Model: "b", Share: 0.1, Timeout: 2 * time.Minute}) {
		t.Errorf("%+v", s)
	}
	for text, want := range map[string]string{
		"{share: 1}":                        "models.a.shadow.model: is needed",
		"{model: c, share: 1}":              `models.a.shadow.model: there is no model "c"`,
		"{model: nobody/m, share: 1}":       `models.a.shadow.model: there is no provider "nobody"`,
		"{model: a, share: 1}":              "models.a.shadow.model: a model cannot be its own shadow",
		"{model: b}":                        "models.a.shadow.share: want a share",
		"{model: b, share: 1.1}":            "models.a.shadow.share: want a share",
		"{model: b, share: -0.1}":           "models.a.shadow.share: want a number",
		"{model: b, share: 10%}":            "models.a.shadow.share",
		"{model: b, share: 1, timeout: 0s}": "models.a.shadow.timeout: want more than nothing",
		"{model: b, share: 1, to: x}":       `unknown key "to"`,
		"b":                                 "models.a.shadow: want a mapping of model, share, timeout",
		"{model: b, share: nan}":            "models.a.shadow.share",
	} {
		_, err := Load(write(t, models+text+"}}"), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
