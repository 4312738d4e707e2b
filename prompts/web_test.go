package prompts

import (
	"strings"
	"testing"
)

func TestWebSettings(t *testing.T) {
	for text, want := range map[string]string{
		`cors: {origins: [https://a.test/x]}`:                           `"https://a.test/x" is no origin`,
		`cors: {origins: 1}`:                                            "origins must be a list",
		`cors: {methods: [GET]}`:                                        `unknown key "methods"`,
		`cors: []`:                                                      "must be a mapping",
		`cors: {origins: ["*", "http://localhost:3000"]}`:               "",
		`versions: {"0": {}}`:                                           `"0" is no version`,
		`versions: {"1": 2027-01-01}`:                                   "version 1 must be a mapping",
		`versions: {"1": {sunset: soon}}`:                               "1.sunset must be a date",
		`versions: {"1": {link: x}}`:                                    "1.link must be a URL",
		`versions: {"1": {until: 2027-01-01}}`:                          `unknown key "1.until"`,
		`versions: {"*": {deprecated: 2027-01-01, sunset: 2026-01-01}}`: "*.sunset is before",
		`versions: {"*": {deprecated: 2026-01-01, sunset: "2027-01-01T10:00:00Z"}}`: "",
	} {
		_, faults := Parse("p", []byte("---\nmodel: m/x\nsluice."+text+"\n---\nx"), ParseOptions{File: "p.prompt"})
		if want == "" && len(faults) > 0 || want != "" && !strings.Contains(faults.Error(), want) {
			t.Errorf("%s: %v, want %q", text, faults, want)
		}
	}
}
