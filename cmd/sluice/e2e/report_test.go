package e2e

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// The report in every form, through the admin API and from the data itself.
func TestReport(t *testing.T) {
	g := start(t, providers+team)
	for range 3 {
		if a := g.chat(chatBody("up/in-10_out-100", "hi", "")); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	for range 2 {
		if a := g.chat(chatBody("ant/in-1000_out-10", "hi", "")); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	g.waitCalls(5)
	// 3 × (10 × $1 + 100 × $2 a million) and 2 × (1000 × $1 + 10 × $2).
	want := map[string]string{"up/in-10_out-100": "0.00063", "ant/in-1000_out-10": "0.00204"}
	check := func(form, out string, rows []gjson.Result) {
		t.Helper()
		if len(rows) != 2 {
			t.Errorf("%s: %d rows in %s", form, len(rows), out)
		}
		for _, r := range rows {
			if usd := r.Get("usd").String(); trimZeros(usd) != want[r.Get("model").String()] || r.Get("team").String() != "t" {
				t.Errorf("%s: %s", form, r.Raw)
			}
		}
	}
	run := func(args ...string) string {
		t.Helper()
		out, stderr, code := g.sluice(append([]string{"report"}, args...)...)
		if code != 0 {
			t.Errorf("report %v: exit code %d: %s", args, code, stderr)
		}
		return out
	}
	out := run("--by", "team,model", "--format", "json")
	check("json", out, gjson.Get(out, "rows").Array())
	if total := gjson.Get(out, "total.usd").String(); trimZeros(total) != "0.00267" {
		t.Errorf("total is %s", total)
	}
	out = run("--by", "team,model", "--format", "jsonl")
	var rows []gjson.Result
	for line := range strings.Lines(out) {
		if r := gjson.Parse(line); r.Get("model").Exists() {
			rows = append(rows, r)
		}
	}
	check("jsonl", out, rows)
	out = run("--by", "team,model", "--format", "csv")
	check("csv", out, csvRows(t, out))
	if out = run("--by", "team,model"); !strings.Contains(out, "up/in-10_out-100") || !strings.Contains(out, "0.00063") {
		t.Errorf("table:\n%s", out)
	}
	run("--verify")
	if _, _, code := g.sluice("report", "--format", "nonsense"); code != 2 {
		t.Errorf("a format that does not exist: exit code %d", code)
	}
	if code := g.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	data := filepath.Join(g.dir, "data")
	out = run("--data", data, "--by", "team,model", "--format", "json", "-c", g.file())
	check("data", out, gjson.Get(out, "rows").Array())
	run("--data", data, "--verify", "-c", g.file())
}

func csvRows(t *testing.T, out string) (rows []gjson.Result) {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(lines) == 0 {
		t.Errorf("csv: %v in %s", err, out)
		return nil
	}
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		if b, err := json.Marshal(row); err == nil && row["model"] != "" {
			rows = append(rows, gjson.ParseBytes(b))
		}
	}
	return rows
}

// trimZeros takes away the zeros that end a decimal fraction.
func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// Keys made at the command line work at once and end at once.
func TestKeys(t *testing.T) {
	g := start(t, providers+team)
	out, stderr, code := g.sluice("key", "create", "--team", "t", "--name", "made", "--json")
	key := gjson.Get(out, "key").String()
	if code != 0 || !strings.HasPrefix(key, "sk-sl-") {
		t.Fatalf("key create: %d %s%s", code, out, stderr)
	}
	auth := []string{"Authorization", "Bearer " + key}
	if a := g.chat(chatBody("up/small", "hi", ""), auth...); a.status != 200 {
		t.Errorf("the new key: %d %s", a.status, a.body)
	}
	if out, _, code := g.sluice("key", "list", "--json"); code != 0 || strings.Contains(out, key) || !strings.Contains(out, "made") {
		t.Errorf("key list: %d %s", code, out)
	}
	if out, stderr, code := g.sluice("key", "delete", gjson.Get(out, "id").String()); code != 0 {
		t.Errorf("key delete: %d %s%s", code, out, stderr)
	}
	if a := g.chat(chatBody("up/small", "hi", ""), auth...); a.status != 401 {
		t.Errorf("a deleted key: %d %s", a.status, a.body)
	}
}

// A budget is given, shown and taken by the name of its team or key.
func TestBudgetsAtTheCommandLine(t *testing.T) {
	g := start(t, providers+team)
	run := func(want int, args ...string) string {
		t.Helper()
		out, stderr, code := g.sluice(args...)
		if code != want {
			t.Errorf("%v: %d %s%s", args, code, out, stderr)
		}
		return out
	}
	run(0, "team", "create", "made")
	run(0, "key", "create", "--team", "made", "--name", "ci")
	run(2, "budget", "create", "made")
	run(0, "budget", "create", "made", "--budget", "5")
	run(0, "budget", "create", "made", "--budget-requests", "100", "--per", "day", "--hard=false")
	run(0, "budget", "create", "made/ci", "--budget", "1", "--per", "day")
	run(1, "budget", "create", "made", "--budget", "6") // counts the same
	if out := run(0, "budget", "show", "made", "--json"); gjson.Get(out, "#").Int() != 2 || gjson.Get(out, "#(usd==5).per").String() != "month" || gjson.Get(out, "#(requests==100).hard").Bool() {
		t.Errorf("the team's: %s", out)
	}
	if out := run(0, "budget", "show", "made/ci", "--json"); gjson.Get(out, "#").Int() != 1 || gjson.Get(out, "0.usd").String() != "1" {
		t.Errorf("the key's: %s", out)
	}
	run(2, "budget", "delete", "made")
	run(2, "budget", "delete", "made", "--per", "week")
	run(0, "budget", "delete", "made", "--of", "usd")
	run(0, "budget", "delete", "made", "--per", "day")
	run(2, "budget", "delete", "made")
	run(0, "budget", "delete", "made/ci")
	if list := g.api("GET", "budgets?team=made", ""); list.get("data.#").Int() != 0 {
		t.Errorf("budgets are left: %s", list.body)
	}
	run(1, "budget", "show", "nobody")
	run(1, "budget", "create", "t", "--budget", "5") // which the file declares
}

// A prompt that was published without a file is served until it is deleted, and
// again once it is published.
func TestPromptDeleted(t *testing.T) {
	g := start(t, providers+team)
	publish := func(text string) {
		t.Helper()
		if a := g.api("POST", "prompts/gone/publish", `{"source":"---\nmodel: mock/echo\n---\n`+text+`"}`); a.status != 201 {
			t.Fatalf("publish: %d %s", a.status, a.body)
		}
	}
	serves := func(want int) {
		t.Helper()
		for _, path := range []string{"/prompts/gone", "/prompts/gone@1"} {
			if a := g.data("POST", path, "{}"); a.status != want {
				t.Errorf("%s: %d %s, want %d", path, a.status, a.body, want)
			}
		}
	}
	publish("one")
	serves(200)
	if out, stderr, code := g.sluice("prompt", "delete", "gone"); code != 0 {
		t.Errorf("prompt delete: %d %s%s", code, out, stderr)
	}
	serves(404)
	if a := g.api("DELETE", "prompts/gone", ""); a.status != 404 {
		t.Errorf("deleted twice: %d %s", a.status, a.body)
	}
	if a := g.api("GET", "audit?action=prompt.withdraw", ""); a.get("data.#(status==204).resource").String() != "prompts/gone" {
		t.Errorf("the record: %s", a.body)
	}
	if a := g.api("GET", "prompts/gone/versions", ""); a.get("data.#").Int() != 1 {
		t.Errorf("versions: %s", a.body)
	}
	g.kill()
	g.start()
	serves(404)
	publish("two")
	serves(200)
}

// A key from elsewhere works unchanged where only its hash is given, in the
// file and at the command line, and is rotated and changed like any other.
func TestImportedKeys(t *testing.T) {
	hash := func(key string) string { sum := sha256.Sum256([]byte(key)); return hex.EncodeToString(sum[:]) }
	g := start(t, providers+"teams: {t: {keys: [{name: app, value: sk-test-app}, {name: old, hash: \"sha256:"+hash("sk-from-elsewhere")+"\"}]}}\n")
	ask := func(key string) int {
		return g.chat(chatBody("up/small", "hi", ""), "Authorization", "Bearer "+key).status
	}
	if got := ask("sk-from-elsewhere"); got != 200 {
		t.Errorf("a key that the file has by its hash: %d", got)
	}
	run := func(args ...string) string {
		t.Helper()
		out, stderr, code := g.sluice(args...)
		if code != 0 {
			t.Errorf("%v: %d %s%s", args, code, out, stderr)
		}
		return out
	}
	run("team", "create", "made", "--budget", "5")
	run("key", "create", "--team", "made", "--name", "brought", "--budget", "6", "--per", "day", "--hash", strings.ToUpper(hash("another-key")))
	if got := ask("another-key"); got != 200 {
		t.Errorf("a key that was taken over: %d", got)
	}
	if out := run("key", "show", "made/brought"); strings.Contains(out, hash("another-key")) {
		t.Errorf("the whole hash is shown: %s", out)
	}
	run("key", "update", "made/brought", "--models", "nothing", "--ips", "127.0.0.0/8")
	if got := ask("another-key"); got != 403 {
		t.Errorf("a key without a grant: %d", got)
	}
	if out := run("key", "update", "made/brought", "--models", "", "--rpm", "100", "--json"); gjson.Get(out, "ips.0").String() != "127.0.0.0/8" || ask("another-key") != 200 {
		t.Errorf("a change changes what it says only: %s", out)
	}
	fresh := strings.TrimSpace(run("key", "rotate", "made/brought", "--grace", "10m"))
	run("key", "update", "made/brought", "--budget", "7", "--per", "day")
	for range 5 {
		if got := g.api("GET", "budgets?team=made", "").get("data.#(owner.key==made/brought).usd").String(); got != "7" {
			t.Fatalf("the budget of a key that was rotated and changed is %s", got)
		}
	}
	if ask("another-key") != 200 || ask(fresh) != 200 {
		t.Error("after a rotation with grace both keys work")
	}
	if out := run("team", "update", "made", "--rpm", "60", "--weight", "5", "--json"); gjson.Get(out, "budget.usd").String() != "5" ||
		gjson.Get(out, "limits.rpm").Int() != 60 || gjson.Get(out, "weight").Int() != 5 {
		t.Errorf("team update: %s", out)
	}
}
