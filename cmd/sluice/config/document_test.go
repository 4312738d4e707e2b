package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func testMask(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:8])
}

const written = `# key of the lab: sk-comment-1
admin: {token: "adm-literal-2", tokens: [{value: "${V}", role: viewer}]}
billing: {webhook: "http://127.0.0.1:1/x?token=pw-literal-4"}
providers:
  openai: {keys: ["${OPENAI_API_KEY}", sk-literal-3]}
  lab: {kind: openai-compatible, base_url: "http://127.0.0.1:1/v1", headers: {x-team: head-literal-5, authorization: "Bearer ${V}"}}
  fall: {kind: openai-compatible, base_url: "http://127.0.0.1:1/v1", keys: ["${NONE:-sk-default-6}"]}
models:
  fast: {targets: [{model: openai/gpt-4o-mini, weight: 3}]} # fast enough
  slow: openai/gpt-4o
teams:
  t: {limits: &l {rpm: 60}, budget: {usd: 0.10, per: day}, keys: [{name: k, value: key-literal-7}]}
  u: {limits: *l}
routes:
  - {name: r, match: {path: /r}, backend: {static: {status: 200, headers: {x-api-key: static-literal-8}}}}
`

var testEnviron = []string{"V=from-env-9", "OPENAI_API_KEY=from-env-10"}

func document(t *testing.T, src string) *Document {
	t.Helper()
	d, err := ReadDocument("sluice.yaml", []byte(src), testMask)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func text(t *testing.T, src []byte, kept map[string]string) *Config {
	t.Helper()
	c, err := LoadText(Text{Name: "sent", Dir: t.TempDir(), YAML: src, Store: "sqlite:./data/sluice.db", Kept: func(name string) (string, bool) {
		secret, ok := kept[name]
		return secret, ok
	}}, testEnviron)
	if err != nil {
		t.Fatalf("%v\nof\n%s", err, src)
	}
	return c
}

// What is shown holds references and no secret, and read again it is the same
// configuration.
func TestDocument(t *testing.T) {
	d := document(t, written)
	yaml, err := d.YAML()
	if err != nil {
		t.Fatal(err)
	}
	first := text(t, []byte(written), nil)
	for form, shown := range map[string][]byte{"yaml": yaml, "json": d.JSON()} {
		for _, secret := range []string{"comment", "literal", "sk-default", "from-env"} {
			if bytes.Contains(shown, []byte(secret)) {
				t.Errorf("%s shows %q:\n%s", form, secret, shown)
			}
		}
		for _, part := range []string{"${V}", "${OPENAI_API_KEY}", "Bearer ${V}", "${kept:", "gpt-4o-mini"} {
			if !bytes.Contains(shown, []byte(part)) {
				t.Errorf("%s does not show %q:\n%s", form, part, shown)
			}
		}
		again := text(t, shown, d.Kept())
		if changes := Diff(first, again, testMask); len(changes) > 0 {
			t.Errorf("%s read again differs: %+v", form, changes)
		}
		if first.String() != again.String() || again.Teams["t"].Keys[0].Value.Reveal() != "key-literal-7" ||
			again.Providers["fall"].Keys[0].Value.Reveal() != "sk-default-6" || again.Teams["u"].Limits.RPM != 60 {
			t.Errorf("%s read again is another configuration:\n%v", form, again)
		}
		second := document(t, string(shown))
		if second.Digest() != d.Digest() || len(second.Kept()) != 0 {
			t.Errorf("%s: the digest of what is shown is another, or %d secrets were found in it", form, len(second.Kept()))
		}
	}
	effective, err := first.Effective(testMask)
	for _, part := range []string{"literal", "from-env", "sk-default"} {
		if err != nil || bytes.Contains(effective, []byte(part)) {
			t.Errorf("what is effective shows %q: %v\n%s", part, err, effective)
		}
	}
	var shown struct {
		Teams map[string]struct{ Limits struct{ RPM int } }
	}
	if err := json.Unmarshal(effective, &shown); err != nil || shown.Teams["u"].Limits.RPM != 60 {
		t.Errorf("what is effective is another configuration: %v\n%s", err, effective)
	}
	if d.Digest() == document(t, strings.Replace(written, "key-literal-7", "key-literal-x", 1)).Digest() {
		t.Error("another secret has the same digest")
	}
}

func TestDocumentForms(t *testing.T) {
	tabs := "{\n\t\"teams\":\t{\"t\\ud83d\\ude00\": {\"limits\": {\"rpm\": 5}}}\n}"
	if d := document(t, tabs); !bytes.Contains(d.JSON(), []byte("t😀")) {
		t.Errorf("JSON: %s", d.JSON())
	}
	if d := document(t, ""); string(d.JSON()) != "{}" {
		t.Errorf("nothing: %s", d.JSON())
	}
	for src, want := range map[string]string{"[1]": "want a mapping", "a: {": "cannot read YAML", "a: 1\na: 2": "given on line 1 already"} {
		if _, err := ReadDocument("sent", []byte(src), testMask); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", src, err)
		}
	}
	if d := document(t, "server: {tls: {cert: a.pem, key: a.key}}"); len(d.Kept()) != 0 {
		t.Errorf("the name of a file is a secret: %s", d.JSON())
	}
}

func TestDiff(t *testing.T) {
	base := text(t, []byte(written), nil)
	for name, c := range map[string]struct {
		old, new string
		want     []string // op object path
	}{
		"nothing":       {"", "", nil},
		"another style": {"slow: openai/gpt-4o", "slow: {targets: [{model: openai/gpt-4o, weight: 1}], balance: ordered}", nil},
		"a default":     {"per: day}", "per: day, hard: true}", nil},
		"a comment":     {"# fast enough", "", nil},
		"a limit":       {"rpm: 60", "rpm: 70", []string{"update teams/t limits.rpm 60 70", "update teams/u limits.rpm 60 70"}},
		"a weight":      {"weight: 3", "weight: 4", []string{"update models/fast targets[0].weight 3 4"}},
		"a new model":   {"  slow:", "  new: fast\n  slow:", []string{`create models/new targets[0].model null "fast"`}},
		"one less":      {"  slow: openai/gpt-4o\n", "", []string{`delete models/slow targets[0].model "openai/gpt-4o" null`}},
		"a reference":   {`"${OPENAI_API_KEY}"`, `"${V}"`, []string{`update providers/openai keys[0].value "${OPENAI_API_KEY}" "${V}"`}},
		"a key before":  {"keys: [{name: k,", "keys: [{name: j, value: jjj}, {name: k,", []string{`update teams/t keys[j].value null "${kept:` + testMask("jjj") + `}"`}},
		"a secret": {"key-literal-7", "other", []string{`update teams/t keys[k].value "${kept:` + testMask("key-literal-7") + `}" "${kept:` +
			testMask("other") + `}"`}},
		"a section": {"teams:", "fetch: {max: 1MiB}\nteams:", []string{"update fetch max 20971520 1048576"}},
		"the order": {"routes:\n", "routes:\n  - {name: q, match: {path: /q}, backend: {static: {status: 200}}}\n", []string{`create routes/q name null "q"`}},
	} {
		changed := text(t, []byte(strings.Replace(written, c.old, c.new, 1)), nil)
		changes := Diff(base, changed, testMask)
		var lines []string
		for _, ch := range changes {
			for _, f := range ch.Fields {
				lines = append(lines, ch.Op+" "+ch.Object+" "+f.Path+" "+Shown(f.From)+" "+Shown(f.To))
			}
		}
		for _, want := range c.want {
			if !slices.Contains(lines, want) {
				t.Errorf("%s: no %q in\n%s", name, want, strings.Join(lines, "\n"))
			}
		}
		if len(c.want) == 0 && len(changes) > 0 {
			t.Errorf("%s: %+v", name, changes)
		}
		if b, err := json.Marshal(changes); err != nil || bytes.Contains(b, []byte("literal")) || bytes.Contains(b, []byte("from-env")) {
			t.Errorf("%s shows a secret: %s %v", name, b, err)
		}
		if back := Diff(changed, changed, testMask); len(back) > 0 {
			t.Errorf("%s: a second diff has %+v", name, back)
		}
	}
}

func TestDiffOrder(t *testing.T) {
	one := "routes:\n  - {name: a, match: {path: /x}, backend: {static: {status: 200}}}\n"
	two := "  - {name: b, match: {path: /x}, backend: {static: {status: 200}}}\n"
	a := text(t, []byte(one+two), nil)
	b := text(t, []byte("routes:\n"+two+strings.TrimPrefix(one, "routes:\n")), nil)
	if changes := Diff(a, b, testMask); len(changes) != 1 || changes[0].Object != "routes" {
		t.Errorf("%+v", changes)
	}
}

func TestTextKeepsTheLeader(t *testing.T) {
	for src, want := range map[string]string{"teams: {}\nconfig: {lead: file}": "sent:2: config.lead", "store: sqlite:./other.db": "sent:1: store",
		"teams: {t: {keys: [{name: k, value: \"${kept:none}\"}]}}": "is not kept here"} {
		_, err := LoadText(Text{Name: "sent", Dir: ".", YAML: []byte(src), Store: "sqlite:./data/sluice.db"}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", src, err)
		}
	}
}

func TestReadLeader(t *testing.T) {
	at := write(t, "config: {lead: store, keep: 7}\nnonsense: ${NOT_THERE}\nmodels: {a: nowhere}\n")
	l, err := ReadLeader(at, []string{"SLUICE_STORE=sqlite:/tmp/x.db"})
	if err != nil || l.Lead.Lead != "store" || l.Lead.Keep != 7 || l.Store != "sqlite:/tmp/x.db" {
		t.Errorf("%+v, %v", l, err)
	}
	if l, err := ReadLeader("", nil); err != nil || l.Lead.Lead != "file" {
		t.Errorf("%+v, %v", l, err)
	}
	for _, src := range []string{"config: {lead: both}", "config: {lead: \"${NOT_THERE}\"}"} {
		if _, err := ReadLeader(write(t, src), nil); err == nil {
			t.Errorf("%q is taken", src)
		}
	}
}

// A document read again says the same, whatever was written.
func FuzzDocument(f *testing.F) {
	f.Add(written)
	f.Add("a: &x [1, on, 0x10, null, .5, \"é\"]\nb: *x")
	f.Add("{\"a\": {\"<<\": 1}}")
	f.Fuzz(func(t *testing.T, src string) {
		d, err := ReadDocument("f", []byte(src), testMask)
		if err != nil {
			return
		}
		again, err := ReadDocument("f", d.JSON(), testMask)
		if err != nil || again.Digest() != d.Digest() {
			t.Fatalf("JSON read again: %v\n%s", err, d.JSON())
		}
	})
}
