package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// signing is a request that is signed as RFC 9421 says, written anew here.
type signing struct {
	method, target, body, secret string
	covers                       []string
	params                       string
	values                       map[string]string // instead of the true ones
}

func good() *signing {
	return &signing{method: "POST", target: "/orders/7?full=1", body: `{"n":1}`, secret: "shh",
		covers: []string{"@method", "@path", "@query", "content-digest"},
		params: fmt.Sprintf(`;created=%d;keyid="acme"`, now.Unix()), values: map[string]string{}}
}

func (s *signing) request() *Request {
	path, query, _ := strings.Cut(s.target, "?")
	sum := sha256.Sum256([]byte(s.body))
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	values := map[string]string{"@method": s.method, "@path": path, "@query": "?" + query, "content-digest": digest, "@authority": "api.example.com",
		"@scheme": "http", "@target-uri": "http://api.example.com" + s.target, "@request-target": s.target, "x-two": "a, b"}
	for name, value := range s.values {
		values[name] = value
	}
	var base strings.Builder
	var names []string
	for _, name := range s.covers {
		fmt.Fprintf(&base, "%q: %s\n", name, values[name])
		names = append(names, fmt.Sprintf("%q", name))
	}
	params := "(" + strings.Join(names, " ") + ")" + s.params
	base.WriteString(`"@signature-params": ` + params)
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write([]byte(base.String()))
	r := request("")
	r.Target = s.target
	h := &r.HTTP.Header
	h.SetMethod(s.method)
	r.HTTP.SetRequestURI(s.target)
	h.SetHost("API.example.com")
	h.Set("Content-Digest", digest)
	h.Add("X-Two", " a ")
	h.Add("X-Two", "b")
	h.Set("Signature-Input", "sig1="+params)
	h.Set("Signature", "sig1=:"+base64.StdEncoding.EncodeToString(mac.Sum(nil))+":")
	r.HTTP.SetBodyString(s.body)
	return r
}

// TestSignatures: what is taken, and all that is not.
func TestSignatures(t *testing.T) {
	created := func(at time.Time) string { return fmt.Sprintf(`;created=%d;keyid="acme"`, at.Unix()) }
	for name, c := range map[string]struct {
		change func(*signing)
		after  func(*fasthttp.Request)
		status int
		words  string
	}{
		"good":               {nil, nil, 200, "acme"},
		"with nonce and alg": {func(s *signing) { s.params += `;nonce="n1";alg="hmac-sha256"` }, nil, 200, "acme"},
		"all components": {func(s *signing) {
			s.covers = append(s.covers, "@authority", "@scheme", "@target-uri", "@request-target", "x-two")
		}, nil, 200, "acme"},
		"target in one":       {func(s *signing) { s.covers = []string{"@method", "@target-uri", "content-digest"} }, nil, 200, "acme"},
		"no body, no digest":  {func(s *signing) { s.method, s.body, s.covers = "GET", "", []string{"@method", "@path", "@query"} }, nil, 200, "acme"},
		"no query":            {func(s *signing) { s.target = "/orders" }, nil, 200, "acme"},
		"old within skew":     {func(s *signing) { s.params = created(now.Add(-4 * time.Minute)) }, nil, 200, "acme"},
		"too old":             {func(s *signing) { s.params = created(now.Add(-6 * time.Minute)) }, nil, 401, "too old"},
		"of the future":       {func(s *signing) { s.params = created(now.Add(6 * time.Minute)) }, nil, 401, "future"},
		"expired":             {func(s *signing) { s.params += fmt.Sprintf(`;expires=%d`, now.Unix()-1) }, nil, 401, "expired"},
		"no created":          {func(s *signing) { s.params = `;keyid="acme"` }, nil, 401, "created"},
		"created is a word":   {func(s *signing) { s.params = `;created="now";keyid="acme"` }, nil, 401, "created"},
		"nobody":              {func(s *signing) { s.params = strings.ReplaceAll(s.params, "acme", "other") }, nil, 401, "nobody"},
		"no keyid":            {func(s *signing) { s.params = fmt.Sprintf(`;created=%d`, now.Unix()) }, nil, 401, "nobody"},
		"another secret":      {func(s *signing) { s.secret = "x" }, nil, 401, "wrong"},
		"another algorithm":   {func(s *signing) { s.params += `;alg="rsa-v1_5-sha256"` }, nil, 401, "algorithm"},
		"method not covered":  {func(s *signing) { s.covers = s.covers[1:] }, nil, 401, "@method"},
		"path not covered":    {func(s *signing) { s.covers = []string{"@method", "@query", "content-digest"} }, nil, 401, "@path"},
		"query not covered":   {func(s *signing) { s.covers = []string{"@method", "@path", "content-digest"} }, nil, 401, "@query"},
		"body not covered":    {func(s *signing) { s.covers = s.covers[:3] }, nil, 401, "content-digest"},
		"covered twice":       {func(s *signing) { s.covers = append(s.covers, "@path") }, nil, 401, "twice"},
		"unknown component":   {func(s *signing) { s.covers = append(s.covers, "@status") }, nil, 401, "not known here"},
		"a header not there":  {func(s *signing) { s.covers = append(s.covers, "x-none") }, nil, 401, "not there"},
		"changed body":        {nil, func(r *fasthttp.Request) { r.SetBodyString(`{"n":2}`) }, 401, "not that of Content-Digest"},
		"changed path":        {func(s *signing) { s.values["@path"] = "/orders/8" }, nil, 401, "wrong"},
		"changed query":       {func(s *signing) { s.values["@query"] = "?" }, nil, 401, "wrong"},
		"changed method":      {func(s *signing) { s.values["@method"] = "PUT" }, nil, 401, "wrong"},
		"digest taken off":    {nil, func(r *fasthttp.Request) { r.Header.Del("Content-Digest") }, 401, "not there"},
		"a digest of md5":     {nil, func(r *fasthttp.Request) { r.Header.Set("Content-Digest", "md5=:AAAA:") }, 401, "wrong"},
		"signature taken off": {nil, func(r *fasthttp.Request) { r.Header.Del("Signature") }, 401, "wrong"},
		"another label":       {nil, func(r *fasthttp.Request) { r.Header.Set("Signature", "sig2=:AAAA:") }, 401, "wrong"},
		"malformed":           {nil, func(r *fasthttp.Request) { r.Header.Set("Signature-Input", "sig1=(") }, 401, "malformed"},
		"no list":             {nil, func(r *fasthttp.Request) { r.Header.Set("Signature-Input", "sig1=1") }, 401, "malformed"},
		"no signature at all": {nil, func(r *fasthttp.Request) { r.Header.Del("Signature-Input") }, 0, ""},
		"component parameters": {nil, func(r *fasthttp.Request) {
			r.Header.Set("Signature-Input", `sig1=("@query-param";name="full")`+created(now))
		}, 401, "parameters"},
	} {
		m := NewSignatures("partners", map[string]Account{"acme": {Secret: "shh", Team: "shop"}}, 5*time.Minute, NewReplays())
		s := good()
		if c.change != nil {
			c.change(s)
		}
		r := s.request()
		if c.after != nil {
			c.after(r.HTTP)
		}
		wants(t, name, m, r, c.status, c.words)
		if c.status == 200 {
			wants(t, name+" again", m, s.request(), 401, "used before")
		}
	}
}

// TestReplays: what is remembered is not forgotten while it would be taken
// again, however full the memory is.
func TestReplays(t *testing.T) {
	p := NewReplays()
	p.most = 3
	until := now.Add(time.Minute)
	for i := range 3 {
		if fresh, room := p.note([32]byte{byte(i)}, until, now); !fresh || !room {
			t.Fatalf("%d: %v %v", i, fresh, room)
		}
	}
	if fresh, room := p.note([32]byte{9}, until, now); fresh || room {
		t.Errorf("one more: %v %v", fresh, room)
	}
	if fresh, _ := p.note([32]byte{0}, until, until); fresh {
		t.Error("taken again in its last second")
	}
	if fresh, room := p.note([32]byte{9}, until, now.Add(2*time.Minute)); !fresh || !room {
		t.Errorf("once the others are over: %v %v", fresh, room)
	}
	// A memory that outlives a change of clients, and is one for all clients.
	seen := NewReplays()
	account := map[string]Account{"acme": {Secret: "shh"}}
	s := good()
	wants(t, "first", NewSignatures("p", account, time.Minute, seen), s.request(), 200, "acme")
	wants(t, "after a reload", NewSignatures("p", account, time.Minute, seen), s.request(), 401, "used before")
	full := NewReplays()
	full.most = 0
	wants(t, "full", NewSignatures("p", account, time.Minute, full), s.request(), 503, "does not answer")
}

// FuzzSignatures holds the parser to errors: nobody signs without the secret.
func FuzzSignatures(f *testing.F) {
	s := good()
	f.Add(fmt.Sprintf(`sig1=("@method" "@path");created=%d;keyid="acme"`, now.Unix()), "sig1=:AAAA:", "sha-256=:AA==:")
	f.Add(`a=();created=1;keyid="acme", b=("x";sf);keyid="acme"`, "a=?1", "x")
	f.Fuzz(func(t *testing.T, input, signature, digest string) {
		m := NewSignatures("p", map[string]Account{"acme": {Secret: "shh"}}, 1000000*time.Hour, NewReplays())
		r := s.request()
		r.HTTP.Header.Set("Signature-Input", input)
		r.HTTP.Header.Set("Signature", signature)
		r.HTTP.Header.Set("Content-Digest", digest)
		if who, _ := m.Identify(r); who != nil {
			t.Errorf("%s %s was taken for %+v", input, signature, who)
		}
	})
}
