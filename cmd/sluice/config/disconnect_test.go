package config

import (
	"strings"
	"testing"
	"time"
)

func TestOnDisconnect(t *testing.T) {
	c, err := Load(write(t, `
billing: {on_disconnect: {tokens: 500, time: 10s}}
models: {m: {targets: [{model: mock/echo}], on_disconnect: {time: 1m}}, plain: mock/echo}
teams: {a: {on_disconnect: drain}, b: {on_disconnect: abort}, c: {}}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]struct {
		is   *OnDisconnect
		want OnDisconnect
	}{
		"billing": {c.Billing.OnDisconnect, OnDisconnect{"", 500, 10 * time.Second}},
		"model":   {c.Models["m"].OnDisconnect, OnDisconnect{"", 0, time.Minute}},
		"a":       {c.Teams["a"].OnDisconnect, OnDisconnect{Policy: "drain"}},
		"b":       {c.Teams["b"].OnDisconnect, OnDisconnect{Policy: "abort"}},
	} {
		if got.is == nil || *got.is != got.want {
			t.Errorf("%s: %+v, want %+v", name, got.is, got.want)
		}
	}
	if c.Teams["c"].OnDisconnect != nil || c.Models["plain"].OnDisconnect != nil {
		t.Error("what is not given is not nil")
	}
	for text, want := range map[string]string{
		"billing: {on_disconnect: {}}":                                   "billing.on_disconnect: want abort, drain, or a mapping",
		"billing: {on_disconnect: later}":                                "billing.on_disconnect: want one of abort, drain",
		"billing: {on_disconnect: {policy: abort, tokens: 5}}":           "abort takes no bound",
		"billing: {on_disconnect: {policy: later}}":                      "want one of abort, drain",
		"billing: {on_disconnect: {tokens: -1}}":                         "billing.on_disconnect.tokens",
		"teams: {a: {on_disconnect: never}}":                             "teams.a.on_disconnect: want one of",
		"models: {m: {targets: [{model: mock/echo}], on_disconnect: 5}}": "models.m.on_disconnect: want one of",
	} {
		_, err := Load(write(t, text+"\n"), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
