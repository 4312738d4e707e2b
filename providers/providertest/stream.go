package providertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// checkStream reads a stream in every way and, if it is not several joined
// ones, cuts it everywhere; it returns what the whole stream says. A stream
// that ends with a provider's error gives that error.
func checkStream(t *testing.T, c *dialect.Chat, body []byte, joined bool) (answer, error) {
	t.Helper()
	want, wantErr := readStream(c, bytes.NewReader(body))
	if wantErr != nil && !errors.As(wantErr, new(*schema.Error)) {
		t.Fatalf("the stream fails with %v, which is no *schema.Error", wantErr)
	}
	if wantErr == nil && !want.Done {
		t.Error("the whole stream was read, but is not done")
	}
	for name, r := range variants(c.Framing, body) {
		got, err := readStream(c, r)
		if !same(got, want) || !sameError(err, wantErr) {
			t.Errorf("read %s, the stream says something else:\n%s %v\nwant\n%s %v", name, show(got), err, show(want), wantErr)
		}
	}
	if joined {
		return want, wantErr
	}
	last := lastFrame(c.Framing, body)
	for _, at := range cuts(c.Framing, body) {
		got, err := readStream(c, bytes.NewReader(body[:at]))
		if at < last && err == nil && got.Done {
			t.Errorf("cut at byte %d of %d, the stream looks complete", at, len(body))
		}
	}
	return want, wantErr
}

// lastFrame is where the frame begins that ends the stream properly: the last
// one with data.
func lastFrame(framing dialect.Framing, body []byte) int {
	if framing == dialect.FramingEventStream {
		if ends := messageEnds(body); len(ends) > 1 {
			return ends[len(ends)-2]
		}
		return 0
	}
	trimmed := bytes.TrimRight(body, "\r\n ")
	at := max(bytes.LastIndex(trimmed, []byte("\n\n")), bytes.LastIndex(trimmed, []byte("\r\n\r\n")))
	return at + 2
}

func same(a, b answer) bool { return show(a) == show(b) }

func show(a answer) string {
	raw, err := json.Marshal(a)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}
