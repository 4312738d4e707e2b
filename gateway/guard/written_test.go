package guard

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// What stands behind an escape of JSON is found, and what it is replaced by
// leaves the escape whole.
func TestBehindEscapes(t *testing.T) {
	for written, want := range map[string]string{
		`"Hi\njohn.doe@example.com"`:             `"Hi\n<email>"`,
		`"\n\tfoo@bar.com"`:                      `"\n\t<email>"`,
		`"\u5bc6john@example.com"`:               `"\u5bc6<email>"`,
		`"\n@example.com"`:                       `"\n@example.com"`,
		`"\u94a5AKIAIOSFODNN7EXAMPLE"`:           `"\u94a5<secret>"`,
		`"\u94a54111 1111 1111 1111"`:            `"\u94a5<card>"`,
		`"\u5bc6+49 30 1234567"`:                 `"\u5bc6<phone>"`,
		`"x\u000aAKIAIOSFODNN7EXAMPLE"`:          `"x\u000a<secret>"`,
		`"x\\AKIAIOSFODNN7EXAMPLE"`:              `"x\\<secret>"`,
		`"\u00e9192.168.0.1"`:                    `"\u00e9<ip>"`,
		`"\u003aDE89 3704 0044 0532 0130 00 ok"`: `"\u003a<iban> ok"`,
	} {
		for seed := range uint64(40) {
			r := rand.New(rand.NewPCG(seed, 1))
			k := masker{matcher: (&Matcher{Kinds: allKinds}).of(true), json: true, name: func(kind Kinds, _ string) string { return "<" + kind.String() + ">" }}
			var b strings.Builder
			for _, piece := range cutUp(r, written) {
				out, _, _ := k.write(piece, false)
				b.WriteString(out)
			}
			out, _, _ := k.write("", true)
			if b.WriteString(out); b.String() != want {
				t.Fatalf("%s, seed %d: %s, want %s", written, seed, b.String(), want)
			}
		}
	}
}

// However texts are written, masked JSON is JSON.
func TestMaskedJSONIsJSON(t *testing.T) {
	parts := []string{"\n", "\t", "\\", "\"", "é", "密", "john@example.com", "4111 1111 1111 1111", "+49 30 1234567", "AKIAIOSFODNN7EXAMPLE", "word", " ", "-", ":", "1.2.3.4", "::1"}
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 2))
		var text strings.Builder
		for range 1 + r.IntN(6) {
			text.WriteString(parts[r.IntN(len(parts))])
		}
		written, err := json.Marshal(map[string]string{"a": text.String()})
		if err != nil {
			t.Fatal(err)
		}
		if r.IntN(2) == 0 { // as many clients do
			written = []byte(asASCII(string(written)))
		}
		k := masker{matcher: (&Matcher{Kinds: allKinds}).of(true), json: true, name: func(Kinds, string) string { return "[X]" }}
		out, _, _ := k.write(string(written), true)
		if !json.Valid([]byte(out)) {
			t.Fatalf("%s becomes %s", written, out)
		}
	}
}

func asASCII(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// A token is hidden however long its first part is.
func TestLongToken(t *testing.T) {
	token := "eyJ" + strings.Repeat("hbGciOiJ", 4000) + ".eyJ" + strings.Repeat("zdWIiOi", 300) + ".c2ln"
	for seed := range uint64(20) {
		k := masker{matcher: &Matcher{Kinds: allKinds}, name: func(Kinds, string) string { return "<secret>" }}
		var b strings.Builder
		for _, piece := range cutUp(rand.New(rand.NewPCG(seed, 3)), "a "+token+" b") {
			out, _, _ := k.write(piece, false)
			b.WriteString(out)
		}
		out, _, _ := k.write("", true)
		if b.WriteString(out); strings.Contains(b.String(), "OiJ") || !strings.HasPrefix(b.String(), "a <secret>") || !strings.HasSuffix(b.String(), " b") {
			t.Fatalf("seed %d: %.200s", seed, b.String())
		}
	}
}

// Nor are streams slow that go on with what may be a token: that is read again
// now and then, not for each piece.
func TestLongStreams(t *testing.T) {
	for _, unit := range []string{"sk-", "AKIA", "eyJ", "xoxb-"} {
		k := masker{matcher: &Matcher{Kinds: allKinds}, name: func(Kinds, string) string { return "<secret>" }}
		text := strings.Repeat(unit, 1<<20/len(unit))
		scanned := 0
		for i := 0; i+2 <= len(text); i += 2 {
			before := k.held
			k.write(text[i:i+2], false)
			if k.held != before {
				scanned += k.held
			}
		}
		if scanned > 8*len(text) {
			t.Errorf("%s: %d bytes were scanned of %d", unit, scanned, len(text))
		}
	}
}
