package billing

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/providers/schema"
)

// entry is one with every field set.
func entry(call string) Entry {
	return Entry{
		Call: call, Attempt: 2, Time: time.Date(2026, 5, 15, 10, 30, 0, 123456789, time.UTC),
		Team: "lab", KeyID: "k1", Key: "lab/ci", User: "ünal", Tags: []string{"a", "", "b c"}, Operation: "chat",
		Model: "fast", Provider: "openai", Target: "openai/gpt-4o", Prompt: "sentiment", Version: 3,
		Usage: schema.Usage{Input: 1, CachedInput: 2, CacheWrite: 3, CacheWrite1h: 4, Output: 5, Reasoning: 6, AudioInput: 7,
			AudioOutput: 8, Images: 9, Tier: "flex", Source: schema.UsageCounted},
		PriceVersion: "abcdef012345", Cost: 1_234_567, Excess: 89, Saved: 7, Markup: -17, Status: 200, Code: "upstream_error", Origin: "provider",
		Refused: true, Stream: true, Cache: "miss", Disconnect: true, Delivered: -1, Latency: time.Second, TTFT: time.Millisecond,
		RequestID: "req-1", Corrects: "call-0", Reason: "billed twice", Guards: `[{"guard":"pii"}]`, Trace: "4bf92f3577b34da6a3ce929d0e0e4736",
		Split:    SplitMark{Since: 1_800_000_000_000_000_000, Failed: true, Cost: 5},
		Attempts: []AttemptLog{{Call: "user", Target: "a/b", Key: "…1234", Status: 500, Code: "x", LatencyMS: 12, USD: 3}, {Target: "c/d"}},
	}
}

// TestEntryHasNoNewFields fails when a field is added that entry above, and so
// perhaps the codec, does not know.
func TestEntryHasNoNewFields(t *testing.T) {
	e := entry("c")
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		if v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]() {
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		} else if v.IsZero() {
			t.Errorf("%s is not set", path)
		}
	}
	walk("Entry", reflect.ValueOf(e))
	walk("AttemptLog", reflect.ValueOf(e.Attempts[0]))
}

func TestEntryRoundTrip(t *testing.T) {
	for _, want := range []Entry{entry("c"), {}, {Reason: "r"}, {Markup: 5}, {Guards: "[]"}, {Trace: "t"}, {Split: SplitMark{Since: 1}}, {Split: SplitMark{Failed: true}}, {Attempts: []AttemptLog{{Target: "t"}, {Call: "c", Target: "t"}}}, {Time: time.Unix(0, 0).UTC()}, {Delivered: 1 << 62, Cost: -5, Time: time.Date(9999, 1, 1, 0, 0, 0, 1, time.UTC)}} {
		if want.Time.IsZero() {
			want.Time = time.Time{}
		}
		var got Entry
		record := appendEntry([]byte("before"), &want)
		if err := decodeEntry(record[6:], &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v is read as %+v, %v", want, got, err)
		}
	}
	here := entry("c")
	here.Time = here.Time.In(time.FixedZone("x", 3600))
	var got Entry
	if err := decodeEntry(appendEntry(nil, &here), &got); err != nil || !got.Time.Equal(here.Time) || got.Time.Location() != time.UTC {
		t.Errorf("time %v, %v", got.Time, err)
	}
}

func TestEntryRoundTripAny(t *testing.T) {
	text, number := rapid.String().Filter(func(s string) bool { return storable(s) == s }), rapid.Int64()
	before := entry("before") // of which nothing may be left
	rapid.Check(t, func(t *rapid.T) {
		want := Entry{
			Call: text.Draw(t, "call"), User: text.Draw(t, "user"), Code: text.Draw(t, "code"), RequestID: text.Draw(t, "id"),
			Attempt: rapid.Int().Draw(t, "attempt"), Time: time.Unix(rapid.Int64Range(-1e11, 1e11).Draw(t, "time"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC(),
			Usage: schema.Usage{Input: number.Draw(t, "in"), Images: number.Draw(t, "images")}, Cost: Nano(number.Draw(t, "cost")),
			Latency: time.Duration(number.Draw(t, "latency")), Stream: rapid.Bool().Draw(t, "stream"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			want.Tags = append(want.Tags, text.Draw(t, "tag"))
			want.Attempts = append(want.Attempts, AttemptLog{Target: text.Draw(t, "target"), USD: Nano(number.Draw(t, "usd"))})
		}
		for _, got := range []Entry{{}, before} {
			if err := decodeEntry(appendEntry(nil, &want), &got); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v is read as %+v, %v", want, got, err)
			}
			before = got
		}
	})
}

func TestTextsAreStorable(t *testing.T) {
	for in, want := range map[string]string{"plain é漢": "plain é漢", "a\x00b": "a\ufffdb", "\xff\xfe": "\ufffd", "": ""} {
		var got Entry
		if err := decodeEntry(appendEntry(nil, &Entry{User: in, Tags: []string{in}}), &got); err != nil || got.User != want || got.Tags[0] != want {
			t.Errorf("%q is read as %q, %v", in, got.User, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	e := entry("c")
	record := appendEntry(nil, &e)
	for cut := range record {
		if err := decodeEntry(record[:cut], &Entry{}); err == nil {
			t.Errorf("%d of %d bytes are an entry", cut, len(record))
		}
	}
	if err := decodeEntry(append(record, 0), &Entry{}); err == nil {
		t.Error("a byte too many is an entry")
	}
	record[0]++
	if err := decodeEntry(record, &Entry{}); err == nil {
		t.Error("another version is an entry")
	}
}

func FuzzDecodeEntry(f *testing.F) {
	e := entry("c")
	f.Add(appendEntry(nil, &e))
	f.Add(appendEntry(nil, &Entry{}))
	f.Add([]byte{codecVersion, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, record []byte) {
		var a, b Entry
		if decodeEntry(record, &a) != nil {
			return
		}
		if err := decodeEntry(appendEntry(nil, &a), &b); err != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("%+v is read as %+v, %v", a, b, err)
		}
	})
}

func FuzzFrames(f *testing.F) {
	e := entry("c")
	frame, _ := appendFrame(nil, &e)
	f.Add(frame, []byte("junk"))
	f.Add(bytes.Repeat([]byte{0}, 40), frame[:20])
	f.Fuzz(func(t *testing.T, before, after []byte) {
		n := countFrames(before)
		all := append(append(bytes.Clone(before), frame...), after...)
		if got := countFrames(all); got <= n {
			t.Fatalf("%d records, %d before", got, n)
		}
	})
}

func BenchmarkAppendEntry(b *testing.B) {
	e, buf := entry("c"), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = appendFrame(buf[:0], &e)
	}
	b.SetBytes(int64(len(buf)))
}
