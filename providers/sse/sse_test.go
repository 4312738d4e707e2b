package sse

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"sluice/providers/dialect"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cut feeds a stream to a Splitter in pieces and gives the frames and the
// rest.
func cut(t testing.TB, stream string, piece int) (frames []string, rest string) {
	var s Splitter
	var buf []byte
	for len(stream) > 0 {
		n := min(piece, len(stream))
		buf = append(buf, stream[:n]...)
		stream = stream[n:]
		for {
			n, err := s.Next(buf)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			frames = append(frames, string(buf[:n]))
			buf = buf[n:]
		}
	}
	return frames, string(buf)
}

func TestSplitter(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		want         []string
		rest         string
	}{
		{"LF", "data: a\n\ndata: b\n\n", []string{"data: a\n\n", "data: b\n\n"}, ""},
		{"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", []string{"data: a\r\n\r\n", "data: b\r\n\r\n"}, ""},
		{"CR", "data: a\r\rdata: b\r\r", []string{"data: a\r\r", "data: b\r\r"}, ""},
		{"mixed", "data: a\n\r\ndata: b\r\n\n", []string{"data: a\n\r\n", "data: b\r\n\n"}, ""},
		{"several lines", "event: x\ndata: a\n: c\n\nid", []string{"event: x\ndata: a\n: c\n\n"}, "id"},
		{"blank lines before", "\n\n\ndata: a\n\n", []string{"\n\n\ndata: a\n\n"}, ""},
		{"not whole", "data: a\n", nil, "data: a\n"},
		{"nothing", "", nil, ""},
		{"blank only", "\n\r\n\r", nil, "\n\r\n\r"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, piece := range []int{1, 2, 3, 1000} {
				frames, rest := cut(t, c.stream, piece)
				// A CRLF that came in two pieces may be cut in two.
				if strings.Join(frames, "")+rest != c.stream || len(frames) != len(c.want) {
					t.Errorf("in pieces of %d: %q and %q", piece, frames, rest)
				}
				if piece == 1000 && (strings.Join(frames, "|") != strings.Join(c.want, "|") || rest != c.rest) {
					t.Errorf("got %q and %q, want %q and %q", frames, rest, c.want, c.rest)
				}
			}
		})
	}
}

func TestTooLong(t *testing.T) {
	var s Splitter
	if _, err := s.Next(bytes.Repeat([]byte("x"), MaxFrame)); err != nil {
		t.Error(err)
	}
	var l LineSplitter
	long := bytes.Repeat([]byte("x"), MaxFrame+1)
	if _, err := s.Next(long); err != ErrTooLong {
		t.Errorf("%v", err)
	}
	if _, err := l.Next(long); err != ErrTooLong {
		t.Errorf("%v", err)
	}
	for _, r := range []*Reader{NewReader(io.MultiReader(strings.NewReader("data: "), bytes.NewReader(long))), NewLines(bytes.NewReader(append(long, long[:8<<10]...)))} {
		if _, err := r.Next(); err != ErrTooLong {
			t.Errorf("%v", err)
		}
		r.Close()
	}
}

// FuzzSplitter: the frames are the stream, whatever the pieces; and what
// go-sse reads from them one by one is what it reads from the whole.
func FuzzSplitter(f *testing.F) {
	f.Add("data: a\r\n\r\ndata: b\n\n", uint8(1))
	f.Add("\r\r\n\ndata: a\r\ndata:b\r\r\n:x\n\nevent: e\n\n", uint8(2))
	f.Fuzz(func(t *testing.T, stream string, piece uint8) {
		if strings.Contains(stream, "\ufeff") || strings.Contains(stream, "\x00") {
			return // a byte order mark is skipped once a reader
		}
		frames, rest := cut(t, stream, int(piece)+1)
		if strings.Join(frames, "")+rest != stream {
			t.Fatalf("%q became %q and %q", stream, frames, rest)
		}
		var whole, single []string
		collect := func(to *[]string) func(dialect.Frame) error {
			return func(f dialect.Frame) error { *to = append(*to, f.Event+"|"+string(f.Data)); return nil }
		}
		joined := strings.Join(frames, "")
		if err := Events([]byte(joined), collect(&whole)); err != nil {
			t.Fatal(err)
		}
		for _, frame := range frames {
			if err := Events([]byte(frame), collect(&single)); err != nil {
				t.Fatal(err)
			}
		}
		if strings.Join(whole, "\n") != strings.Join(single, "\n") {
			t.Errorf("whole %q, by frames %q", whole, single)
		}
	})
}

func readAll(r *Reader) (out []string, err error) {
	defer r.Close()
	for {
		f, err := r.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, f.Event+"|"+string(f.Data))
	}
}

func TestReader(t *testing.T) {
	stream := ": c\n\nevent: x\r\ndata: a\r\n\r\ndata\n\ndata: b\ndata: c\n\n" + "data: " + strings.Repeat("y", 200_000) + "\n\ndata: cut\n"
	want := "x|a,|b\nc,|" + strings.Repeat("y", 200_000)
	got, err := readAll(NewReader(strings.NewReader(stream)))
	if err != nil || strings.Join(got, ",") != want {
		t.Errorf("%v, %.100q", err, got)
	}
	// go-sse looks at a long event anew with each read: no long ones here.
	got, err = readAll(NewReader(iotest.OneByteReader(strings.NewReader(": c\n\nevent: x\r\ndata: a\r\n\r\ndata: b\n\ndata: c"))))
	if err != nil || strings.Join(got, ",") != "x|a,|b" {
		t.Errorf("%v, %q", err, got)
	}
	broken := errors.New("broken")
	got, err = readAll(NewReader(io.MultiReader(strings.NewReader("data: a\n\n"), iotest.ErrReader(broken))))
	if !errors.Is(err, broken) || len(got) != 1 {
		t.Errorf("%q, %v", got, err)
	}
}

func TestLines(t *testing.T) {
	stream := "{\"a\":1}\n\r\n {\"b\":\"" + strings.Repeat("y", 20_000) + "\"}\r\n{\"c\":3}"
	want := `|{"a":1},|{"b":"` + strings.Repeat("y", 20_000) + `"},|{"c":3}`
	for _, src := range []io.Reader{strings.NewReader(stream), iotest.OneByteReader(strings.NewReader(stream))} {
		got, err := readAll(NewLines(src))
		if err != nil || strings.Join(got, ",") != want {
			t.Errorf("%v, %.100q", err, got)
		}
	}
	broken := errors.New("broken")
	if _, err := readAll(NewLines(iotest.ErrReader(broken))); err != broken {
		t.Errorf("%v", err)
	}
}

func TestEventsStop(t *testing.T) {
	mine := errors.New("mine")
	n := 0
	err := Events([]byte("data: a\n\ndata: b\n\n"), func(dialect.Frame) error { n++; return mine })
	if err != mine || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
}
