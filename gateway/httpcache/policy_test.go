package httpcache

import (
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// answer makes a head of lines such as "Etag: x; Vary: a".
func answer(lines string) *fasthttp.ResponseHeader {
	h := new(fasthttp.ResponseHeader)
	for line := range strings.SplitSeq(lines, "; ") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			h.Add(name, value)
		}
	}
	return h
}

func request(lines string) *fasthttp.RequestHeader {
	h := new(fasthttp.RequestHeader)
	for line := range strings.SplitSeq(lines, "; ") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			h.Add(name, value)
		}
	}
	return h
}

// What RFC 9111 and RFC 5861 say of answers.
func TestTerms(t *testing.T) {
	const minute = time.Minute
	rfc, plain := Policy{RFC9111: true, Revalid: time.Second}, Policy{TTL: minute, Revalid: time.Second}
	guess := Policy{RFC9111: true, TTL: minute}
	for _, c := range []struct {
		policy Policy
		own    bool
		ask    string
		status int
		answer string
		want   Terms
		kept   bool
	}{
		{plain, false, "", 200, "", Terms{Fresh: minute, Revalid: time.Second}, true},
		{plain, false, "", 200, "Cache-Control: max-age=0", Terms{Fresh: minute, Revalid: time.Second}, true},
		{plain, false, "Cache-Control: no-store", 200, "", Terms{Fresh: minute, Revalid: time.Second}, true},
		{plain, false, "", 404, "", Terms{}, false},
		{plain, false, "", 206, "", Terms{}, false},
		{plain, false, "", 200, "Cache-Control: no-store", Terms{}, false},
		{plain, false, "", 200, "Cache-Control: private", Terms{}, false},
		{plain, true, "", 200, "Cache-Control: private", Terms{Fresh: minute, Revalid: time.Second}, true},
		{plain, true, "", 200, "Cache-Control: public", Terms{Fresh: minute, Revalid: time.Second}, true},
		{plain, false, "", 200, "Set-Cookie: a=b", Terms{}, false},
		{plain, false, "", 200, "Vary: Accept, *", Terms{}, false},
		{plain, false, "", 200, `Cache-Control: max-age="`, Terms{}, false}, // nobody knows what it says

		{rfc, false, "", 200, "Cache-Control: max-age=10", Terms{Fresh: 10 * time.Second, Revalid: time.Second}, true},
		{rfc, false, "", 200, "Cache-Control: max-age=10, s-maxage=20", Terms{Fresh: 20 * time.Second, Revalid: time.Second, Must: true}, true},
		{rfc, true, "", 200, "Cache-Control: max-age=10, s-maxage=20", Terms{Fresh: 10 * time.Second, Revalid: time.Second}, true},
		{rfc, true, "", 200, "Cache-Control: public, max-age=10, s-maxage=20", Terms{Fresh: 20 * time.Second, Revalid: time.Second, Must: true, Public: true}, true},
		{rfc, false, "", 200, "Cache-Control: max-age=10; Cache-Control: must-revalidate", Terms{Fresh: 10 * time.Second, Revalid: time.Second, Must: true}, true},
		{rfc, false, "", 200, "Cache-Control: max-age=10, stale-while-revalidate=5, stale-if-error=7", Terms{Fresh: 10 * time.Second, Revalid: 5 * time.Second, IfError: 7 * time.Second}, true},
		{rfc, false, "", 200, "Cache-Control: max-age=10; Age: 4", Terms{Fresh: 10 * time.Second, Age: 4 * time.Second, Revalid: time.Second}, true},
		{rfc, false, "", 200, "Expires: Mon, 30 Nov 2026 12:01:00 GMT", Terms{Fresh: minute, Revalid: time.Second}, true},
		{rfc, false, "", 200, "Expires: 0; Cache-Control: max-age=10", Terms{Fresh: 10 * time.Second, Revalid: time.Second}, true},
		{guess, false, "", 200, "Expires: 0", Terms{}, false},
		{guess, false, "", 200, `Expires: 0; Etag: "x"`, Terms{}, true},
		{guess, false, "", 200, `Cache-Control: no-cache; Etag: "x"`, Terms{Must: true}, true},
		{guess, false, "", 200, "Cache-Control: no-cache", Terms{}, false},
		{guess, false, "", 200, "", Terms{Fresh: minute}, true},
		{guess, false, "", 404, "", Terms{Fresh: minute}, true},
		{guess, false, "", 201, "", Terms{}, false},
		{guess, false, "", 201, "Cache-Control: max-age=10", Terms{Fresh: 10 * time.Second}, true},
		{guess, false, "", 302, "Cache-Control: public", Terms{Fresh: minute, Public: true}, true},
		{guess, false, "", 500, "", Terms{}, false},
		{rfc, false, "", 200, "Cache-Control: max-age=10, private", Terms{}, false},
		{rfc, false, "", 200, "Cache-Control: max-age=10, no-store", Terms{}, false},
		{rfc, false, "Cache-Control: no-store", 200, "Cache-Control: max-age=10", Terms{}, false},
		{rfc, false, "", 304, "Cache-Control: max-age=10", Terms{}, false},
	} {
		ask := c.policy.Read(request(c.ask), c.own, false)
		got, kept := c.policy.Terms(&ask, c.status, answer(c.answer), noon)
		if kept != c.kept || kept && got != c.want {
			t.Errorf("%+v, own %v, %q: %d %q: %+v, %v, want %+v, %v", c.policy, c.own, c.ask, c.status, c.answer, got, kept, c.want, c.kept)
		}
	}
}

// What a request lets be done with an entry of some age.
func TestMay(t *testing.T) {
	sec := time.Second
	terms := Terms{Fresh: 10 * sec, Revalid: 5 * sec, IfError: 20 * sec}
	must := terms
	must.Must = true
	for _, c := range []struct {
		terms   Terms
		ask     string
		age     time.Duration
		want    Use
		ifError bool
	}{
		{terms, "", 9 * sec, Give, true},
		{terms, "", 10 * sec, GiveStale, true},
		{terms, "", 15 * sec, Revalidate, true},
		{terms, "", 30 * sec, Revalidate, false},
		{must, "", 9 * sec, Give, false},
		{must, "", 11 * sec, Revalidate, false},
		{terms, "Cache-Control: no-cache", sec, Revalidate, false},
		{terms, "Pragma: no-cache", sec, Revalidate, false},
		{terms, "Cache-Control: max-age=5", 5 * sec, Give, true},
		{terms, "Cache-Control: max-age=5", 6 * sec, Revalidate, true},
		{terms, "Cache-Control: max-age=0", 0, Give, true},
		{terms, "Cache-Control: min-fresh=5", 6 * sec, Revalidate, true},
		{terms, "Cache-Control: min-fresh=5", 5 * sec, Give, true},
		{terms, "Cache-Control: max-stale=7", 17 * sec, Give, true},
		{terms, "Cache-Control: max-stale=7", 18 * sec, Revalidate, true},
		{terms, "Cache-Control: max-stale", time.Hour, Give, false},
		{must, "Cache-Control: max-stale", 11 * sec, Revalidate, false},
		{terms, `Cache-Control: max-age="`, sec, Revalidate, false},
	} {
		ask := (&Policy{RFC9111: true}).Read(request(c.ask), false, false)
		e := &Entry{Made: noon, Terms: c.terms}
		if got, ifError := ask.May(e, noon.Add(c.age)), ask.MayIfError(e, noon.Add(c.age)); got != c.want || ifError != c.ifError {
			t.Errorf("%q at %v of %+v: %d, %v, want %d, %v", c.ask, c.age, c.terms, got, ifError, c.want, c.ifError)
		}
		if plain := (&Policy{}).Read(request(c.ask), false, false); plain.May(e, noon) != Give || plain.Uncached() || plain.OnlyCached() {
			t.Errorf("without RFC 9111 %q counts", c.ask)
		}
	}
	if ask := (&Policy{}).Read(request(""), false, true); ask.May(&Entry{Made: noon, Terms: terms}, noon) != Revalidate {
		t.Error("a refresh is answered from the cache")
	}
}

func TestUnmodified(t *testing.T) {
	e := &Entry{Header: []Field{{"Etag", `W/"a"`}, {"Last-Modified", "Mon, 30 Nov 2026 12:00:00 GMT"}}}
	for _, c := range []struct {
		noneMatch, since string
		want             bool
	}{
		{"", "", false}, {`"a"`, "", true}, {`"b", W/"a"`, "", true}, {"*", "", true}, {`"b"`, "", false},
		{`"b"`, "Mon, 30 Nov 2026 12:00:00 GMT", false}, // the tag alone counts
		{"", "Mon, 30 Nov 2026 12:00:00 GMT", true}, {"", "Mon, 30 Nov 2026 11:00:00 GMT", false}, {"", "noon", false},
	} {
		if got := e.Unmodified([]byte(c.noneMatch), []byte(c.since)); got != c.want {
			t.Errorf("%q, %q: %v", c.noneMatch, c.since, got)
		}
	}
	if (&Entry{}).Unmodified([]byte(`""`), nil) {
		t.Error("an answer without a tag is the same as one with an empty one")
	}
}

func TestRenewed(t *testing.T) {
	e := &Entry{Status: 200, Body: []byte("b"), Header: []Field{{"Etag", "a"}, {"X", "1"}}, Made: noon}
	n := e.Renewed([]Field{{"X", "2"}}, Terms{Fresh: 1}, noon.Add(time.Hour))
	if n.Get("Etag") != "a" || n.Get("X") != "2" || len(n.Header) != 2 || n.Age(noon.Add(time.Hour)) != 0 || e.Get("X") != "1" || string(n.Body) != "b" {
		t.Errorf("renewed: %+v of %+v", n, e)
	}
}

// Whatever an answer says, nothing that must not be shared is.
func FuzzTerms(f *testing.F) {
	for _, text := range []string{"max-age=10", "private, max-age=10", "no-store", "s-maxage=1,stale-while-revalidate=99999999999999999999", `private="a,b"`, "no-cache=\"a", "public;private"} {
		f.Add(text, "1", "x")
	}
	f.Fuzz(func(t *testing.T, control, age, expires string) {
		h := new(fasthttp.ResponseHeader)
		h.Set("Cache-Control", control)
		h.Set("Age", age)
		h.Set("Expires", expires)
		said := string(h.Peek("Cache-Control"))
		for _, p := range []Policy{{TTL: time.Minute}, {RFC9111: true, TTL: time.Minute}} {
			ask := p.Read(request("Cache-Control: "+strings.ReplaceAll(control, "; ", "")), false, false)
			terms, kept := p.Terms(&ask, 200, h, noon)
			if kept && (terms.Fresh < 0 || terms.Age < 0 || terms.Revalid < 0 || terms.IfError < 0) {
				t.Errorf("%q: %+v", said, terms)
			}
			if kept && (said == "private" || said == "no-store") {
				t.Errorf("%q is kept", said)
			}
		}
	})
}
