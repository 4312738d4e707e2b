package e2e

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// However many calls come with a token, the service is asked about it once for as
// long as its answer is believed.
func TestIntrospectedOncePerTTL(t *testing.T) {
	i := startIssuer(t)
	service := `introspect: "` + i.URL + `/introspect", client_id: sluice, client_secret: pw, cache: `
	g := start(t, `auth:
  oauth2: {hour: {`+service+`1h}, second: {`+service+`1s}}
routes:
  - {name: hour, match: {path: "/hour"}, backend: {static: {body: x}}, auth: {require: ["oauth2:hour"]}}
  - {name: second, match: {path: "/second"}, backend: {static: {body: x}}, auth: {require: ["oauth2:second"]}}
`+team)
	callers := g.crowd("127.0.0.1", 100)
	calls := func(n int, path, token string) time.Duration {
		t.Helper()
		began := time.Now()
		var by tally[int]
		callers.ask(n, path, func(_ int, r *fasthttp.Request) { r.Header.Set("Authorization", "Bearer "+token) },
			func(_ int, r *fasthttp.Response) { by.add(r.StatusCode()) })
		if by.of[200] != n {
			t.Errorf("%s: %v", path, by.of)
		}
		return time.Since(began)
	}
	asked := func(token string) int {
		i.mu.Lock()
		defer i.mu.Unlock()
		return i.asked[token]
	}
	const many = 5000
	took := calls(many, "/hour", "good-hour")
	if n := asked("good-hour"); n != 1 {
		t.Errorf("%d calls within an answer's hour: asked %d times", many, n)
	}
	t.Logf("%d calls in %v, asked once", many, took)

	// And once for each second of a shorter one: each is asked for by a call that
	// came a second after the one before, or later.
	began, made := time.Now(), 0
	for asked("good-second") < 4 {
		if time.Since(began) > time.Minute {
			t.Fatalf("asked only %d times", asked("good-second"))
		}
		made += 500
		calls(500, "/second", "good-second")
	}
	took = time.Since(began)
	if n := asked("good-second"); n > int(took/time.Second)+1 {
		t.Errorf("%d calls in %v: asked %d times", made, took, n)
	}
	t.Logf("%d calls in %v, asked %d times", made, took, asked("good-second"))
}
