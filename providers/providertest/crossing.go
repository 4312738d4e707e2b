package providertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// Cross is two dialects, and the recorded traffic of both.
type Cross struct {
	Client   *dialect.Dialect // what the caller speaks; its provider side reads what the caller got
	Requests Options          // whose recorded requests its callers make
	Provider *dialect.Dialect // what the provider speaks
	Answers  Options          // whose recorded answers it gives
}

// Crossing replays recorded traffic across two dialects: every recorded
// request becomes one of the provider's that is JSON and names its model, and
// every recorded answer becomes one of the client's that says the same when it
// is read again.
func Crossing(t *testing.T, dir string, x Cross) {
	from, o := x.Requests, x.Answers
	all := index(t, dir)
	requests, answers := 0, 0
	for i := range all {
		c := &all[i]
		if c.Provider == from.Provider && c.Endpoint == from.Endpoint && c.Request.BodyFile != "" && from.Skip[c.ID] == "" {
			requests++
			t.Run("to/"+c.ID, func(t *testing.T) { crossRequest(t, x.Client, x.Provider, c.read(t, dir, c.Request.BodyFile)) })
		}
		if c.Provider == o.Provider && c.Endpoint == o.Endpoint && c.Response.Status < 400 && o.Skip[c.ID] == "" {
			answers++
			t.Run("back/"+c.ID, func(t *testing.T) { x.answer(t, c, c.read(t, dir, c.Response.BodyFile)) })
		}
	}
	t.Logf("%s to %s: %d requests there, %d answers back", from.Provider, o.Provider, requests, answers)
	if requests == 0 || answers == 0 {
		t.Errorf("nothing was replayed")
	}
}

// Captures gives the recorded traffic of an endpoint with its bodies, of all
// providers or of some, for what a dialect alone can say of it. dir is as
// Recorded has it.
func Captures(t testing.TB, dir, endpoint string, providers ...string) (out []Capture) {
	t.Helper()
	for _, c := range index(t, dir) {
		if c.Endpoint == endpoint && (len(providers) == 0 || slices.Contains(providers, c.Provider)) {
			c.Asked, c.Answered = c.read(t, dir, c.Request.BodyFile), c.read(t, dir, c.Response.BodyFile)
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		t.Fatalf("the index has no capture of %s %v", endpoint, providers)
	}
	return out
}

// index reads the index of recorded traffic, or skips the test.
func index(t testing.TB, dir string) (all []Capture) {
	if dir == "" {
		t.Skip("SLUICE_WIRE names no folder of recorded traffic")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatalf("cannot read index %q: %v", dir, err)
	}
	return all
}

func (c *Capture) read(t testing.TB, dir, name string) []byte {
	if name == "" {
		return nil
	}
	body, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func crossRequest(t *testing.T, client, d *dialect.Dialect, body []byte) {
	req, err := client.Client.DecodeChat(body)
	if err != nil {
		t.Skipf("the client's own dialect refuses it: %v", err)
	}
	up, err := d.Chat.Encode(req)
	if err != nil {
		if !errors.As(err, new(*schema.Error)) {
			t.Fatalf("%v is no *schema.Error", err)
		}
		t.Fatalf("refused: %v", err)
	}
	if !json.Valid(up.Body) {
		t.Fatalf("not JSON: %s", up.Body)
	}
	if !bytes.Contains(up.Body, []byte(req.Model)) && !bytes.Contains([]byte(up.Path), []byte(req.Model)) {
		t.Errorf("the request does not name the model %q", req.Model)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(up.Dropped)))) != len(up.Dropped) {
		t.Errorf("named twice: %v", up.Dropped)
	}
}

// answer puts an answer, whole or streamed, into the client's dialect and
// reads it again.
func (x *Cross) answer(t *testing.T, c *Capture, body []byte) {
	if c.Stream == nil {
		resp, err := x.Provider.Chat.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		again, err := x.Client.Chat.Decode(x.Client.Client.EncodeChat(nil, resp))
		if err != nil {
			t.Fatal(err)
		}
		sameAnswer(t, fromWhole(again), fromWhole(resp))
		return
	}
	got, err := readStream(x.Provider.Chat, bytes.NewReader(body))
	if err != nil {
		return // the provider's own error
	}
	encoder := x.Client.Client.Stream(dialect.StreamOptions{ID: "made-id", Model: "m", Created: 1767225600, WantsUsage: true})
	var events []byte
	for i := range got.Chunks {
		events = encoder.Chunk(events, &got.Chunks[i])
	}
	again, err := readStream(x.Client.Chat, bytes.NewReader(encoder.End(events, &got.Usage)))
	if err != nil {
		t.Fatal(err)
	}
	sameAnswer(t, again, got)
}

func sameAnswer(t *testing.T, got, want answer) {
	t.Helper()
	got.Chunks, want.Chunks = nil, nil
	if want.Usage.Source == schema.UsageNone { // a client is always told figures
		want.Usage.Source = got.Usage.Source
	}
	if got.Usage.AudioInput == 0 { // not every dialect tells it apart
		want.Usage.AudioInput = 0
	}
	if !same(got, want) {
		t.Errorf("after the crossing the answer says\n%s\nwant\n%s", show(got), show(want))
	}
}
