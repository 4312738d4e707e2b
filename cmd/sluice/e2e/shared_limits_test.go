package e2e

import (
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// info is what Redis tells of a section.
func (r *redis) info(section string) string {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte("INFO " + section + "\r\nQUIT\r\n")); err != nil {
		r.t.Fatal(err)
	}
	b, _ := io.ReadAll(conn)
	return string(b)
}

var (
	processed = regexp.MustCompile(`total_commands_processed:(\d+)`)
	evalCalls = regexp.MustCompile(`cmdstat_eval(?:sha)?:calls=(\d+)`)
)

// scripts is how many scripts were run.
func (r *redis) scripts() (n int) {
	for _, m := range evalCalls.FindAllStringSubmatch(r.info("commandstats"), -1) {
		calls, _ := strconv.Atoi(m[1])
		n += calls
	}
	return n
}

// commands is how many commands were carried out, those inside of scripts too.
func (r *redis) commands() int {
	n, _ := strconv.Atoi(processed.FindStringSubmatch(r.info("stats"))[1])
	return n
}

const sharedLimits = providers + `teams:
  t:
    keys:
      - {name: k, value: "` + teamKey + `"}
      - {name: requests, value: sk-e2e-requests-0123456789, limits: {rpm: 100}}
      - {name: tokens, value: sk-e2e-tokens-0123456789, limits: {tpm: 20000}}
      - {name: wide, value: sk-e2e-wide-0123456789, limits: {rpm: 1000000, tpm: 1000000000, parallel: 10000}, budget: {usd: 1000, per: day, hard: true}}
routes:
  - {name: limited, match: {path: "/limited/**"}, limits: {rate: 100/1m, per: route}, backend: {static: {body: ok}}}
  - {name: exact, match: {path: "/exact/**"}, limits: {rate: 100/1m, per: route, exact: true}, backend: {static: {body: ok}}}
`

// storm makes calls at all replicas at once, and tells how many there were of each
// status, and the answers.
func storm(replicas []*gateway, each int, call func(*gateway) (answer, error)) (by map[int]int, all []answer) {
	var mu sync.Mutex
	var calls sync.WaitGroup
	by = map[int]int{}
	for _, g := range replicas {
		for range each {
			calls.Go(func() {
				a, err := call(g)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					a.status = -1
				}
				by[a.status]++
				all = append(all, a)
			})
		}
	}
	calls.Wait()
	return by, all
}

// Three replicas let pass what one may: requests of a route, and requests and
// tokens of a key. Each asks Redis less often than there are requests.
func TestSharedLimits(t *testing.T) {
	r := startRedis(t)
	rest := "shared: redis://" + r.addr + "/2\n" + sharedLimits
	all := []*gateway{start(t, rest), start(t, rest), start(t, rest)}
	sharing(t, all...)
	began := time.Now()
	before := r.scripts()
	by, answers := storm(all, 334, func(g *gateway) (answer, error) { return g.send("GET", "http://"+g.listen+"/limited/x", "") })
	pass{98, 100}.check(t, all, by, 3*334, "a route of 100 a minute")
	for _, a := range answers {
		left, ok := strings.CutPrefix(a.header.Get("RateLimit"), `"route";r=`)
		digits, _, _ := strings.Cut(left, ";")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || a.header.Get("RateLimit-Policy") != `"route";q=100;w=60` || n < 0 || n > 99 || a.status == 429 && n != 0 {
			t.Fatalf("%d %v", a.status, a.header)
		}
		wait, err := strconv.Atoi(a.header.Get("Retry-After"))
		if a.status == 429 && (err != nil || wait < 1 || wait > 62) {
			t.Fatalf("%d %v", a.status, a.header)
		}
	}
	by, _ = storm(all, 334, func(g *gateway) (answer, error) { return g.send("GET", "http://"+g.listen+"/exact/x", "") })
	pass{100, 100}.check(t, all, by, 3*334, "a route of exactly 100 a minute")
	as := func(key string) func(*gateway) (answer, error) {
		return func(g *gateway) (answer, error) {
			return g.send("POST", "http://"+g.listen+"/v1/chat/completions", chatBody("up/small", "hi", ""), "Authorization", "Bearer sk-e2e-"+key+"-0123456789", "Content-Type", "application/json")
		}
	}
	by, answers = storm(all, 334, as("requests"))
	pass{98, 100}.check(t, all, by, 3*334, "a key of 100 requests a minute")
	for _, a := range answers {
		if n, err := strconv.Atoi(a.header.Get("X-Ratelimit-Remaining-Requests")); err != nil || n < 0 || n > 99 || a.status == 429 && a.header.Get("Retry-After") == "" {
			t.Fatalf("%d %v", a.status, a.header)
		}
	}
	if spent := r.scripts() - before; spent > 3*3*334 {
		t.Errorf("%d scripts for %d requests", spent, 3*3*334)
	}

	// As long as the first have not left the window, nothing more passes: even
	// where a replica comes that knows nothing of them.
	last := start(t, rest)
	sharing(t, last)
	by, _ = storm([]*gateway{last}, 50, as("requests"))
	none := func(of []*gateway, what string) {
		t.Helper()
		if took := time.Since(began); took > 50*time.Second {
			t.Logf("excused: %s: %v, for the first may have left the window after %v", what, by, took)
			return
		}
		pass{0, 0}.check(t, of, by, 50, what)
	}
	none([]*gateway{last}, "a replica that comes later")
	last.kill()

	by, answers = storm(all, 100, as("tokens"))
	used := int64(0)
	for _, a := range answers {
		used += a.get("usage.total_tokens").Int()
	}
	if by[200]+by[429] != 300 || used > 3*20000 {
		t.Errorf("a key of 20,000 tokens a minute: %v, %d tokens, which no replica allows", by, used)
	}
	if by[200] == 0 || by[429] == 0 || used > 20000 {
		late(t, all, "a key of 20,000 tokens a minute: %v, %d tokens", by, used)
	}

	before, commands := r.scripts(), r.commands()
	by, _ = storm(all, 1000, as("wide"))
	scripts, inside := r.scripts()-before, r.commands()-commands
	t.Logf("3,000 requests at once with three limits and a hard budget: %d scripts, of %d commands", scripts, inside)
	if by[200] != 3000 || scripts > 3000 {
		late(t, all, "%d scripts for %v", scripts, by)
	}
	before = r.scripts()
	by, _ = storm(all, 8, func(g *gateway) (a answer, err error) { // one after the other
		for range 50 {
			if a, err = as("wide")(g); err != nil || a.status != 200 {
				break
			}
		}
		return a, err
	})
	scripts = r.scripts() - before
	t.Logf("1,200 requests, 24 at a time: %d scripts", scripts)
	if by[200] != 24 || scripts > 1200 {
		late(t, all, "%d scripts for %v", scripts, by)
	}

	// What a replica that is killed has let pass counts on.
	all[2].kill()
	by, _ = storm(all[:2], 25, as("requests"))
	none(all[:2], "when a replica is gone")
}

// alone is how many permits replicas went on without, for the host is so busy.
func alone(all []*gateway) (n int) {
	for _, g := range all {
		n += g.count("sluice_limits_shared_alone_total")
	}
	return n
}

// late fails, unless the host is so busy that replicas have gone on by themselves.
func late(t *testing.T, all []*gateway, format string, args ...any) {
	t.Helper()
	n := alone(all)
	if n == 0 {
		t.Errorf(format, args...)
		return
	}
	t.Logf("excused: %d permits were not to be had in time: "+format, append([]any{n}, args...)...)
}

// pass is how many calls are to pass.
type pass struct{ least, most int }

// check fails where others have passed. However busy the host is, each call is
// let pass or refused, and beyond the limit no more pass than replicas went on by
// themselves with.
func (p pass) check(t *testing.T, all []*gateway, by map[int]int, calls int, what string) {
	t.Helper()
	n := alone(all)
	switch {
	case by[200]+by[429] != calls, by[200] > p.most+n, p.most > 0 && by[200] > p.most*len(all):
		t.Errorf("%s: %v, and %d permits were not to be had in time", what, by, n)
	case by[200] < p.least, by[200] > p.most:
		late(t, all, "%s: %v", what, by)
	}
}
