package providers

import (
	"context"
	"io"
	"strings"
	"testing"

	"sluice/providers/mock"
	"sluice/providers/schema"
)

func passCall() *Call { return &Call{Request: &Request{}, Model: "big", Secret: "s3cret"} }

func TestPassWhole(t *testing.T) {
	p, conn := fake{contentType: "application/json; charset=utf-8", body: `{"data":[{}]}`}.provider(t)
	passed, err := p.Pass(context.Background(), passCall(), &schema.PassRequest{Op: schema.OpImage, Method: "POST", Path: "/images/generations",
		Type: "multipart/form-data; boundary=x", Body: []byte("--x--")})
	if err != nil {
		t.Fatal(err)
	}
	defer passed.Answer.Release()
	if string(passed.Answer.Body) != `{"data":[{}]}` || passed.Type != "application/json; charset=utf-8" || passed.Answer.Tally.Usage.Images != 1 {
		t.Errorf("passed is %+v", passed)
	}
	head, body, _ := strings.Cut(string(conn.sent), "\r\n\r\n")
	for _, line := range []string{"POST /v1/images/generations HTTP/1.1", "Content-Type: multipart/form-data; boundary=x", "Authorization: Bearer s3cret", "X-Team: a"} {
		if !strings.Contains(head, line) {
			t.Errorf("%q is not in %q", line, head)
		}
	}
	if body != "--x--" {
		t.Errorf("body is %q", body)
	}
}

// A GET has neither a body nor a type; a request after it is not marked by it.
func TestPassGet(t *testing.T) {
	p, conn := fake{contentType: "application/json", body: `{"object":"list"}`}.provider(t)
	passed, err := p.Pass(context.Background(), passCall(), &schema.PassRequest{Op: schema.OpFile, Method: "GET", Path: "/files?limit=1"})
	if err != nil {
		t.Fatal(err)
	}
	passed.Answer.Release()
	if sent := string(conn.sent); !strings.HasPrefix(sent, "GET /v1/files?limit=1 HTTP/1.1") || strings.Contains(sent, "Content-") {
		t.Errorf("sent %q", sent)
	}
	if a := newAttempt(p.opt.Dialect); a.method != "" || a.mediaType != "" {
		t.Errorf("the next request begins as %+v", a)
	}
}

func TestPassBytes(t *testing.T) {
	const sound = "\x00\x01\x02"
	p, _ := fake{contentType: "audio/mpeg", header: "Content-Disposition: attachment\r\n", body: sound, piece: 1}.provider(t)
	passed, err := p.Pass(context.Background(), passCall(), &schema.PassRequest{Op: schema.OpSpeech, Method: "POST", Path: "/audio/speech", Bytes: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(passed.Bytes)
	if err != nil || string(got) != sound || passed.Disposition != "attachment" || passed.Bytes.Tally().Usage != (schema.Usage{}) {
		t.Errorf("%q %v", got, err)
	}
	if err := passed.Bytes.Close(); err != nil {
		t.Error(err)
	}
	p, _ = fake{contentType: "audio/mpeg", body: sound, unclean: true}.provider(t)
	if passed, err = p.Pass(context.Background(), passCall(), &schema.PassRequest{Op: schema.OpSpeech, Method: "POST", Path: "/audio/speech", Bytes: true}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = passed.Bytes.Close() }()
	if _, err := io.ReadAll(passed.Bytes); err == nil || schema.AsError(err).Provider != "lab" {
		t.Errorf("cut: %v", err)
	}
}

func TestPassStream(t *testing.T) {
	const body = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"a\"}\n\ndata: {\"type\":\"transcript.text.done\",\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}\n\n"
	ask := &schema.PassRequest{Op: schema.OpTranscribe, Method: "POST", Path: "/audio/transcriptions"}
	for _, f := range []fake{{body: body}, {body: body, piece: 1}, {body: crlf(body), piece: 3}, {body: body + "data: [DONE]\n\n"}} {
		p, _ := f.provider(t)
		passed, err := p.Pass(context.Background(), passCall(), ask)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readStream(passed.Stream, 100)
		if err != nil || strings.TrimRight(got, "\r\n") != strings.TrimRight(f.body, "\r\n") || passed.Stream.Tally().Usage.Output != 4 {
			t.Errorf("%q %v %+v", got, err, passed.Stream.Tally())
		}
		_ = passed.Stream.Close()
	}
	for at := range len(body) {
		if strings.TrimSpace(body[at:]) == "" {
			continue // only its blank line is missing
		}
		for _, unclean := range []bool{false, true} {
			p, _ := fake{body: body[:at], unclean: unclean}.provider(t)
			passed, err := p.Pass(context.Background(), passCall(), ask)
			if err == nil {
				_, err = readStream(passed.Stream, 100)
				_ = passed.Stream.Close()
			}
			if err == nil {
				t.Errorf("cut at %d of %d it ends properly", at, len(body))
			}
		}
	}
}

func TestPassRefused(t *testing.T) {
	ask := &schema.PassRequest{Op: schema.OpImage, Method: "POST", Path: "/images/generations"}
	p, _ := fake{status: 401, contentType: "application/json", body: `{"error":{"message":"Incorrect API key provided: s3cret"}}`}.provider(t)
	_, err := p.Pass(context.Background(), passCall(), ask)
	wantError(t, err, schema.ClassAuth, 502, schema.CodeUpstreamAuth)
	p, _ = fake{contentType: "application/json", body: `{"nothing":1}`}.provider(t)
	_, err = p.Pass(context.Background(), passCall(), ask)
	wantError(t, err, schema.ClassInvalidOutput, 502, schema.CodeUpstream)
	p, _ = fake{dialect: other()}.provider(t)
	p.opt.Dialect.Pass = nil
	_, err = p.Pass(context.Background(), passCall(), ask)
	wantError(t, err, schema.ClassInvalidRequest, 400, schema.CodeUnsupported)
	if _, err = p.Realtime(context.Background(), passCall(), "/realtime", ""); err == nil {
		t.Error("a session with a provider that has none")
	}
}

func TestPassLocal(t *testing.T) {
	p := New(Options{Name: "m", Local: mock.New(mock.Options{})})
	passed, err := p.Pass(context.Background(), passCall(), &schema.PassRequest{Op: schema.OpModerate, Model: "moderate", Body: []byte(`{"input":"kill"}`)})
	if err != nil || passed.Answer.Tally.Usage.Input == 0 || !strings.Contains(string(passed.Answer.Body), `"flagged":true`) {
		t.Errorf("%+v %v", passed, err)
	}
	if !p.Local() || p.Passes(schema.OpFile) {
		t.Error("the mock passes files")
	}
	if _, err := p.Pass(context.Background(), passCall(), &schema.PassRequest{Op: schema.OpModerate, Model: "fail-503", Body: []byte(`{}`)}); err == nil {
		t.Error("no error")
	}
}

func TestRealtime(t *testing.T) {
	p, _ := fake{status: 200, contentType: "text/html", body: "hello"}.provider(t)
	_, err := p.Realtime(context.Background(), passCall(), "/realtime?model=big", "realtime")
	wantError(t, err, schema.ClassInvalidOutput, 502, schema.CodeUpstream)
	p, conn := fake{status: 404, contentType: "application/json", body: `{"error":{"message":"no model"}}`}.provider(t)
	_, err = p.Realtime(context.Background(), passCall(), "/realtime?model=big", "realtime")
	wantError(t, err, schema.ClassNotFound, 404, schema.CodeModelNotFound)
	for _, line := range []string{"GET /v1/realtime?model=big HTTP/1.1", "Upgrade: websocket", "Sec-WebSocket-Protocol: realtime", "Authorization: Bearer s3cret"} {
		if !strings.Contains(string(conn.sent), line) {
			t.Errorf("%q is not in %q", line, conn.sent)
		}
	}
	p, _ = fake{status: 101, header: "Upgrade: websocket\r\nSec-WebSocket-Accept: wrong\r\n"}.provider(t)
	_, err = p.Realtime(context.Background(), passCall(), "/realtime?model=big", "")
	wantError(t, err, schema.ClassInvalidOutput, 502, schema.CodeUpstream)
}
