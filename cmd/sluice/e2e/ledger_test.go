package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/store"
)

// Money is given back by new entries: budgets, reports and the proof know of
// them, also after a restart, and no call gives back more than it cost.
func TestCorrections(t *testing.T) {
	g := start(t, providers+`teams: {t: {budget: {usd: 1, per: month, hard: true}, keys: [{name: k, value: "`+teamKey+`", budget: {usd: 1, per: 30d}}]}}`+"\n")
	var calls []string
	for range 2 {
		a := g.chat(chatBody("up/in-1000_out-1000", "hi", `,"max_tokens":1000`)) // 0.003 each
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		calls = append(calls, a.header.Get("X-Request-Id"))
	}
	g.waitCalls(2)
	run := func(args ...string) gjson.Result {
		t.Helper()
		out, stderr, code := g.sluice(append(args, "--json")...)
		if code != 0 {
			t.Fatalf("%v: exit code %d: %s%s", args, code, out, stderr)
		}
		return gjson.Parse(out)
	}
	run("ledger", "refund", calls[0], "--reason", "it answered nonsense")
	if out := run("ledger", "refund", calls[0], "--reason", "it answered nonsense"); out.Get("usd").String() != "-0.003" || out.Get("net_usd").String() != "0" {
		t.Errorf("the same again: %s", out.Raw)
	}
	if _, stderr, code := g.sluice("ledger", "refund", calls[0], "--reason", "once more"); code != 1 || !strings.Contains(stderr, "nothing is left") {
		t.Errorf("a second refund: %d %s", code, stderr)
	}
	run("ledger", "correct", calls[1], "--usd", "-0.001", "--reason", "a discount")
	if _, stderr, code := g.sluice("ledger", "correct", calls[1], "--usd", "-0.0021", "--reason", "too much"); code != 1 || !strings.Contains(stderr, "cannot give back") {
		t.Errorf("beyond its cost: %d %s", code, stderr)
	}
	check := func() {
		t.Helper()
		for _, b := range g.api("GET", "budgets", "").get("data").Array() {
			if b.Get("spent").String() != "0.002" {
				t.Errorf("budget %s", b.Raw)
			}
		}
		if out := run("report"); out.Get("total.usd").String() != "0.002" || out.Get("total.calls").Int() != 2 {
			t.Errorf("report %s", out.Raw)
		}
		if out := run("ledger", "show", calls[1]); out.Get("usd").String() != "0.003" || out.Get("net_usd").String() != "0.002" || out.Get("corrections.0.reason").String() != "a discount" {
			t.Errorf("show: %s", out.Raw)
		}
		if out := g.api("GET", "corrections?team=t", ""); len(out.get("data").Array()) != 2 {
			t.Errorf("corrections: %s", out.body)
		}
		run("report", "--verify")
	}
	check()
	g.stop()
	g.start()
	check()
}

// The exported entries are the ledger's, in every format, through the admin API
// and from the data itself, into a folder and into a bucket.
func TestExport(t *testing.T) {
	g := start(t, providers+team)
	for range 3 {
		if a := g.chat(chatBody("up/in-1000_out-1000", "hi", "")); a.status != 200 { // 0.003 each
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	var puts sync.Map
	bucket := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		switch {
		case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIA/"):
			w.WriteHeader(403)
		case r.Method == "PUT":
			puts.Store(r.URL.Path, string(b))
		default:
			w.WriteHeader(404)
		}
	}))
	defer bucket.Close()
	g.commandEnv = []string{"AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=secret"}
	from, to := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly), time.Now().UTC().AddDate(0, 0, 2).Format(time.DateOnly)
	export := func(args ...string) {
		t.Helper()
		out, stderr, code := g.sluice(append([]string{"ledger", "export", "--from", from, "--to", to}, args...)...)
		if code != 0 || !strings.HasSuffix(out, "\n3 entries, 0.009 USD\n") {
			t.Errorf("export %v: %d %s%s", args, code, out, stderr)
		}
	}
	g.waitCalls(3)
	for _, format := range []string{"csv", "jsonl", "parquet"} {
		export("--format", format, "--out", filepath.Join(g.dir, "out"))
	}
	files, err := filepath.Glob(filepath.Join(g.dir, "out", "*"))
	if err != nil || len(files) != 9 {
		t.Errorf("files %v, %v", files, err)
	}
	export("--format", "jsonl", "--out", "s3://acme/ledger", "--endpoint", bucket.URL, "--team", "t")
	lines := 0
	puts.Range(func(path, text any) bool {
		if !strings.HasPrefix(path.(string), "/acme/ledger/sluice-ledger-t-") {
			t.Errorf("an object at %s", path)
		}
		for line := range strings.Lines(text.(string)) {
			if lines++; gjson.Get(line, "usd").String() != "0.003" || gjson.Get(line, "model").String() != "up/in-1000_out-1000" {
				t.Errorf("line %s", line)
			}
		}
		return true
	})
	if lines != 3 {
		t.Errorf("%d lines in the bucket", lines)
	}
	for _, args := range [][]string{{"--format", "xls", "--out", "x"}, {"--out", "s3://"}, {}, {"--out", "x", "--endpoint", "http://x"}} {
		if out, _, code := g.sluice(append([]string{"ledger", "export", "--from", from}, args...)...); code != 2 {
			t.Errorf("%v: exit code %d %s", args, code, out)
		}
	}
	g.stop()
	export("--out", filepath.Join(g.dir, "again"), "--data", filepath.Join(g.dir, "data"), "-c", g.file())
}

// What is erased is in no file any more, and in every sum still.
func TestErase(t *testing.T) {
	g := start(t, providers+"billing: {retention: 400d}\nteams: {t: {retention: forever, budget: {usd: 1, per: month, hard: true}, keys: [{name: k, value: \""+teamKey+"\"}]}}\n")
	for i := range 4 {
		user := []string{"private-ann", "private-bob"}[i%2]
		if a := g.chat(chatBody("up/in-1000_out-1000", "hi", `,"user":"`+user+`"`)); a.status != 200 { // 0.003 each
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	g.waitCalls(4)
	run := func(args ...string) gjson.Result {
		t.Helper()
		out, stderr, code := g.sluice(append(args, "--json")...)
		if code != 0 {
			t.Fatalf("%v: exit code %d: %s%s", args, code, out, stderr)
		}
		return gjson.Parse(out)
	}
	if out := run("ledger", "erase", "--team", "t", "--user", "private-ann"); out.Get("entries").Int() != 2 || out.Get("usd").String() != "0.006" {
		t.Errorf("erase a user: %s", out.Raw)
	}
	if out := run("report", "--by", "user"); out.Get("rows.0.user").String() != "(erased)" || out.Get("rows.0.usd").String() != "0.006" || out.Get("total.usd").String() != "0.012" {
		t.Errorf("report: %s", out.Raw)
	}
	if n := len(g.api("GET", "requests", "").get("data").Array()); n != 4 {
		t.Errorf("%d requests are left", n)
	}
	if out := run("ledger", "erase", "--team", "t", "--before", time.Now().UTC().Format(time.RFC3339Nano)); out.Get("entries").Int() != 4 {
		t.Errorf("erase entries: %s", out.Raw)
	}
	if n := len(g.api("GET", "requests", "").get("data").Array()); n != 0 {
		t.Errorf("%d requests are left", n)
	}
	check := func() {
		t.Helper()
		if out := run("report", "--by", "model"); out.Get("total.usd").String() != "0.012" || out.Get("rows.0.calls").Int() != 4 {
			t.Errorf("report: %s", out.Raw)
		}
		if spent := g.api("GET", "budgets", "").get("data.0.spent").String(); spent != "0.012" {
			t.Errorf("spent %s", spent)
		}
		run("report", "--verify")
	}
	check()
	g.stop()
	g.start()
	check()
	g.stop()
	err := filepath.WalkDir(g.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("private-")) {
			t.Errorf("%s holds a user's name still", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if _, stderr, code := g.sluice("ledger", "erase", "--team", "t"); code != 2 || !strings.Contains(stderr, "--before") {
		t.Errorf("erasing everything: %d %s", code, stderr)
	}
}

// Entries that are older than a team's retention go by themselves.
func TestRetention(t *testing.T) {
	g := newGateway(t, providers+`billing: {retention: 40d}
teams:
  t: {keys: [{name: k, value: "`+teamKey+`"}]}
  brief: {retention: 3d}
  long: {retention: forever}
`)
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(g.dir, "data", "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	var entries []billing.Entry
	for _, team := range []string{"t", "brief", "long", "gone"} {
		for _, days := range []int{1, 10, 100} {
			entries = append(entries, billing.Entry{Call: fmt.Sprint(team, "-", days), Time: time.Now().AddDate(0, 0, -days), Team: team, Model: "m", Cost: billing.Dollar, Status: 200})
		}
	}
	if err := errors.Join(s.Ledger().Append(t.Context(), entries), s.Close()); err != nil {
		t.Fatal(err)
	}
	g.start()
	want := "brief-1 gone-1 gone-10 long-1 long-10 long-100 t-1 t-10"
	var left []string
	ok := eventually(20*time.Second, func() bool {
		left = nil
		for _, r := range g.api("GET", "requests", "").get("data.#.call").Array() {
			left = append(left, r.String())
		}
		slices.Sort(left)
		return strings.Join(left, " ") == want
	})
	if !ok {
		t.Errorf("left are %v, want %s", left, want)
	}
	out := g.api("GET", "usage?from=2020-01-01&group_by=team", "")
	if out.get("total.usd").String() != "12" || len(out.get("rows").Array()) != 4 {
		t.Errorf("usage %s", out.body)
	}
	if _, stderr, code := g.sluice("report", "--verify"); code != 0 {
		t.Errorf("verify: %d %s", code, stderr)
	}
}
