package shared

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for text, want := range map[string]string{
		"redis://127.0.0.1":                "127.0.0.1:6379 0",
		"redis://127.0.0.1:7000/":          "127.0.0.1:7000 0",
		"redis://[::1]:7000/12":            "[::1]:7000 12",
		"redis://:pw@cache/1":              "cache:6379 1 password pw",
		"rediss://ann:p%40w@cache:6380/15": "cache:6380 15 user ann password p@w TLS to cache",
	} {
		o, err := ParseURL(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := fmt.Sprint(o.InitAddress[0], " ", o.SelectDB)
		if o.Username != "" {
			got += " user " + o.Username
		}
		if o.Password != "" {
			got += " password " + o.Password
		}
		if o.TLSConfig != nil {
			got += " TLS to " + o.TLSConfig.ServerName
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"":                            "want redis://",
		"127.0.0.1:6379":              "want redis://",
		"http://hunter2":              "want redis://",
		"redis://":                    "there is no host",
		"redis://:hunter2@":           "there is no host",
		"redis://h:0":                 "the port is none",
		"redis://h:99999":             "the port is none",
		"redis://h/hunter2":           "the database is no number",
		"redis://h/0/hunter2":         "the database is no number",
		"redis://h/-1":                "the database is no number",
		"redis://hunter2@h":           "the user has no password",
		"redis://h?password=hunter2":  "takes no options",
		"redis://h#hunter2":           "takes no options",
		"redis://u:hunter2%zz@h":      "want redis://",
		"redis://u:hun/ter2@host:1/0": "want redis://",
	} {
		if _, err := ParseURL(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestParseEvent(t *testing.T) {
	for text, want := range map[string]Purge{
		`{"tag":"a"}`:                          {Tag: "a"},
		` {"key":"/x?y=1"} `:                   {Key: "/x?y=1"},
		`{"prefix":"/x","tag":"b"}`:            {Prefix: "/x", Tag: "b"},
		`{"model":"fast"}`:                     {Model: "fast"},
		`{"prefix":""}`:                        {},
		`{"prefix":"","model":"a","tag":"\""}`: {Model: "a", Tag: `"`},
	} {
		p, err := ParseEvent(text)
		if err != nil || p != want {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
		if again := parseOwn(p.text()); again != p {
			t.Errorf("%s: read again as %+v", p.text(), again)
		}
	}
	for _, text := range []string{"", "x", "null", "[]", "{}", `{"tag":""}`, `{"key":""}`, `{"model":""}`, `{"tag":1}`, `{"tags":"a"}`, `{"tag":"a","host":"h"}`,
		`{"tag":"a"} x`, `{"tag":"a"}{"tag":"b"}`, `{"tag":"` + strings.Repeat("a", longEvent) + `"}`} {
		if p, err := ParseEvent(text); err == nil {
			t.Errorf("%.40s: taken as %+v", text, p)
		}
	}
	if p := (Purge{Host: "h", Key: "/k"}); parseOwn(p.text()) != p {
		t.Errorf("a change is read as %+v", parseOwn(p.text()))
	}
	if parseOwn(`{"tag":"a","later":1}`) != (Purge{}) {
		t.Error("what is not understood does not purge all")
	}
}

func at(n uint64) ID { return ID{At: n} }

func tagged(n uint64, tag string) record { return record{id: at(n), purge: Purge{Tag: tag}} }

func ofTag(tag string) func(Purge) bool {
	return func(p Purge) bool { return p.Tag == "" || p.Tag == tag }
}

// What was asked for before a purge that fits it is purged, in whatever order
// records come; so is what was asked for before the log begins.
func TestHistory(t *testing.T) {
	var h history
	h.load([]record{{id: at(10), beginning: true}})
	for _, r := range []record{tagged(20, "a"), tagged(40, "b"), tagged(30, "c")} {
		if !h.add(r) || h.add(r) {
			t.Errorf("%v is not taken in once", r.id)
		}
	}
	if h.known() != at(40) {
		t.Errorf("known: %v", h.known())
	}
	for _, c := range []struct {
		mark uint64
		tag  string
		want bool
	}{
		{9, "x", true}, {10, "x", false}, {10, "a", true}, {19, "a", true}, {20, "a", false}, {20, "c", true}, {30, "c", false}, {30, "b", true}, {40, "b", false}, {41, "b", false},
	} {
		if got := h.purged(at(c.mark), ofTag(c.tag)); got != c.want {
			t.Errorf("asked for at %d, tag %s: %v", c.mark, c.tag, got)
		}
	}
	for n := range uint64(mostRecords) {
		h.add(tagged(100+n, "z"))
	}
	if len(h.list) != mostRecords || !h.purged(at(20), ofTag("x")) || h.purged(at(100), ofTag("x")) || !h.purged(at(100), ofTag("z")) {
		t.Errorf("a long log: %d records", len(h.list))
	}
}

func TestParseID(t *testing.T) {
	if id, ok := ParseID("1700000000000-3"); !ok || id != (ID{1700000000000, 3}) || id.String() != "1700000000000-3" {
		t.Errorf("%v %v", id, ok)
	}
	for _, text := range []string{"", "1", "-", "1-", "-1", "a-1", "1-2-3", "1--2"} {
		if id, ok := ParseID(text); ok {
			t.Errorf("%q is taken as %v", text, id)
		}
	}
}

type small struct{ A string }

func TestPack(t *testing.T) {
	b, err := Pack(3, small{"x"}, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	var s small
	if body, ok := Unpack(b, 3, &s); !ok || string(body) != "body" || s.A != "x" {
		t.Errorf("%q %v %v", body, ok, s)
	}
	for _, c := range [][]byte{nil, {3}, b[:3], b[:8], append([]byte{4}, b[1:]...), {3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, append(bytes.Clone(b), make([]byte, MaxValue)...)} {
		if _, ok := Unpack(c, 3, &s); ok {
			t.Errorf("%.20q is taken", c)
		}
	}
	if Key("a", "b", "c") == Key("a", "bc", "") || Key("a", "b") == Key("b", "b") {
		t.Error("two keys are one")
	}
}

func FuzzUnpack(f *testing.F) {
	b, _ := Pack(1, small{"x"}, []byte("body"))
	f.Add(b)
	f.Add([]byte{1, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s small
		body, ok := Unpack(b, 1, &s)
		if ok && len(body) >= len(b) {
			t.Errorf("a body of %d bytes in %d", len(body), len(b))
		}
	})
}

func FuzzParseEvent(f *testing.F) {
	f.Add(`{"tag":"a","key":"b","prefix":"","model":"m"}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseEvent(text)
		if err == nil && p.Host != "" {
			t.Error("an event names a host")
		}
		if err == nil && parseOwn(p.text()) != p {
			t.Errorf("%+v is told as %s", p, p.text())
		}
	})
}
