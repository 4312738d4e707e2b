package providers

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/providers/openai"
	"sluice/providers/schema"
)

// recorded gives the recorded streams of hosts that speak OpenAI's dialect.
func recorded(t *testing.T, stream bool) map[string]string {
	dir := os.Getenv("SLUICE_WIRE")
	if dir == "" {
		t.Skip("SLUICE_WIRE names no recorded traffic")
	}
	var index []struct {
		ID, Provider, Endpoint, Stream string
		Response                       struct {
			Status int
			Body   string `json:"body_file"`
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err == nil {
		err = json.Unmarshal(b, &index)
	}
	if err != nil {
		t.Fatal(err)
	}
	hosts := []string{"openai", "azure", "groq", "deepseek", "mistral", "openrouter", "xai", "together", "cerebras",
		"moonshot", "perplexity", "huggingface", "alibaba", "zai"}
	out := map[string]string{}
	for _, e := range index {
		if e.Endpoint != "chat" || (e.Stream != "") != stream || e.Response.Status != 200 || !slices.Contains(hosts, e.Provider) {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, e.Response.Body))
		if err != nil {
			t.Fatal(err)
		}
		out[e.ID] = string(body)
	}
	return out
}

// TestRecordedStreams sends real streams through: all at once, byte by byte
// and with CRLF they give the same; cut at any frame before their end they are
// an error.
func TestRecordedStreams(t *testing.T) {
	for id, body := range recorded(t, true) {
		if strings.Contains(id, "error_in_stream") {
			continue
		}
		t.Run(id, func(t *testing.T) {
			var unified string
			for _, f := range []fake{{body: body}, {body: body, piece: 1}, {body: crlf(body), piece: 1000}} {
				p, _ := f.provider(t)
				s, err := p.ChatStream(context.Background(), streamCall(t, &openai.Dialect, true))
				if err != nil {
					t.Fatal(err)
				}
				got, err := readStream(s, 4096)
				if err != nil || strings.TrimRight(got, "\r\n") != strings.TrimRight(f.body, "\r\n") {
					t.Fatalf("the bytes changed: %v, %d of %d", err, len(got), len(f.body))
				}
				_ = s.Close()

				text := readUnified(t, f)
				if unified != "" && unified != text {
					t.Errorf("read in pieces of %d it is another", f.piece)
				}
				unified = text
			}
			cutRecorded(t, body)
		})
	}
}

// readUnified joins a stream's chunks as JSON.
func readUnified(t *testing.T, f fake) string {
	t.Helper()
	p, _ := f.provider(t)
	s, err := p.ChatStream(context.Background(), unifiedCall())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out strings.Builder
	for {
		c, err := s.Next()
		if err == io.EOF {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(c)
		out.Write(b)
	}
}

// cutRecorded breaks the transport at each of some frames.
func cutRecorded(t *testing.T, body string) {
	t.Helper()
	frames := strings.SplitAfter(body, "\n\n")
	step := max(1, len(frames)/20)
	at := 0
	for i, frame := range frames {
		at += len(frame)
		if i%step != 0 || strings.Contains(body[:at], "[DONE]") {
			continue
		}
		for _, call := range []*Call{streamCall(t, &openai.Dialect, false), streamCall(t, other(), false)} {
			p, _ := fake{body: body[:at], unclean: true}.provider(t)
			s, err := p.ChatStream(context.Background(), call)
			if err == nil {
				_, err = readStream(s, 4096)
				_ = s.Close()
			}
			if err == nil || schema.AsError(err).Class != schema.ClassConnection {
				t.Fatalf("cut after frame %d: %v", i, err)
			}
		}
	}
}

// TestRecordedAnswers sends real answers through unchanged, and translated.
func TestRecordedAnswers(t *testing.T) {
	for id, body := range recorded(t, false) {
		f := fake{contentType: "application/json", body: body, piece: 777}
		p, _ := f.provider(t)
		a, err := p.Chat(context.Background(), chatCall(t, &openai.Dialect))
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if string(a.Body) != body {
			t.Errorf("%s: the bytes changed", id)
		}
		p, _ = f.provider(t)
		b, err := p.Chat(context.Background(), chatCall(t, other()))
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if !json.Valid(b.Body) || a.Tally.Usage != b.Tally.Usage {
			t.Errorf("%s: translated to %s, %+v", id, b.Body, b.Tally.Usage)
		}
		a.Release()
		b.Release()
	}
}
