package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// A route that signs is taken by one that verifies, whatever the caller signed.
func TestRouteSignsHMAC(t *testing.T) {
	b := startBackend(t, "b")
	g := start(t, `auth: {hmac: {partners: {clients: {us: shared-secret}}}}
routes:
  - {name: in, match: {path: "/in/**"}, backend: {http: {targets: ["`+b.URL+`"]}}, auth: {require: ["hmac:partners"]}}
  - {name: out, match: {path: "/out/**"}, backend: {http: {targets: ["http://LISTEN/in"], strip_prefix: /out, sign: {hmac: {key_id: us, secret: shared-secret}}}}, retry: {attempts: 1}}
  - {name: wrong, match: {path: "/wrong/**"}, backend: {http: {targets: ["http://LISTEN/in"], strip_prefix: /wrong, sign: {hmac: {key_id: us, secret: another}}}}}
  - {name: bare, match: {path: "/bare/**"}, backend: {http: {targets: ["http://LISTEN/in"], strip_prefix: /bare}}}
`)
	large := strings.Repeat("x", 200<<10)
	for _, c := range []struct {
		method, path, body string
		header             []string
		status             int
	}{
		{"GET", "/out/a", "", nil, 200},
		{"GET", "/out/a", "", nil, 200}, // which is no replay
		{"GET", "/out/a%20b?x=1&y=%2F", "", nil, 200},
		{"POST", "/out/a?", "hello", nil, 200},
		{"PUT", "/out/sum", large, nil, 200},
		{"POST", "/out/a", "hello", []string{"Content-Digest", "sha-256=:AAAA:", "Signature", "x=:AAAA:", "Signature-Input", `x=("@method")`}, 200},
		{"POST", "/wrong/a", "hello", nil, 401},
		{"GET", "/bare/a", "", nil, 401},
	} {
		if r := g.raw(c.method, c.path, c.body, c.header...); r.status != c.status {
			t.Errorf("%s %s: %d %.300s, want %d", c.method, c.path, r.status, r.body, c.status)
		}
	}
	if h, _ := b.heard(); h.Get("Signature") == "" || strings.Contains(h.Get("Signature-Input"), "x=(") {
		t.Errorf("the backend was sent %v", h)
	}
}

// A route signs as services of AWS verify it.
func TestRouteSignsAWS(t *testing.T) {
	cloud := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := verifyAWS(r, body, map[bool]string{true: "s3", false: "lambda"}[strings.HasPrefix(r.URL.Path, "/base/s3/")]); err != "" {
			w.WriteHeader(403)
			_, _ = io.WriteString(w, err)
		}
	}))
	t.Cleanup(cloud.Close)
	const sign = `sign: {aws: {region: eu-west-1, service: SERVICE, id: AKID, secret: aws-secret, token: session}}`
	g := start(t, strings.ReplaceAll(`routes:
  - {name: fn, match: {path: "/fn/**"}, backend: {http: {targets: ["CLOUD"], `+strings.Replace(sign, "SERVICE", "lambda", 1)+`}}}
  - {name: s3, match: {path: "/s3/**"}, backend: {http: {targets: ["CLOUD/base"], `+strings.Replace(sign, "SERVICE", "s3", 1)+`}}}
`, "CLOUD", cloud.URL))
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/fn/a", ""},
		{"POST", "/fn/a%20b?z=1&a=x%20y&a=2", `{"n":1}`},
		{"PUT", "/s3/key%20one?partNumber=1", strings.Repeat("y", 100<<10)},
		{"GET", "/s3/key", ""},
	} {
		r := g.raw(c.method, c.path, c.body, "Content-Type", "application/json", "Authorization", "Bearer of-the-caller", "X-Amz-Target", "Thing.Do", "X-Amz-Date", "20200101T000000Z")
		if r.status != 200 {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.status, r.body)
		}
	}
}

// verifyAWS signs what has come once more, by the maker's own code.
func verifyAWS(r *http.Request, body []byte, service string) string {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(at).Abs() > time.Minute || len(r.Header["X-Amz-Date"]) != 1 {
		return "it was signed at " + r.Header.Get("X-Amz-Date")
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	again := &http.Request{Method: r.Method, Host: r.Host, Header: http.Header{}, ContentLength: int64(len(body)),
		URL: &url.URL{Scheme: "http", Host: r.Host, Opaque: "//" + r.Host + path, RawQuery: query}}
	_, signed, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	signed, _, _ = strings.Cut(signed, ",")
	for name := range strings.SplitSeq(signed, ";") {
		if values := r.Header.Values(name); len(values) > 0 {
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	if service == "s3" && r.Header.Get("X-Amz-Content-Sha256") != digest {
		return "the body's digest is not told"
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	creds := aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "aws-secret", SessionToken: "session"}
	if err := signer.SignHTTP(context.Background(), creds, again, digest, service, "eu-west-1", at); err != nil {
		return err.Error()
	}
	for _, name := range []string{"x-amz-target", "x-amz-date", "x-amz-security-token", "content-type", "host"} {
		if !strings.Contains(signed, name) {
			return name + " is not signed: " + signed
		}
	}
	if want := again.Header.Get("Authorization"); r.Header.Get("Authorization") != want {
		return r.Header.Get("Authorization") + " is not " + want
	}
	return ""
}
