package providertest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// Update says that golden files are to be written anew.
var Update = flag.Bool("update", false, "write what the dialect does into the scenario files")

// Scenarios replays every *.txtar below dir. An archive's comment names its
// source. Its sections, of which only request must be there:
//
//	request   the client's body, in the client's dialect
//	upstream  the request that the provider gets: a line "POST PATH", header
//	          lines, a blank line, the JSON body
//	dropped   the parameters that the provider has not, one a line
//	refused   instead of upstream: the error that the request is refused with
//	response  the provider's whole answer, or
//	stream    its stream, or, where that is one of binary messages, a message a
//	          line: "event-type JSON", or "!exception-type JSON" for a failure
//	error     its error: a line with the status, header lines, a blank line,
//	          the body
//	answer    the answer that the client gets
//	events    the stream that the client gets
//	failure   the error that comes of it
//	usage     what is metered
//
// With -update the sections that the dialect makes are written.
func Scenarios(t *testing.T, client, d *dialect.Dialect, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in %q: %v", dir, err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s := &scenario{t: t, archive: ar, client: client, d: d}
			s.play()
			if *Update && !t.Failed() {
				if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

type scenario struct {
	t         *testing.T
	archive   *txtar.Archive
	client, d *dialect.Dialect
	req       *schema.ChatRequest
}

// section is a section's text; ok is false where there is none.
func (s *scenario) section(name string) (text string, ok bool) {
	for _, f := range s.archive.Files {
		if f.Name == name {
			return string(f.Data), true
		}
	}
	return "", false
}

// expect compares a section with what the dialect made, or writes it.
func (s *scenario) expect(name, got string) {
	s.t.Helper()
	if got != "" && !strings.HasSuffix(got, "\n") {
		got += "\n"
	}
	want, ok := s.section(name)
	if want == got {
		return
	}
	if !*Update {
		s.t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		return
	}
	if ok {
		i := slices.IndexFunc(s.archive.Files, func(f txtar.File) bool { return f.Name == name })
		s.archive.Files[i].Data = []byte(got)
		return
	}
	s.archive.Files = append(s.archive.Files, txtar.File{Name: name, Data: []byte(got)})
}

func (s *scenario) play() {
	raw, ok := s.section("request")
	if !ok {
		s.t.Fatal("there is no section request")
	}
	var err error
	if s.req, err = s.client.Client.DecodeChat([]byte(raw)); err != nil {
		s.t.Fatalf("cannot decode request: %v", err)
	}
	before := fmt.Sprintf("%+v", s.req)
	up, err := s.d.Chat.Encode(s.req)
	if after := fmt.Sprintf("%+v", s.req); after != before {
		s.t.Errorf("Encode changed the request:\n%s\nwas\n%s", after, before)
	}
	if err != nil {
		s.expect("refused", failure(err))
		return
	}
	s.expect("upstream", upstreamText(s.t, up))
	s.expect("dropped", strings.Join(up.Dropped, "\n"))
	s.answer()
}

// answer plays the provider's part.
func (s *scenario) answer() {
	if body, ok := s.section("error"); ok {
		status, header, body := parseError(s.t, body)
		s.expect("failure", failure(s.d.Error(status, header, []byte(body))))
	}
	if body, ok := s.section("response"); ok {
		resp, err := s.d.Chat.Decode([]byte(body))
		if err != nil {
			s.expect("failure", failure(err))
			return
		}
		s.expect("answer", indent(s.t, s.client.Client.EncodeChat(nil, resp)))
		s.expect("usage", fmt.Sprintf("%+v", resp.Usage))
	}
	if body, ok := s.section("stream"); ok {
		s.stream([]byte(body))
	}
}

func (s *scenario) stream(body []byte) {
	if s.d.Chat.Framing == dialect.FramingEventStream {
		body = encodeMessages(s.t, string(body))
	}
	got, err := checkStream(s.t, s.d.Chat, body, false)
	encoder := s.client.Client.Stream(dialect.StreamOptions{ID: "made-id", Model: s.req.Model, Created: 1767225600, WantsUsage: true})
	var events []byte
	for i := range got.Chunks {
		events = encoder.Chunk(events, &got.Chunks[i])
	}
	if err != nil {
		s.expect("failure", failure(err))
		s.expect("events", string(events))
		return
	}
	s.expect("events", string(encoder.End(events, &got.Usage)))
	s.expect("usage", fmt.Sprintf("%+v", got.Usage))
}

// failure is an error as a scenario tells it.
func failure(err error) string {
	e := schema.AsError(err)
	text := fmt.Sprintf("%d %s %s\n%s", e.Status, e.Code, e.Class, e.Message)
	if e.Param != "" {
		text += "\nparam: " + e.Param
	}
	if e.RetryAfter > 0 {
		text += "\nretry after: " + e.RetryAfter.String()
	}
	return text
}

func upstreamText(t *testing.T, up *dialect.Upstream) string {
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s\n", up.Path)
	for _, h := range up.Header {
		fmt.Fprintf(&b, "%s: %s\n", h.Name, h.Value)
	}
	fmt.Fprintf(&b, "\n%s", indent(t, up.Body))
	return b.String()
}

func indent(t *testing.T, raw []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		t.Errorf("not JSON: %v\n%s", err, raw)
		return string(raw)
	}
	return b.String()
}

// parseError reads the section error.
func parseError(t *testing.T, text string) (status int, header func(string) string, body string) {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	status, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil {
		t.Fatalf("the section error must begin with a status: %v", err)
	}
	h := http.Header{}
	for _, line := range lines[1:] {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Set(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return status, h.Get, strings.TrimSpace(body)
}
