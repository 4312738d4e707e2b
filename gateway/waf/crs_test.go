package waf

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"iter"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza-coreruleset/v4/tests"
	"go.yaml.in/yaml/v3"
)

// regression is a file of the Core Rule Set's own tests, in the form of go-ftw,
// as the module of the rules has them (Apache-2.0).
type regression struct {
	RuleID int `yaml:"rule_id"`
	Tests  []struct {
		ID     int `yaml:"test_id"`
		Stages []struct {
			Input struct {
				Method  string            `yaml:"method"`
				URI     string            `yaml:"uri"`
				Version string            `yaml:"version"`
				Headers map[string]string `yaml:"headers"`
				Data    string            `yaml:"data"`
				Encoded string            `yaml:"encoded_request"`
			} `yaml:"input"`
			Output struct {
				Log struct {
					Expect []int `yaml:"expect_ids"`
				} `yaml:"log"`
			} `yaml:"output"`
		} `yaml:"stages"`
	} `yaml:"tests"`
}

func pairs(headers map[string]string) iter.Seq2[string, string] { return maps.All(headers) }

// levels are the paranoia levels of the rules in a file of the set.
func levels(t *testing.T, name string) map[int]int {
	t.Helper()
	text, err := fs.ReadFile(coreruleset.FS, "@owasp_crs/"+name+".conf")
	if err != nil {
		t.Fatal(err)
	}
	levels, id := map[int]int{}, 0
	for line := range strings.Lines(string(text)) {
		if m := regexp.MustCompile(`id:(\d{6}),`).FindStringSubmatch(line); m != nil {
			id, _ = strconv.Atoi(m[1])
		}
		if m := regexp.MustCompile(`paranoia-level/(\d)`).FindStringSubmatch(line); m != nil {
			levels[id], _ = strconv.Atoi(m[1])
		}
	}
	return levels
}

// What the set's own tests for XSS and SQL injection send is found.
func TestRegressionsOfTheRuleSet(t *testing.T) {
	for _, family := range []string{"REQUEST-941-APPLICATION-ATTACK-XSS", "REQUEST-942-APPLICATION-ATTACK-SQLI"} {
		levels := levels(t, family)
		files, err := fs.ReadDir(tests.FS, family)
		if err != nil {
			t.Fatal(err)
		}
		for paranoia := 1; paranoia <= 2; paranoia++ {
			rules, err := New(Options{Paranoia: paranoia})
			if err != nil {
				t.Fatal(err)
			}
			sent, refused, named, asJSON, inJSON := 0, 0, 0, 0, 0
			for _, f := range files {
				text, err := fs.ReadFile(tests.FS, path.Join(family, f.Name()))
				if err != nil {
					t.Fatal(err)
				}
				var r regression
				if err := yaml.Unmarshal(text, &r); err != nil {
					t.Fatalf("%s: %v", f.Name(), err)
				}
				for _, test := range r.Tests {
					for _, stage := range test.Stages {
						want := stage.Output.Log.Expect
						if len(want) == 0 || levels[want[0]] > paranoia || levels[want[0]] == 0 {
							continue
						}
						in := stage.Input
						if in.Encoded != "" {
							if _, err := base64.StdEncoding.DecodeString(in.Encoded); err != nil {
								t.Fatal(err)
							}
							continue // a whole request, for parsers of HTTP
						}
						if in.Headers == nil {
							in.Headers = map[string]string{}
						}
						if in.Data != "" && in.Headers["Content-Type"] == "" {
							in.Headers["Content-Type"] = "application/x-www-form-urlencoded"
						}
						in.Headers["Content-Length"] = strconv.Itoa(len(in.Data))
						if in.Method == "" {
							in.Method = "GET"
						}
						got, err := rules.Check(&Request{IP: "127.0.0.1", Method: in.Method, URI: in.URI, Protocol: "HTTP/1.1", Headers: pairs(in.Headers), Body: []byte(in.Data)})
						if err != nil {
							t.Fatal(err)
						}
						if values, err := url.ParseQuery(in.Data); err == nil && in.Data != "" && in.Headers["Content-Type"] == "application/x-www-form-urlencoded" {
							body, err := json.Marshal(values)
							if err != nil {
								t.Fatal(err)
							}
							in.Headers["Content-Type"], in.Headers["Content-Length"] = "application/json", strconv.Itoa(len(body))
							got, err := rules.Check(&Request{IP: "127.0.0.1", Method: in.Method, URI: in.URI, Protocol: "HTTP/1.1", Headers: pairs(in.Headers), Body: body})
							if err != nil {
								t.Fatal(err)
							}
							if asJSON++; got.Attack {
								inJSON++
							}
						}
						sent++
						if got.Attack {
							refused++
						} else {
							t.Logf("paranoia %d: %s, test %d passes with score %d", paranoia, f.Name(), test.ID, got.Score)
						}
						if slices.ContainsFunc(got.Rules, func(r Rule) bool { return r.ID == want[0] }) {
							named++
						}
					}
				}
			}
			t.Logf("%s at paranoia %d: %d of %d refused, %d by the rule that is tested", family, paranoia, refused, sent, named)
			t.Logf("and of %d sent as JSON %d", asJSON, inJSON)
			if inJSON*100 < asJSON*95 {
				t.Errorf("%s at paranoia %d: only %d of %d are found in JSON", family, paranoia, inJSON, asJSON)
			}
			if sent < 100 || refused*100 < sent*95 {
				t.Errorf("%s at paranoia %d: only %d of %d are found", family, paranoia, refused, sent)
			}
		}
	}
}
