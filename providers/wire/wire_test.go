package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

func TestObject(t *testing.T) {
	raw := []byte(" {\"a\": 1 ,\"\\u0062\" : [2],\"skip\":{\"a\":3}}")
	got := ""
	err := Object(raw, []string{"a", "b", "c"}, func(field int, v gjson.Result) error {
		if string(raw[v.Index:v.Index+len(v.Raw)]) != v.Raw {
			t.Errorf("the offset of %s is %d", v.Raw, v.Index)
		}
		got += fmt.Sprint(field, "=", v.Raw, " ")
		return nil
	})
	if err != nil || got != "0=1 1=[2] " {
		t.Errorf("%q, %v", got, err)
	}
	for raw, code := range map[string]schema.Code{
		`{"a":1,"a":2}`:     schema.CodeInvalidRequest,
		`{"A":1}`:           schema.CodeInvalidRequest,
		`{"max_\u212aa":1}`: "",
		`[]`:                schema.CodeInvalidJSON,
		`{"a":1}}`:          schema.CodeInvalidJSON,
		`{"a":01}`:          schema.CodeInvalidJSON,
		"{\"a\":\"\n\"}":    schema.CodeInvalidJSON,
		`"a"`:               schema.CodeInvalidJSON,
		`{"x":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`: schema.CodeInvalidJSON,
		`{"x":[` + strings.Repeat("[],", 600) + `"[[[["]}`:                  "",
	} {
		err := Object([]byte(raw), []string{"a"}, func(int, gjson.Result) error { return nil })
		var e *schema.Error
		if errors.As(err, &e) != (code != "") || e != nil && e.Code != code {
			t.Errorf("%.60s gave %v, want %q", raw, err, code)
		}
	}
	mine := errors.New("mine")
	if err := Object(raw, []string{"a"}, func(int, gjson.Result) error { return mine }); err != mine {
		t.Errorf("the error is %v", err)
	}
}

func FuzzValid(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e+3,true,null,"x\u00e9\n"]}`, `[[`, `{"a":}`, "\"\x80\"", ` 0 `, `{"a":1,}`, `"\ud800"`, "[\"\x1f\"]", "-", "1.", "1e", "tru"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := Valid(b), json.Valid(b); got != want && (got || bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) <= maxDepth) {
			t.Errorf("%q: %v, want %v", b, got, want)
		}
	})
}

func TestValid(t *testing.T) {
	deep := func(n int, open, end string) []byte {
		return []byte(strings.Repeat(open, n) + "1" + strings.Repeat(end, n))
	}
	for _, c := range []struct {
		b    []byte
		want bool
	}{
		{deep(maxDepth, "[", "]"), true},
		{deep(maxDepth, `{"a":`, "}"), true},
		{deep(maxDepth+1, "[", "]"), false},
		{deep(maxDepth/2, `[{"a":`, "}]"), true},
		{deep(maxDepth/2, `[{"a":`, "]}"), false},
		{[]byte(strings.Repeat("[", 5_000_000)), false},
		{[]byte(`{"a":[],"b":{},"c":[{}]}`), true},
	} {
		if Valid(c.b) != c.want {
			t.Errorf("%.40q of %d bytes: want %v", c.b, len(c.b), c.want)
		}
	}
	// Each byte value at each place of a word, in a string and outside.
	for at := range 20 {
		for v := range 256 {
			b := []byte(`["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",1]`)
			b[2+at] = byte(v)
			if Valid(b) != json.Valid(b) {
				t.Errorf("%q", b)
			}
		}
	}
}

func BenchmarkValid(b *testing.B) {
	raw := []byte(`{"messages":[` + strings.Repeat(`{"role":"user","content":"`+strings.Repeat("some text with an \\n escape, ", 28)+`"},`, 40) + `{}]}`)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if !Valid(raw) {
			b.Fatal("not valid")
		}
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("\x00\"\\\n\r\t\x1f\x7fé€\U0001f600\xff\xc3(<&>\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		b := AppendString([]byte("x"), s)
		if err := json.Unmarshal(b[1:], &got); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); strings.ReplaceAll(got, "\ufffd", "") != strings.ReplaceAll(want, "\ufffd", "") {
			t.Errorf("%q came back as %q", s, got)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		header http.Header
		now    time.Time
		want   time.Duration
	}{
		{http.Header{}, now, 0},
		{http.Header{"Retry-After": {"7"}}, now, 7 * time.Second},
		{http.Header{"Retry-After": {"1.5"}}, now, 1500 * time.Millisecond},
		{http.Header{"Retry-After": {"-7"}}, now, 0},
		{http.Header{"Retry-After": {"1e300"}}, now, 24 * time.Hour},
		{http.Header{"Retry-After": {"NaN"}}, now, 0},
		{http.Header{"Retry-After": {"soon"}}, now, 0},
		{http.Header{"Retry-After": {"7"}, "Retry-After-Ms": {"250"}}, now, 250 * time.Millisecond},
		{http.Header{"Retry-After": {"Tue, 24 Nov 2026 12:01:00 GMT"}}, now, time.Minute},
		{http.Header{"Retry-After": {"Tue, 24 Nov 2026 11:01:00 GMT"}}, now, 0},
		{http.Header{"Retry-After": {"Tue, 24 Nov 2026 12:01:00 GMT"}, "Date": {"Tue, 24 Nov 2026 12:00:30 GMT"}}, time.Time{}, 30 * time.Second},
		{http.Header{"Retry-After": {"Tue, 24 Nov 2026 12:01:00 GMT"}}, time.Time{}, 0},
	} {
		if got := RetryAfter(c.header.Get, c.now); got != c.want {
			t.Errorf("%v gave %v, want %v", c.header, got, c.want)
		}
	}
}

func TestDataURL(t *testing.T) {
	for _, c := range []struct {
		url, mime, data string
		ok              bool
	}{
		{"data:image/png;base64,AAA=", "image/png", "AAA=", true},
		{"DATA:Image/PNG;charset=x;base64,AA%2B%3D", "image/png", "AA+=", true},
		{"data:;base64,AA", "", "AA", true},
		{"data:text/plain,hello", "", "", false},
		{"data:image/png;base64", "", "", false},
		{"https://host/a.png", "", "", false},
		{"", "", "", false},
	} {
		mime, data, ok := DataURL(c.url)
		if mime != c.mime || data != c.data || ok != c.ok {
			t.Errorf("%q gave %q %q %v", c.url, mime, data, ok)
		}
	}
	if got := string(AppendDataURL(nil, "a/b", "QQ==")); got != "data:a/b;base64,QQ==" {
		t.Errorf("%q", got)
	}
}

func TestEvent(t *testing.T) {
	for _, c := range []struct {
		frame, name, data, joined string
		ok                        bool
	}{
		{"data: a\n\n", "", "a", "a", true},
		{"data:a\r\n\r\n", "", "a", "a", true},
		{"\nevent: x\rdata:  a\r\r", "x", " a", " a", true},
		{"data: a\nevent:y\nid: 1\n: c\n\n", "y", "a", "a", true},
		{"data: a\ndata: b\n\n", "", "", "a\nb", false},
		{"data\n\n", "", "", "", true},
		{": comment\n\n", "", "", "", false},
		{"database: x\n\n", "", "", "", false},
		{"data: cut", "", "cut", "cut", true},
	} {
		name, data, ok := Event([]byte(c.frame))
		if ok != c.ok || ok && (string(data) != c.data || name != c.name) {
			t.Errorf("%q gave %q %q %v", c.frame, name, data, ok)
		}
		if joined, _ := JoinData(nil, []byte(c.frame)); string(joined) != c.joined {
			t.Errorf("%q joined to %q", c.frame, joined)
		}
	}
}

func TestAppendKey(t *testing.T) {
	b := AppendKey([]byte("{"), "a")
	b = append(b, '[')
	b = append(AppendComma(b), '1')
	b = append(AppendComma(b), '2', ']')
	if b = append(AppendKey(b, "b"), "3}"...); string(b) != `{"a":[1,2],"b":3}` {
		t.Errorf("%s", b)
	}
}
