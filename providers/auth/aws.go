package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// AWSOptions describe what is signed for.
type AWSOptions struct {
	BaseURL string // the provider's; its host and path are part of what is signed
	Region  string // empty: read from the host, as in bedrock-runtime.us-east-1.amazonaws.com
	Service string // empty: bedrock
	// Keys are used for calls without a secret: from AWS_ACCESS_KEY_ID,
	// AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or AWS_BEARER_TOKEN_BEDROCK.
	Keys AWSKeys
	Now  func() time.Time // nil: time.Now
}

// AWSKeys are either an access key (ID and Secret, with Token where it is
// temporary) or a Bedrock API key.
type AWSKeys struct {
	ID     string `json:"access_key_id"`
	Secret string `json:"secret_access_key"`
	Token  string `json:"session_token"`
	APIKey string `json:"api_key"`
}

// IsZero tells whether there is no key at all.
func (k AWSKeys) IsZero() bool { return k == AWSKeys{} }

// ParseAWSKeys reads a secret: "ID:SECRET" or "ID:SECRET:TOKEN", a JSON object
// with the fields access_key_id, secret_access_key, session_token, api_key, or
// a Bedrock API key as it is. The error does not quote the secret.
func ParseAWSKeys(secret string) (AWSKeys, error) {
	var k AWSKeys
	secret = strings.TrimSpace(secret)
	switch {
	case strings.HasPrefix(secret, "{"):
		if json.Unmarshal([]byte(secret), &k) != nil {
			return AWSKeys{}, fmt.Errorf("cannot read AWS keys: they are not a JSON object of strings")
		}
	case strings.Contains(secret, ":"):
		k.ID, k.Secret, _ = strings.Cut(secret, ":")
		k.Secret, k.Token, _ = strings.Cut(k.Secret, ":")
	default:
		k.APIKey = secret
	}
	if k.APIKey == "" && (k.ID == "" || k.Secret == "") {
		return AWSKeys{}, fmt.Errorf("cannot read AWS keys: they need an access key id and a secret access key, or an API key")
	}
	return k, nil
}

// AWS signs requests to one endpoint. An error names what is missing in o.
func AWS(o AWSOptions) (Sign, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("cannot sign for AWS: the base URL names no host")
	}
	if o.Region == "" {
		o.Region = regionOf(base.Hostname())
	}
	if o.Region == "" {
		return nil, fmt.Errorf("cannot sign for AWS: the region is not set, and the host %q does not name it", base.Hostname())
	}
	if o.Service == "" {
		o.Service = "bedrock"
	}
	o.Now = clock(o.Now)
	s := &sigV4{opt: o, base: base, signer: v4.NewSigner(func(v *v4.SignerOptions) { v.DisableURIPathEscaping = o.Service == "s3" })}
	return s.sign, nil
}

// regionOf finds the region in a host such as
// bedrock-runtime.us-east-1.amazonaws.com, bedrock-runtime-fips.us-gov-west-1.…
// or vpce-1-2.bedrock-runtime.eu-west-1.vpce.amazonaws.com.
func regionOf(host string) string {
	if !strings.Contains(host, ".amazonaws.com") && !strings.HasSuffix(host, ".api.aws") {
		return ""
	}
	for _, label := range strings.Split(host, ".") {
		parts := strings.Split(label, "-")
		n := len(parts)
		if n < 3 || len(parts[0]) > 4 || len(parts[n-1]) != 1 || parts[n-1] < "0" || parts[n-1] > "9" {
			continue
		}
		if parts[0] != "vpce" {
			return label
		}
	}
	return ""
}

type sigV4 struct {
	opt    AWSOptions
	base   *url.URL
	signer *v4.Signer // safe for many goroutines; keeps the derived keys
}

func (s *sigV4) sign(ctx context.Context, r *Request, secret string) ([]Field, error) {
	keys := s.opt.Keys
	if secret != "" {
		var err error
		if keys, err = ParseAWSKeys(secret); err != nil {
			return nil, refused("%s", err)
		}
	}
	switch {
	case keys.APIKey != "":
		return bearer(keys.APIKey), nil
	case keys.ID == "" || keys.Secret == "":
		return nil, refused("the provider has no AWS keys")
	}
	return s.signature(ctx, r, keys)
}

// signature makes the headers of Signature Version 4. The path is signed as it
// is sent, escaped once more: that is what every service but S3 checks.
func (s *sigV4) signature(ctx context.Context, r *Request, keys AWSKeys) ([]Field, error) {
	path, query, _ := strings.Cut(r.Path, "?")
	path = strings.TrimRight(s.base.EscapedPath(), "/") + path
	req := &http.Request{
		Method:        r.Method,
		Host:          s.base.Host,
		URL:           &url.URL{Scheme: s.base.Scheme, Host: s.base.Host, Opaque: "//" + s.base.Host + path, RawQuery: query},
		Header:        http.Header{},
		ContentLength: int64(len(r.Body)),
	}
	for _, f := range r.Header {
		// Signed is what nothing on the way changes.
		if name := http.CanonicalHeaderKey(f.Name); name == "Content-Type" || strings.HasPrefix(name, "X-Amz") {
			req.Header.Add(name, f.Value)
		}
	}
	sent := len(req.Header)
	digest := sha256.Sum256(r.Body)
	if s.opt.Service == "s3" { // which wants to be told
		req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(digest[:]))
	}
	creds := aws.Credentials{AccessKeyID: keys.ID, SecretAccessKey: keys.Secret, SessionToken: keys.Token}
	err := s.signer.SignHTTP(ctx, creds, req, hex.EncodeToString(digest[:]), s.opt.Service, s.opt.Region, s.opt.Now())
	if err != nil {
		return nil, refused("the request could not be signed for AWS")
	}
	out := make([]Field, 0, len(req.Header)-sent)
	for _, name := range []string{"X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token", "Authorization"} {
		if value := req.Header.Get(name); value != "" {
			out = append(out, Field{Name: name, Value: value})
		}
	}
	return out, nil
}
