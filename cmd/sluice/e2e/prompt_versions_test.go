package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

const feeling = `---
model: mock/echo
input: {schema: {text: string}}
output: {format: json, schema: {"sentiment(enum)": [positive, negative]}}
sluice.path: /feeling
---
{{text}}
`

// From an empty directory: a file that is saved is an endpoint, a change is a
// version, and a command goes back.
func TestPromptFromNothing(t *testing.T) {
	g := newGateway(t, "")
	g.args = []string{"serve"}
	g.env = []string{"SLUICE_SERVER__LISTEN=" + g.listen, "SLUICE_SERVER__ADMIN=" + g.admin}
	if err := os.Remove(g.file()); err != nil {
		t.Fatal(err)
	}
	g.start()
	key := regexp.MustCompile(`sk-sl-[0-9A-Za-z]{12}-[0-9A-Za-z]{38}`)
	if !eventually(5*time.Second, func() bool { g.key = key.FindString(g.stderr.String()); return g.key != "" }) {
		t.Fatalf("no key at the start:\n%s", g.stderr)
	}
	token, err := os.ReadFile(filepath.Join(g.dir, "data", "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	g.commandEnv = []string{"SLUICE_ADMIN_TOKEN=" + strings.TrimSpace(string(token))}

	saved := time.Now()
	g.prompt("feeling", feeling)
	g.servedBy(t, "feeling@1", `{"sentiment":"positive"}`)
	t.Logf("called %v after it was saved", time.Since(saved).Round(time.Millisecond))
	saved = time.Now()
	g.prompt("feeling", strings.Replace(feeling, "[positive, negative]", "[glad, sad]", 1))
	g.servedBy(t, "feeling@2", `{"sentiment":"glad"}`)
	t.Logf("called %v after it was changed", time.Since(saved).Round(time.Millisecond))

	if out, errs, code := g.sluice("prompt", "rollback", "feeling", "--to", "1"); code != 0 || !strings.Contains(out+errs, "version 1 now") {
		t.Fatalf("rollback: %d %s%s", code, out, errs)
	}
	if a := g.data("POST", "/feeling", `{"text":"x"}`); a.header.Get("x-sluice-prompt") != "feeling@1" || a.body != `{"sentiment":"positive"}` {
		t.Errorf("after the rollback: %v %s", a.header, a.body)
	}
	if a := g.data("POST", "/feeling@2", `{"text":"x"}`); a.body != `{"sentiment":"glad"}` {
		t.Errorf("version 2 by its path: %d %s", a.status, a.body)
	}
}

// servedBy calls /feeling with curl until a version answers.
func (g *gateway) servedBy(t *testing.T, version, body string) {
	t.Helper()
	var out []byte
	if !eventually(20*time.Second, func() bool {
		out, _ = exec.Command("curl", "-sSi", "http://"+g.listen+"/feeling", "-H", "Authorization: Bearer "+g.key, "-d", `{"text":"I love it"}`).CombinedOutput()
		return strings.Contains(strings.ToLower(string(out)), "x-sluice-prompt: "+version) && strings.HasSuffix(string(out), body)
	}) {
		t.Fatalf("%s is not served: %s", version, out)
	}
}

// versioned says its version at its beginning, in its partial and at its end.
const versioned = `---
model: mock/echo
input: {schema: {text: string}}
output: {format: text}
sluice.path: /versioned
sluice.access: public
---
vN {{> mark}} {{text}} vN`

// publishVersions publishes versions 1 and 2 of versioned.
func (g *gateway) publishVersions(t *testing.T) {
	t.Helper()
	for _, n := range []string{"1", "2"} {
		body := fmt.Sprintf(`{"source":%s,"partials":{"mark":"v%s"}}`, quote(strings.ReplaceAll(versioned, "vN", "v"+n)), n)
		if a := g.api("POST", "prompts/versioned/publish", body); a.status != 201 {
			t.Fatalf("publish: %d %s", a.status, a.body)
		}
	}
}

// A split of 90 to 10 is one, over 20,000 callers; and each stays where it is.
func TestPromptSplit(t *testing.T) {
	g := newGateway(t, team)
	g.configure(strings.Replace(head, "server: {", "server: {trusted_proxies: [127.0.0.0/8], ", 1) + team)
	g.start()
	g.publishVersions(t)
	if a := g.api("PUT", "prompts/versioned/split", `{"1":90,"2":10}`); a.status != 200 {
		t.Fatalf("split: %d %s", a.status, a.body)
	}
	const callers, workers = 20_000, 16
	var second, wrong, moved atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < callers; i += workers {
				ip := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
				version, err := g.versionOf("X-Forwarded-For", ip)
				if err != nil {
					wrong.Add(1)
					t.Log(err)
				}
				if version == 2 {
					second.Add(1)
				}
				if again, _ := g.versionOf("X-Forwarded-For", ip); i%100 == 0 && again != version {
					moved.Add(1)
				}
			}
		})
	}
	wg.Wait()
	share := 100 * float64(second.Load()) / callers
	t.Logf("of %d callers %.2f %% got version 2", callers, share)
	if share < 9.3 || share > 10.7 || wrong.Load() > 0 || moved.Load() > 0 {
		t.Errorf("%.2f %% got version 2; %d calls went wrong, %d callers went elsewhere", share, wrong.Load(), moved.Load())
	}
}

// versionOf calls /versioned and gives the version that answered, if all of the
// answer is of that version.
func (g *gateway) versionOf(header ...string) (int, error) {
	a, err := g.send("POST", "http://"+g.listen+"/versioned", `{"text":"x"}`, append([]string{"Prefer", "return=envelope"}, header...)...)
	if err != nil {
		return 0, err
	}
	n := int(a.get("version").Int())
	want := fmt.Sprintf("v%d v%d x v%[1]d", n, n)
	if a.status != 200 || a.header.Get("x-sluice-prompt") != fmt.Sprint("versioned@", n) || a.get("output").Str != want {
		return n, fmt.Errorf("%d %s: %s", a.status, a.header.Get("x-sluice-prompt"), a.body)
	}
	return n, nil
}

// While production moves to and fro, every call is of one version: its text,
// its partial, its header, its envelope, all elements of an array, its stream,
// and its line in the ledger.
func TestPromptLabelMoves(t *testing.T) {
	g := start(t, team)
	g.publishVersions(t)
	var counts [3]atomic.Int64 // what the ledger should have of each version
	var done atomic.Bool
	var wg sync.WaitGroup
	for _, way := range []struct {
		call  func() (int, error)
		lines int64
	}{{func() (int, error) { return g.versionOf() }, 1}, {g.versionOfArray, 4}, {g.versionOfStream, 1}, {g.versionOfModel, 1}} {
		wg.Go(func() {
			for !done.Load() {
				n, err := way.call()
				if err != nil || n < 1 || n > 2 {
					t.Errorf("version %d, %v", n, err)
					return
				}
				counts[n].Add(way.lines)
			}
		})
	}
	moves := 0
	few := func() bool { return moves < 200 || counts[1].Load() < 500 || counts[2].Load() < 500 }
	for i := 0; few() && i < 20_000 && !t.Failed(); i, moves = i+1, moves+1 {
		if a := g.api("PUT", "prompts/versioned/labels", fmt.Sprintf(`{"production":%d}`, i%2+1)); a.status != 200 {
			t.Errorf("label: %d %s", a.status, a.body)
			break
		}
	}
	done.Store(true)
	wg.Wait()
	t.Logf("%d moves: %d calls of version 1, %d of version 2", moves, counts[1].Load(), counts[2].Load())
	if few() {
		t.Error("too few calls were made meanwhile")
	}
	g.waitCalls(counts[1].Load() + counts[2].Load())
	rows := g.api("GET", "usage?group_by=version", "")
	for n := 1; n <= 2; n++ {
		if calls := rows.get(fmt.Sprintf("rows.#(version==%d).calls", n)).Int(); calls != counts[n].Load() {
			t.Errorf("the ledger has %d calls of version %d, %d were made", calls, n, counts[n].Load())
		}
	}
}

// versionOfArray is the version of an array's elements, if it is one.
func (g *gateway) versionOfArray() (int, error) {
	a, err := g.send("POST", "http://"+g.listen+"/versioned", `[{"text":"a"},{"text":"b"},{"text":"c"},{"text":"d"}]`)
	if err != nil {
		return 0, err
	}
	n := 1
	if a.header.Get("x-sluice-prompt") == "versioned@2" {
		n = 2
	}
	if want := strings.ReplaceAll(`["vN vN a vN","vN vN b vN","vN vN c vN","vN vN d vN"]`, "N", fmt.Sprint(n)); a.body != want {
		return 0, fmt.Errorf("%s: %d %s", a.header.Get("x-sluice-prompt"), a.status, a.body)
	}
	return n, nil
}

func (g *gateway) versionOfStream() (int, error) {
	a, err := g.send("POST", "http://"+g.listen+"/versioned?stream=1", `{"text":"x"}`)
	if err != nil {
		return 0, err
	}
	_, data := lastEvent(a.body)
	n := int(gjson.Get(data, "version").Int())
	text := ""
	for line := range strings.Lines(a.body) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			text += gjson.Get(data, "delta").Str
		}
	}
	if want := fmt.Sprintf("v%d v%d x v%[1]d", n, n); text != want || gjson.Get(data, "output").Str != want || a.header.Get("x-sluice-prompt") != fmt.Sprint("versioned@", n) {
		return 0, fmt.Errorf("%s: %s", a.header.Get("x-sluice-prompt"), a.body)
	}
	return n, nil
}

func (g *gateway) versionOfModel() (int, error) {
	a := g.chat(chatBody("prompt/versioned", "x", ""))
	text := a.get("choices.0.message.content").Str
	for n := 1; n <= 2; n++ {
		if text == fmt.Sprintf("v%d v%d x v%[1]d", n, n) && a.header.Get("x-sluice-prompt") == fmt.Sprint("versioned@", n) {
			return n, nil
		}
	}
	return 0, errors.New(a.header.Get("x-sluice-prompt") + ": " + a.body)
}
