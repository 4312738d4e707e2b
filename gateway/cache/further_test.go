package cache

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"sluice/gateway/shared"
	"sluice/providers/dialect"
)

var spoken = &dialect.Dialect{Name: "spoken"}

func anAnswer() *Answer {
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &Answer{Key: Key{Name: "m/t\xff/0", Model: "m"}, Tags: []string{"a", "\xfe"}, Dialect: spoken, Body: []byte("{}"), Target: "p/m", Cost: 7, Made: made, Until: made.Add(time.Hour)}
}

// An answer is read as it was written, and by nobody but whose it is.
func TestDecode(t *testing.T) {
	s := New(1 << 20)
	s.Share(nil, &dialect.Dialect{Name: "other"}, spoken)
	a := anAnswer()
	b, err := encode(a, "mine", shared.Mark{ID: shared.ID{At: 1, N: 2}})
	if err != nil {
		t.Fatal(err)
	}
	got, at := s.decode(b, "mine")
	if !reflect.DeepEqual(got, a) || at != (shared.ID{At: 1, N: 2}) {
		t.Errorf("read as %+v, %v", got, at)
	}
	if got, _ := s.decode(b, "other's"); got != nil {
		t.Error("another's is read")
	}
	for n := range b {
		if got, _ := s.decode(b[:n], "mine"); got != nil {
			t.Fatalf("its first %d bytes are read as %+v", n, got)
		}
	}
	if got, _ := s.decode(append(bytes.Clone(b), 'x'), "mine"); got != nil {
		t.Error("a longer body is read")
	}
	a.Cost = -1
	if b, _ := encode(a, "mine", shared.Mark{}); b != nil {
		if got, _ := s.decode(b, "mine"); got != nil {
			t.Error("one that gives money is read")
		}
	}
	if got, _ := New(1<<20).decode(b, "mine"); got != nil {
		t.Error("one in a dialect that is not known is read")
	}
}

func FuzzDecode(f *testing.F) {
	s := New(1 << 20)
	s.Share(nil, spoken)
	b, _ := encode(anAnswer(), "mine", shared.Mark{})
	f.Add(b)
	f.Add([]byte("\x01\x02{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, _ := s.decode(b, "mine"); a != nil && (a.Cost < 0 || a.Dialect == nil || len(a.Body) > len(b)) {
			t.Errorf("%+v", a)
		}
	})
}
