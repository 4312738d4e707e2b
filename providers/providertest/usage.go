package providertest

import (
	"bytes"
	"testing"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// Usages is what an answer's bytes tell that is charged for, by the way they
// went: decoded, and passed where callers of the same dialect get them as they are.
func Usages(t testing.TB, c *dialect.Chat, body []byte, stream bool) map[string]schema.Usage {
	t.Helper()
	found := map[string]schema.Usage{}
	var passed dialect.Tally
	switch {
	case stream:
		a, err := readStream(c, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		found["decoded"] = a.Usage
		for i := range a.Chunks {
			if billed := a.Chunks[i].Billed; billed != nil {
				found["decoded"] = *billed
			}
		}
		if c.Scan == nil {
			return found
		}
		s := c.Scan(true)
		for frame := range bytes.SplitAfterSeq(bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")), []byte("\n\n")) {
			if len(bytes.TrimSpace(frame)) == 0 {
				continue
			}
			if _, err := s.Scan(frame, &passed); err != nil {
				t.Fatal(err)
			}
		}
	default:
		r, err := c.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		found["decoded"] = r.Usage
		if r.Billed != nil {
			found["decoded"] = *r.Billed
		}
		if c.Usage == nil {
			return found
		}
		if err := c.Usage(body, &passed); err != nil {
			t.Fatal(err)
		}
	}
	found["passed"] = passed.Usage
	return found
}
