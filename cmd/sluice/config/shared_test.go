package config

import (
	"strings"
	"testing"
)

// Where Redis is may hold a password, which is never shown.
func TestShared(t *testing.T) {
	c := load(t, "shared: rediss://ann:hunter2@cache.internal:6380/3\n")
	if c.Shared.Reveal() != "rediss://ann:hunter2@cache.internal:6380/3" || strings.Contains(c.String(), "hunter2") {
		t.Errorf("%s, shown as %s", c.Shared.Reveal(), c.String())
	}
	if load(t, "shared: \n").Shared != "" {
		t.Error("no value is one")
	}
	for text, want := range map[string]string{
		"shared: http://hunter2":           "shared: want redis://",
		"shared: redis://h/hunter2":        "shared: want redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS: the database is no number",
		"shared: redis://:hunter2@h?db=1":  "shared: want redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS: it takes no options",
		"shared: memcached://u:hunter2@h":  "shared: want memcached://HOST[:PORT]: it takes no user or password",
		"shared: [redis://:hunter2@host]":  "shared: want ",
		"shared: {url: redis://:hunter2@}": "shared: want ",
	} {
		_, err := Load(write(t, text+"\n"), nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), ":1: ") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
