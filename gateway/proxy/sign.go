package proxy

import (
	"bytes"
	"context"

	"sluice/gateway/auth"
	awsauth "sluice/providers/auth"
	"sluice/providers/dialect"
	"sluice/providers/upstream"
)

// Signing is how requests to targets are signed.
type Signing struct {
	// For makes what signs the requests to a target.
	For func(url string) (Signer, error)
	// Replaces are headers of callers that are not passed on: ours stand in their
	// place.
	Replaces []string
}

// Signer adds to a request's header what proves who sends it.
type Signer func(ctx context.Context, q *upstream.Request, body []byte) error

// SignHMAC signs with a shared secret (RFC 9421).
func SignHMAC(keyID, secret string) *Signing {
	return &Signing{Replaces: []string{"Signature", "Signature-Input", "Content-Digest"}, For: func(url string) (Signer, error) {
		s, err := auth.NewSigner(keyID, secret, url)
		if err != nil {
			return nil, err
		}
		return func(_ context.Context, q *upstream.Request, body []byte) error {
			signed, err := s.Sign(q.Method, q.Host, q.Path, body)
			if err != nil {
				return err
			}
			if signed.Digest != "" {
				q.Header = append(q.Header, dialect.Field{Name: "Content-Digest", Value: signed.Digest})
			}
			q.Header = append(q.Header, dialect.Field{Name: "Signature-Input", Value: signed.Input}, dialect.Field{Name: "Signature", Value: signed.Sum})
			return nil
		}, nil
	}}
}

// SignAWS signs as services of AWS want it (Signature Version 4).
func SignAWS(o awsauth.AWSOptions) *Signing {
	return &Signing{Replaces: []string{"Authorization", "X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token"}, For: func(url string) (Signer, error) {
		o := o
		o.BaseURL = url
		sign, err := awsauth.AWS(o)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, q *upstream.Request, body []byte) error {
			fields, err := sign(ctx, &awsauth.Request{Method: q.Method, Path: q.Path, Header: linesOf(q.Lines), Body: body}, "")
			for _, f := range fields {
				q.Header = append(q.Header, dialect.Field{Name: f.Name, Value: f.Value})
			}
			return err
		}, nil
	}}
}

// linesOf reads header lines that we have written.
func linesOf(lines []byte) (list []awsauth.Field) {
	for line := range bytes.SplitSeq(lines, []byte("\r\n")) {
		if name, value, ok := bytes.Cut(line, []byte(": ")); ok {
			list = append(list, awsauth.Field{Name: string(name), Value: string(value)})
		}
	}
	return list
}
