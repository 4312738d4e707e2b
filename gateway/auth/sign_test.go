package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// What is signed is the text of RFC 9421, section 2.5, made here by hand.
func TestSignerBase(t *testing.T) {
	s, err := NewSigner("us", "shared secret", "HTTPS://API.example.com:443/base/")
	if err != nil {
		t.Fatal(err)
	}
	s.scheme = "https" // as url.Parse gives it
	s.Now = func() time.Time { return time.Unix(1_700_000_000, 0) }
	got, err := s.Sign("POST", "", "/a%20b?x=1&y", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	params, ok := strings.CutPrefix(got.Input, "sluice=")
	if !ok || !strings.HasPrefix(params, `("@method" "@authority" "@path" "@query" "content-digest");created=1700000000;nonce="`) ||
		!strings.HasSuffix(params, `";keyid="us";alg="hmac-sha256"`) {
		t.Fatalf("input %s", got.Input)
	}
	digest := sha256.Sum256([]byte("hello"))
	if want := "sha-256=:" + base64.StdEncoding.EncodeToString(digest[:]) + ":"; got.Digest != want {
		t.Errorf("digest %s, want %s", got.Digest, want)
	}
	text := "\"@method\": POST\n\"@authority\": api.example.com\n\"@path\": /base/a%20b\n\"@query\": ?x=1&y\n" +
		"\"content-digest\": " + got.Digest + "\n\"@signature-params\": " + params
	mac := hmac.New(sha256.New, []byte("shared secret"))
	mac.Write([]byte(text))
	if want := "sluice=:" + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + ":"; got.Sum != want {
		t.Errorf("signature %s, want %s", got.Sum, want)
	}
	again, err := s.Sign("POST", "", "/a%20b?x=1&y", []byte("hello"))
	if err != nil || again.Sum == got.Sum {
		t.Errorf("two requests have one signature: %v", err)
	}
}

// What is signed here is taken here, and no more once it was changed.
func TestSignerIsVerified(t *testing.T) {
	s, err := NewSigner("us", "shared secret", "http://127.0.0.1:9001")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body   string
		change func(r *Request)
		ok     bool
	}{
		"as it was":      {"body", func(*Request) {}, true},
		"without a body": {"", func(*Request) {}, true},
		"method":         {"body", func(r *Request) { r.HTTP.Header.SetMethod("PUT") }, false},
		"host":           {"body", func(r *Request) { r.HTTP.Header.SetHost("other") }, false},
		"query":          {"body", func(r *Request) { r.Target += "2" }, false},
		"body":           {"body", func(r *Request) { r.Body = func() ([]byte, error) { return []byte("other"), nil } }, false},
	} {
		signed, err := s.Sign("POST", "", "/p?q=1", []byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r := &Request{HTTP: new(fasthttp.Request), Scheme: "http", Target: "/p?q=1", Now: time.Now(), Body: func() ([]byte, error) { return []byte(c.body), nil }}
		r.HTTP.Header.SetMethod("POST")
		r.HTTP.Header.SetHost("127.0.0.1:9001")
		r.HTTP.Header.Set("Signature-Input", signed.Input)
		r.HTTP.Header.Set("Signature", signed.Sum)
		if signed.Digest != "" {
			r.HTTP.Header.Set("Content-Digest", signed.Digest)
		}
		c.change(r)
		method := NewSignatures("partners", map[string]Account{"us": {Secret: "shared secret"}}, time.Minute, NewReplays())
		id, refused := method.Identify(r)
		if got := refused == nil && id != nil; got != c.ok {
			t.Errorf("%s: taken %v: %v", name, got, refused)
		}
	}
}
