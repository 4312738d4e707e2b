package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Bucket is a Sink in a bucket of S3, or of something that speaks its API. The
// requests are those of "PutObject" and "HeadObject" in Amazon's S3 API
// reference, signed with Signature Version 4. An object is at most 5 GB.
type Bucket struct {
	Name, Prefix string // the prefix without slashes at its ends
	// Endpoint is the URL of another service than Amazon's, whose buckets are
	// the first part of the path; empty: Amazon's, in Region.
	Endpoint string
	Region   string
	// AccessKey, Secret and, of a temporary one, Token are who signs.
	AccessKey, Secret, Token string

	HTTP *http.Client     // nil: one of its own
	Now  func() time.Time // nil: time.Now
}

// ParseBucket reads s3://bucket/prefix.
func ParseBucket(text string) (Bucket, error) {
	rest, ok := strings.CutPrefix(text, "s3://")
	name, prefix, _ := strings.Cut(rest, "/")
	if !ok || name == "" || strings.ContainsAny(name, "?#@:%") {
		return Bucket{}, fmt.Errorf("%q is not of the form s3://bucket/prefix", text)
	}
	return Bucket{Name: name, Prefix: strings.Trim(prefix, "/")}, nil
}

// url is where an object is. Its path is escaped as the signature wants it:
// everything but letters, digits, "-._~" and "/".
func (b *Bucket) url(name string) (*url.URL, error) {
	key := name
	if b.Prefix != "" {
		key = b.Prefix + "/" + name
	}
	base := "https://" + b.Name + ".s3." + b.Region + ".amazonaws.com"
	if b.Endpoint != "" {
		base, key = strings.TrimRight(b.Endpoint, "/"), b.Name+"/"+key
	} else if strings.Contains(b.Name, ".") { // no certificate covers it as a part of the host
		base, key = "https://s3."+b.Region+".amazonaws.com", b.Name+"/"+key
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("endpoint %q is not a URL such as https://s3.example.com", b.Endpoint)
	}
	u.RawPath = u.EscapedPath() + "/" + strictEscape(key)
	u.Path += "/" + key
	return u, nil
}

func strictEscape(key string) string {
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Has tells whether the object is there.
func (b *Bucket) Has(ctx context.Context, name string) (bool, error) {
	status, err := b.send(ctx, http.MethodHead, name, object{hash: emptyHash})
	if status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

var emptyHash = hex.EncodeToString(sha256.New().Sum(nil))

// Put gathers the object in a temporary file, for its length and hash must be
// known before it is sent.
func (b *Bucket) Put(ctx context.Context, name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp("", "sluice-export-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	hash := sha256.New()
	if err := write(io.MultiWriter(f, hash)); err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	_, err = b.send(ctx, http.MethodPut, name, object{f, size, hex.EncodeToString(hash.Sum(nil))})
	return err
}

// object is what is sent; a body of nil is none.
type object struct {
	body io.ReaderAt
	size int64
	hash string // SHA-256, hexadecimal
}

// tries is how often a request is made that the service or the network fails.
const tries = 4

// send makes a signed request; what went wrong for a moment is tried again.
func (b *Bucket) send(ctx context.Context, method, name string, o object) (status int, err error) {
	for try := range tries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(200 * time.Millisecond << try):
			}
		}
		status, err = b.once(ctx, method, name, o)
		if err == nil || status != 0 && status < 500 && status != http.StatusTooManyRequests {
			return status, err
		}
	}
	return status, err
}

func (b *Bucket) once(ctx context.Context, method, name string, o object) (int, error) {
	u, err := b.url(name)
	if err != nil {
		return http.StatusBadRequest, err
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return http.StatusBadRequest, err
	}
	req.URL = u
	if o.body != nil {
		req.Body, req.ContentLength = io.NopCloser(io.NewSectionReader(o.body, 0, o.size)), o.size
		if o.size == 0 {
			req.Body = http.NoBody
		}
	}
	req.Header.Set("X-Amz-Content-Sha256", o.hash)
	now := time.Now
	if b.Now != nil {
		now = b.Now
	}
	signer := v4.NewSigner(func(s *v4.SignerOptions) { s.DisableURIPathEscaping = true })
	who := aws.Credentials{AccessKeyID: b.AccessKey, SecretAccessKey: b.Secret, SessionToken: b.Token}
	if err := signer.SignHTTP(ctx, who, req, o.hash, "s3", b.Region, now().UTC()); err != nil {
		return http.StatusBadRequest, err
	}
	client := b.HTTP
	if client == nil {
		client = &http.Client{Timeout: time.Hour}
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 2000)) // what it says of an error
	if res.StatusCode >= 300 {
		return res.StatusCode, fmt.Errorf("the bucket answered %s to %s %s: %s", res.Status, method, u.Path, text)
	}
	return res.StatusCode, nil
}
