package cel

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

type lookup map[string]string

func (l lookup) Find(name string) (string, bool) {
	v, ok := l[strings.ToLower(name)]
	return v, ok
}

func (l lookup) Names() []string {
	var names []string
	for name := range l {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func vars() *Vars {
	var body any
	if err := json.Unmarshal([]byte(`{"data": [{"n": 1}, {"n": 2.5}], "name": "x"}`), &body); err != nil {
		panic(err)
	}
	return &Vars{
		Caller: Caller{Team: "shop", Key: "shop/web", User: "ann", Roles: []string{"reader"}, Scopes: []string{"orders:read"},
			Claims: map[string]any{"level": 3.0, "dept": "sales"}, IP: "10.1.2.3", Cert: &Cert{Subject: "CN=shop", Names: []string{"shop.local"}}},
		Request: Request{Method: "GET", Path: "/users/ann", Host: "api.example.com", Headers: lookup{"x-beta": "1"},
			Query: lookup{"page": "2"}, Params: lookup{"id": "ann"}},
		Now:  time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC), // a Monday
		Body: body, Response: Response{Status: 200, Headers: lookup{"etag": "a"}},
	}
}

func TestRules(t *testing.T) {
	for text, want := range map[string]bool{
		`caller.team == "shop" && request.method == "GET"`:                                              true,
		`caller.team == "other"`:                                                                        false,
		`request.params.id == caller.user`:                                                              true,
		`"reader" in caller.roles && !("writer" in caller.roles)`:                                       true,
		`sets.contains(caller.scopes, ["orders:read"])`:                                                 true,
		`request.headers["X-Beta"] == "1" && request.headers["x-debug"] == ""`:                          true,
		`has(request.headers.x) || "x-debug" in request.headers || !("x-beta" in request.headers)`:      false,
		`request.query.page == "2" && size(request.query) == 1 && request.query.exists(k, k == "page")`: true,
		`request.headers == {"x-beta": "1"}`:                                                            true,
		`caller.claims.level >= 3 && caller.claims.dept == "sales"`:                                     true,
		`has(caller.claims.gone)`:                                                                       false,
		`cidr("10.0.0.0/8").containsIP(caller.ip)`:                                                      true,
		`now.getDayOfWeek("Europe/Berlin") in [1, 2, 3, 4, 5] && now.getHours("Europe/Berlin") >= 8`:    true,
		`now.getHours("Asia/Tokyo") < 18`:                                                               false,
		`caller.cert.subject == "CN=shop" && "shop.local" in caller.cert.names`:                         true,
		`has(caller.cert) && !has(caller.cert.issuer)`:                                                  true,
		`request.path.startsWith("/users/") && request.host.endsWith(".example.com")`:                   true,
		`body.data.all(d, d.n > 0) && response.status == 200 && response.headers.etag == "a"`:           true,
	} {
		p, err := Compile(text, Options{Body: true, Response: true})
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if got, err := p.Test(vars()); got != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for text, want := range map[string]string{
		`caller.temm == "x"`: `expression "caller.temm == \"x\"": line 1, column 7: undefined field 'temm'`,
		`caller.team == 1`:   "line 1, column 13: found no matching overload",
		`caller.team`:        "want true or false, this gives string",
		`body.x == 1`:        "undeclared reference to 'body'",
		`response.status==1`: "undeclared reference to 'response'",
		`1 +`:                "line 1, column 4: Syntax error",
		`sluice.Caller{team: "x"}.team == "x" && nope`: "undeclared reference to 'nope'",
		``: "line 1, column 1",
	} {
		if _, err := Compile(text, Options{}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want %q on one line", text, err, want)
		}
	}
}

// TestNoRuleHolds: what cannot be told is no yes.
func TestNoRuleHolds(t *testing.T) {
	for _, text := range []string{
		`caller.claims.gone == "x"`, `!(caller.claims.gone == "x")`, `body`, `body.name`, `body.none.such`,
		`sluice.Caller{team: "x"}.team == "x"`,
		`dyn(caller) == dyn(request)`,
		`lists.range(10000).all(a, lists.range(10000).all(b, lists.range(10000).all(c, a + b + c >= 0)))`,
	} {
		p, err := Compile(text, Options{Body: true})
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if ok, err := p.Test(vars()); ok || err == nil || !strings.HasPrefix(err.Error(), "expression ") {
			t.Errorf("%s: %v, %v; want an error that names it", text, ok, err)
		}
	}
}

func TestValues(t *testing.T) {
	for text, want := range map[string]string{
		`{"items": body.data, "team": caller.team}`: `{"items":[{"n":1},{"n":2.5}],"team":"shop"}`,
		`body.data.map(d, d.n * 2.0)`:               `[2,5]`,
		`request.headers`:                           `{"x-beta":"1"}`,
		`null`:                                      `null`,
		`now`:                                       `"2026-11-30T09:00:00Z"`,
		`[1, 2u, true, "s", b"hi"]`:                 `[1,2,true,"s","hi"]`,
		`body[?"gone"]`:                             `null`,
		`caller.roles + ["x"]`:                      `["reader","x"]`,
		`body.data.transformList(i, d, i)`:          `[0,1]`,
	} {
		p, err := Compile(text, Options{Body: true, Value: true})
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		got, err := p.Value(vars())
		text, _ := json.Marshal(got)
		if string(text) != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", p, text, err, want)
		}
	}
	p, err := Compile(`{1: 2}`, Options{Value: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Value(vars()); err == nil {
		t.Error("an object with a key that is no string was given as JSON")
	}
}

// FuzzCompile holds the compiler, and what it compiled, to errors.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{`caller.team == "x"`, `request.headers["a"]`, `body.x[?"y"].orValue(1)`, `{`, `sluice.Cert{}`, `type(caller)`, `caller`, `[caller, request]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Compile(text, Options{Body: true, Response: true, Value: true})
		if err != nil {
			return
		}
		v := vars()
		_, _ = p.Test(v)
		if got, err := p.Value(v); err == nil && got != nil && !reflect.ValueOf(got).IsValid() {
			t.Errorf("%s: %v", text, got)
		}
	})
}

func BenchmarkTest(b *testing.B) {
	p, err := Compile(`caller.team == "shop" && request.method == "GET" && request.headers["x-beta"] == "1" && request.params.id == caller.user`, Options{})
	if err != nil {
		b.Fatal(err)
	}
	v := vars()
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := p.Test(v); !ok || err != nil {
			b.Fatal(err)
		}
	}
}
