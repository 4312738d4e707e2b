package mock

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"image/png"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

const formHead = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n12345\r\n"

func pass(op schema.Operation, model, body string) (*schema.PassResponse, error) {
	kind := "application/json"
	if strings.HasPrefix(body, "--b") {
		kind = "multipart/form-data; boundary=b"
	}
	return New(Options{}).Pass(context.Background(), &schema.PassRequest{Op: op, Model: model, Type: kind, Body: []byte(body)})
}

func mustPass(t *testing.T, op schema.Operation, model, body string) *schema.PassResponse {
	t.Helper()
	resp, err := pass(op, model, body)
	if err != nil {
		t.Fatalf("%s %s: %v", op, body, err)
	}
	if resp.Usage.Source != schema.UsageReported {
		t.Errorf("%s: usage is %+v", op, resp.Usage)
	}
	return resp
}

func TestPassImage(t *testing.T) {
	for _, body := range []string{`{"prompt":"a cat","n":2}`, "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n2\r\n--b--"} {
		resp := mustPass(t, schema.OpImage, "image", body)
		if resp.Usage.Images != 2 || gjson.GetBytes(resp.Body, "data.#").Int() != 2 {
			t.Errorf("pictures: %+v %s", resp.Usage, resp.Body)
		}
		raw, err := base64.StdEncoding.DecodeString(gjson.GetBytes(resp.Body, "data.1.b64_json").Str)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(bytes.NewReader(raw)); err != nil {
			t.Errorf("not a PNG: %v", err)
		}
	}
}

func TestPassSpeech(t *testing.T) {
	resp := mustPass(t, schema.OpSpeech, "speech", `{"input":"two words","voice":"x"}`)
	b := resp.Body
	if resp.Type != "audio/wav" || string(b[:4]) != "RIFF" || string(b[8:16]) != "WAVEfmt " || int(binary.LittleEndian.Uint32(b[4:])) != len(b)-8 ||
		int(binary.LittleEndian.Uint32(b[40:])) != len(b)-44 || len(b) != 44+2*2*wavWords {
		t.Errorf("not a WAV: %d bytes %q", len(b), b[:44])
	}
}

func TestPassTranscription(t *testing.T) {
	field := func(name, value string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	whole := mustPass(t, schema.OpTranscribe, "transcribe", formHead+"--b--")
	if gjson.GetBytes(whole.Body, "text").Str != "the mock heard 5 bytes" || whole.Usage.AudioInput != 1 {
		t.Errorf("whole: %s %+v", whole.Body, whole.Usage)
	}
	plain := mustPass(t, schema.OpTranscribe, "transcribe", formHead+field("response_format", "text")+"--b--")
	if string(plain.Body) != "the mock heard 5 bytes\n" {
		t.Errorf("plain: %q", plain.Body)
	}
	events := mustPass(t, schema.OpTranscribe, "transcribe", formHead+field("stream", "true")+"--b--")
	if events.Type != "text/event-stream" || !strings.Contains(string(events.Body), "transcript.text.done") {
		t.Errorf("events: %s", events.Body)
	}
}

func TestPassModeration(t *testing.T) {
	for body, want := range map[string]string{
		`{"input":"i want to kill them."}`:                            `[true]`,
		`{"input":["kind","Kill"]}`:                                   `[false,true]`,
		`{"input":[{"type":"text","text":"ki"},{"text":"ll"}],"x":1}`: `[true]`,
	} {
		resp := mustPass(t, schema.OpModerate, "", body)
		if got := gjson.GetBytes(resp.Body, "results.#.flagged").Raw; got != want {
			t.Errorf("%s: flagged %s, want %s", body, got, want)
		}
	}
}

func TestPassRefused(t *testing.T) {
	m := New(Options{})
	if m.Passes(schema.OpFile) || m.Passes(schema.OpChat) || !m.Passes(schema.OpImage) {
		t.Error("the wrong operations are passed")
	}
	for _, c := range []struct {
		op          schema.Operation
		model, body string
		status      int
	}{
		{schema.OpImage, "echo", `{}`, 404},
		{schema.OpImage, "", `{}`, 404},
		{schema.OpImage, "fail-503", `{}`, 503},
		{schema.OpImage, "image", `[]`, 400},
		{schema.OpImage, "image", `{"n":11}`, 400},
		{schema.OpImage, "image", "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n2", 400},
		{schema.OpSpeech, "speech", `{}`, 400},
		{schema.OpTranscribe, "transcribe", `{}`, 400},
		{schema.OpModerate, "moderate", `{"input":[]}`, 400},
		{schema.OpModerate, "moderate", `{"input":7}`, 400},
	} {
		_, err := pass(c.op, c.model, c.body)
		var e *schema.Error
		if !errors.As(err, &e) || e.Status != c.status {
			t.Errorf("%s %s %s: %v, want %d", c.op, c.model, c.body, err, c.status)
		}
	}
}
