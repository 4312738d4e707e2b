package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

const besides = `models: {one: up/small}
prompts: {dir: prompts}
routes:
  - name: beside
    match: {path: /beside}
    backend: {http: {discover: {file: targets.yaml}}}
    validate: {request: schema.json}
`

// What is read of the very file that runs is no change, however its path was
// given: paths of files beside it are one and the same.
func TestNothingDiffersFromTheFileOfARelativePath(t *testing.T) {
	for name, args := range map[string][]string{"relative": {"serve", "-c", "sluice.yaml"}, "none": {"serve"}} {
		for lead, text := range map[string]string{"file": "", "store": led} {
			t.Run(name+" led by "+lead, func(t *testing.T) {
				g := newGateway(t, "")
				g.configure(head + text + providers + team + besides)
				for file, text := range map[string]string{"targets.yaml": "[{url: http://127.0.0.1:9}]", "schema.json": "{}", "prompts/say.prompt": "---\nmodel: mock/echo\n---\nhi\n"} {
					path := filepath.Join(g.dir, file)
					if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				g.args = append(args, "--data", filepath.Join(g.dir, "data"))
				g.start()
				for _, path := range []string{"sluice.yaml", g.file()} {
					if out, errs, code := g.sluice("diff", "-c", path, "--admin", "http://"+g.admin); code != 0 {
						t.Errorf("diff -c %s: %d %s%s", path, code, out, errs)
					}
				}
				if a := g.api("POST", "config/diff", g.api("GET", "config", "").body); a.status != 200 || len(a.get("changes").Array()) != 0 {
					t.Errorf("what GET gave: %d %s", a.status, a.body)
				}
			})
		}
	}
}
