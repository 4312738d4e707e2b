package upstream

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// AWSSecret is the secret access key that the fake checks signatures with,
// whatever the access key id is.
const AWSSecret = "fake-secret-access-key"

// awsKey is who calls: the access key id of a signature, or a Bedrock API key.
func awsKey(ctx *fasthttp.RequestCtx) string {
	auth := string(ctx.Request.Header.Peek("Authorization"))
	if _, credential, ok := strings.Cut(auth, "Credential="); ok {
		id, _, _ := strings.Cut(credential, "/")
		return id
	}
	return strings.TrimPrefix(auth, "Bearer ")
}

// unsigned tells what is wrong with a request's Signature Version 4, or "". It
// is AWS's own rule, from the page "Create a signed AWS API request".
func unsigned(ctx *fasthttp.RequestCtx) string {
	h := &ctx.Request.Header
	auth := string(h.Peek("Authorization"))
	if strings.HasPrefix(auth, "Bearer ") {
		return ""
	}
	fields, ok := strings.CutPrefix(auth, "AWS4-HMAC-SHA256 ")
	if !ok {
		return "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters."
	}
	given := map[string]string{}
	for part := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		given[name] = value
	}
	scope := strings.Split(given["Credential"], "/") // id, day, region, service, aws4_request
	signed := strings.Split(given["SignedHeaders"], ";")
	date := string(h.Peek("X-Amz-Date"))
	switch {
	case len(scope) != 5 || scope[3] != "bedrock" || scope[4] != "aws4_request":
		return "Credential should be scoped to a valid region and to the service bedrock."
	case !strings.HasPrefix(date, scope[1]+"T"):
		return "Date in Credential scope does not match YYYYMMDD from the header x-amz-date."
	case !slices.Contains(signed, "host") || !slices.Contains(signed, "x-amz-date"):
		return "The headers host and x-amz-date must be signed."
	}
	request := strings.Join([]string{string(h.Method()), canonicalPath(string(ctx.URI().PathOriginal())), string(ctx.URI().QueryString()),
		canonicalHeaders(h, signed), given["SignedHeaders"], hexHash(ctx.PostBody())}, "\n")
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", date, strings.Join(scope[1:], "/"), hexHash([]byte(request))}, "\n")
	key := []byte("AWS4" + AWSSecret)
	for _, part := range append(scope[1:], toSign) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part)) //nolint:errcheck // a hash never fails
		key = mac.Sum(nil)
	}
	if hex.EncodeToString(key) != given["Signature"] {
		return "The request signature we calculated does not match the signature you provided."
	}
	return ""
}

// canonicalPath escapes the path as it was sent once more, segment by segment:
// every service but S3 wants it so.
func canonicalPath(sent string) string {
	segments := strings.Split(sent, "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	}
	return strings.Join(segments, "/")
}

func canonicalHeaders(h *fasthttp.RequestHeader, signed []string) string {
	var b strings.Builder
	for _, name := range signed {
		b.WriteString(name + ":" + strings.Join(strings.Fields(string(h.Peek(name))), " ") + "\n")
	}
	return b.String()
}

func hexHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
