package wire

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"sluice/providers/schema"
)

func TestPatch(t *testing.T) {
	raw := []byte(`{"model":"a","n":1}`)
	at := func(from, to int) schema.Span { return schema.Span{From: from, To: to} }
	for _, c := range []struct {
		want string
		edit func(p *Patch)
	}{
		{`{"model":"a","n":1}`, func(*Patch) {}},
		{`{"model":"b\"","n":1}`, func(p *Patch) { p.String(at(9, 12), `b"`) }},
		{`{"x":1,"y":2,"model":"a","n":30}`, func(p *Patch) { p.Number(at(17, 18), 30); p.Field(1, "x", 1); p.Field(1, "y", 2) }},
		{`"a"`, func(p *Patch) { p.Text(at(0, 9), ""); p.Text(at(12, 19), "") }},
		{`{}`, func(p *Patch) { p.String(at(9, 12), "lost"); p.Text(at(0, 19), "{}"); p.Field(1, "lost", 1) }},
	} {
		var p Patch
		p.Text(at(0, 0), "from before")
		p.Reset()
		c.edit(&p)
		if got := string(p.Bytes(raw)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// TestPatchAny changes the elements of an array in any order.
func TestPatchAny(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw, spans := []byte("["), []schema.Span{}
		want := rapid.SliceOfN(rapid.String(), 1, 9).Draw(t, "want")
		for i := range want {
			if i > 0 {
				raw = append(raw, ',')
			}
			from := len(raw)
			raw = AppendString(raw, rapid.String().Draw(t, "old"))
			spans = append(spans, schema.Span{From: from, To: len(raw)})
		}
		raw = append(raw, ']')
		before := string(raw)
		var p Patch
		order := make([]int, len(want))
		for i := range order {
			order[i] = i
		}
		for _, i := range rapid.Permutation(order).Draw(t, "order") {
			p.String(spans[i], want[i])
		}
		var got []string
		if err := json.Unmarshal(p.Bytes(raw), &got); err != nil || len(got) != len(want) || string(raw) != before {
			t.Fatalf("%s becomes %s: %v", raw, p.Bytes(raw), err)
		}
		for i := range want {
			var plain string
			if err := json.Unmarshal(AppendString(nil, want[i]), &plain); err != nil || got[i] != plain {
				t.Fatalf("%q is %q, %v", want[i], got[i], err)
			}
		}
	})
}
