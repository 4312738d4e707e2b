package export

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// bucketServer keeps objects, and takes only requests that are signed rightly:
// AWS's own rule, from "Signature Calculations for the Authorization Header" in
// Amazon's S3 API reference.
type bucketServer struct {
	t       *testing.T
	secret  string
	objects map[string]string
	failing int // the next requests, which are answered 503
}

func (s *bucketServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	path := r.URL.EscapedPath()
	switch why := s.unsigned(r, body); {
	case s.failing > 0:
		s.failing--
		w.WriteHeader(503)
	case why != "":
		http.Error(w, why, http.StatusForbidden)
	case r.Method == "PUT":
		s.objects[path] = string(body)
	default:
		if _, ok := s.objects[path]; !ok {
			w.WriteHeader(404)
		}
	}
}

func hash(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }

func (s *bucketServer) unsigned(r *http.Request, body []byte) string {
	given := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		given[name] = value
	}
	scope := strings.Split(given["Credential"], "/")
	if len(scope) != 5 || scope[3] != "s3" || r.Header.Get("X-Amz-Content-Sha256") != hash(body) {
		return "wrong scope or payload hash"
	}
	var headers strings.Builder
	for name := range strings.SplitSeq(given["SignedHeaders"], ";") {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		headers.WriteString(name + ":" + value + "\n")
	}
	request := strings.Join([]string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, headers.String(), given["SignedHeaders"], hash(body)}, "\n")
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), strings.Join(scope[1:], "/"), hash([]byte(request))}, "\n")
	key := []byte("AWS4" + s.secret)
	for _, part := range append(scope[1:], toSign) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	if hex.EncodeToString(key) != given["Signature"] {
		return "the signature does not match"
	}
	return ""
}

func TestBucket(t *testing.T) {
	s := &bucketServer{t: t, secret: "very secret", objects: map[string]string{}}
	server := httptest.NewServer(s)
	defer server.Close()
	b, err := ParseBucket("s3://acme/led ger/team=x/")
	if err != nil {
		t.Fatal(err)
	}
	b.Endpoint, b.Region, b.AccessKey, b.Secret, b.HTTP = server.URL+"/", "eu-central-1", "AKIA", "very secret", server.Client()
	ctx := context.Background()
	put := func(b *Bucket, text string) error {
		return b.Put(ctx, "a.csv", func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
	}
	if has, err := b.Has(ctx, "a.csv"); has || err != nil {
		t.Errorf("Has = %v, %v", has, err)
	}
	s.failing = 1
	if err := put(&b, "hello"); err != nil || s.objects["/acme/led%20ger/team%3Dx/a.csv"] != "hello" {
		t.Errorf("Put = %v, objects %v", err, s.objects)
	}
	if has, err := b.Has(ctx, "a.csv"); !has || err != nil {
		t.Errorf("Has = %v, %v", has, err)
	}
	if err := put(&b, ""); err != nil || s.objects["/acme/led%20ger/team%3Dx/a.csv"] != "" {
		t.Errorf("Put of nothing = %v", err)
	}
	broken := errors.New("broken")
	if err := b.Put(ctx, "b.csv", func(io.Writer) error { return broken }); !errors.Is(err, broken) || len(s.objects) != 1 {
		t.Errorf("Put that breaks = %v, %v", err, s.objects)
	}
	wrong := b
	wrong.Secret = "wrong"
	if err := put(&wrong, "x"); err == nil || !strings.Contains(err.Error(), "does not match") {
		t.Errorf("Put with the wrong secret = %v", err)
	}
	if has, err := wrong.Has(ctx, "a.csv"); has || err == nil {
		t.Errorf("Has with the wrong secret = %v, %v", has, err)
	}
}

func TestBucketURLs(t *testing.T) {
	for text, want := range map[string]string{
		"s3://acme/x/y":  "https://acme.s3.us-east-1.amazonaws.com/x/y/f%2B1.csv",
		"s3://acme":      "https://acme.s3.us-east-1.amazonaws.com/f%2B1.csv",
		"s3://ac.me/":    "https://s3.us-east-1.amazonaws.com/ac.me/f%2B1.csv",
		"s3://":          "",
		"s3:///x":        "",
		"https://acme/x": "",
	} {
		b, err := ParseBucket(text)
		if (err != nil) != (want == "") {
			t.Errorf("%s: %v", text, err)
		}
		if b.Region = "us-east-1"; err == nil {
			if u, err := b.url("f+1.csv"); err != nil || u.String() != want {
				t.Errorf("%s: %v, %v", text, u, err)
			}
		}
	}
	b := Bucket{Name: "a", Endpoint: "example.com"}
	if _, err := b.Has(context.Background(), "x"); err == nil || !strings.Contains(err.Error(), "endpoint") {
		t.Errorf("an endpoint that is no URL: %v", err)
	}
}
