package billing

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/providers/schema"
)

// The spool's records are entries in a compact form of our own: a version byte,
// then the fields in a fixed order. Numbers are varints (zigzag), texts have
// their length before them, the flags share a byte. A reader refuses what it
// does not know, so a change of the fields needs a new version and a reader of
// the old one beside it.
//
// Version 2 is version 1 with the fields that few entries have behind it: the
// tier, what is corrected, and why; version 3 is version 2 with the markup
// behind it; version 4 is version 3 with what guards did behind it; version 5 is
// version 4 with the trace behind it; version 6 is version 5 with the mark of a
// split behind it; version 7 is version 6 with the calls of a composed answer that
// the attempts were for behind it. An entry without them is still written as the
// lowest that holds it.
const (
	codecVersion = 1
	codecRare    = 2
	codecMarkup  = 3
	codecGuards  = 4
	codecTrace   = 5
	codecSplit   = 6
	codecCalls   = 7
)

// isVersion tells whether a record that begins so may be an entry.
func isVersion(b byte) bool { return b >= codecVersion && b <= codecCalls }

// errEntry is what a record that is no entry gives.
var errEntry = errors.New("not an entry")

// The bits of the flags.
const (
	flagRefused = 1 << iota
	flagStream
	flagDisconnect
)

// appendEntry appends an entry's record to dst.
func appendEntry(dst []byte, e *Entry) []byte {
	var flags byte
	if e.Refused {
		flags |= flagRefused
	}
	if e.Stream {
		flags |= flagStream
	}
	if e.Disconnect {
		flags |= flagDisconnect
	}
	version := versionOf(e)
	dst = append(dst, version, flags, byte(e.Usage.Source))
	for _, s := range [...]string{e.Call, e.Team, e.KeyID, e.Key, e.User, e.Operation, e.Model, e.Provider,
		e.Target, e.Prompt, e.PriceVersion, e.Code, e.Origin, e.Cache, e.RequestID} {
		dst = appendText(dst, s)
	}
	u := &e.Usage
	for _, n := range [...]int64{int64(e.Attempt), e.Time.Unix(), int64(e.Time.Nanosecond()), int64(e.Version),
		u.Input, u.CachedInput, u.CacheWrite, u.CacheWrite1h, u.Output, u.Reasoning, u.AudioInput, u.AudioOutput, u.Images,
		int64(e.Cost), int64(e.Excess), int64(e.Saved), int64(e.Status), e.Delivered, int64(e.Latency), int64(e.TTFT)} {
		dst = binary.AppendVarint(dst, n)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Tags)))
	for _, s := range e.Tags {
		dst = appendText(dst, s)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Attempts)))
	for i := range e.Attempts {
		a := &e.Attempts[i]
		dst = appendText(appendText(appendText(dst, a.Target), a.Key), a.Code)
		for _, n := range [...]int64{int64(a.Status), a.LatencyMS, int64(a.USD)} {
			dst = binary.AppendVarint(dst, n)
		}
	}
	return appendLater(dst, version, e)
}

// appendLater appends the fields that versions after the first have.
func appendLater(dst []byte, version byte, e *Entry) []byte {
	if version >= codecRare {
		dst = appendText(appendText(appendText(dst, e.Usage.Tier), e.Corrects), e.Reason)
	}
	if version >= codecMarkup {
		dst = binary.AppendVarint(dst, int64(e.Markup))
	}
	if version >= codecGuards {
		dst = appendText(dst, e.Guards)
	}
	if version >= codecTrace {
		dst = appendText(dst, e.Trace)
	}
	if version >= codecSplit {
		failed := int64(0)
		if e.Split.Failed {
			failed = 1
		}
		for _, n := range [...]int64{e.Split.Since, int64(e.Split.Cost), failed} {
			dst = binary.AppendVarint(dst, n)
		}
	}
	if version >= codecCalls {
		for i := range e.Attempts {
			dst = appendText(dst, e.Attempts[i].Call)
		}
	}
	return dst
}

// versionOf is the lowest version that holds an entry.
func versionOf(e *Entry) byte {
	switch {
	case slices.ContainsFunc(e.Attempts, func(a AttemptLog) bool { return a.Call != "" }):
		return codecCalls
	case e.Split != (SplitMark{}):
		return codecSplit
	case e.Trace != "":
		return codecTrace
	case e.Guards != "":
		return codecGuards
	case e.Markup != 0:
		return codecMarkup
	case e.Usage.Tier != "" || e.Corrects != "" || e.Reason != "":
		return codecRare
	}
	return codecVersion
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// decodeEntry reads a record. Nothing of the entry points into it. Its texts
// are fit for every database, whatever callers put into a tag or a user: valid
// UTF-8 with no NUL. One entry that a database refuses would hold up all others.
// What e holds before is overwritten; a text that is the same again, as most of
// the entry before are, is kept and costs nothing.
func decodeEntry(record []byte, e *Entry) error {
	if len(record) < 3 || !isVersion(record[0]) {
		return errEntry
	}
	flags := record[1]
	e.Refused, e.Stream, e.Disconnect = flags&flagRefused != 0, flags&flagStream != 0, flags&flagDisconnect != 0
	e.Usage.Source = schema.UsageSource(record[2])
	d := decoder{rest: record[3:]}
	for _, s := range [...]*string{&e.Call, &e.Team, &e.KeyID, &e.Key, &e.User, &e.Operation, &e.Model, &e.Provider,
		&e.Target, &e.Prompt, &e.PriceVersion, &e.Code, &e.Origin, &e.Cache} {
		*s = d.text(*s)
	}
	e.RequestID = d.text(e.Call)
	e.Attempt = int(d.number())
	seconds, nanos := d.number(), d.number()
	e.Time = time.Unix(seconds, nanos).UTC()
	e.Version = int(d.number())
	u := &e.Usage
	for _, n := range [...]*int64{&u.Input, &u.CachedInput, &u.CacheWrite, &u.CacheWrite1h, &u.Output, &u.Reasoning,
		&u.AudioInput, &u.AudioOutput, &u.Images, (*int64)(&e.Cost), (*int64)(&e.Excess), (*int64)(&e.Saved)} {
		*n = d.number()
	}
	e.Status = int(d.number())
	e.Delivered = d.number()
	e.Latency, e.TTFT = time.Duration(d.number()), time.Duration(d.number())
	e.Tags = nil
	if n := d.count(1); n > 0 {
		e.Tags = make([]string, n)
		for i := range e.Tags {
			e.Tags[i] = d.text("")
		}
	}
	key := ""
	if len(e.Attempts) > 0 {
		key = e.Attempts[0].Key
	}
	e.Attempts = nil
	if n := d.count(6); n > 0 {
		e.Attempts = make([]AttemptLog, n)
		for i := range e.Attempts {
			e.Attempts[i] = AttemptLog{Target: d.text(e.Target), Key: d.text(key), Code: d.text(""),
				Status: int(d.number()), LatencyMS: d.number(), USD: Nano(d.number())}
		}
	}
	d.later(record[0], e)
	if d.bad || len(d.rest) > 0 {
		return errEntry
	}
	return nil
}

// later reads the fields that versions after the first have.
func (d *decoder) later(version byte, e *Entry) {
	e.Usage.Tier, e.Corrects, e.Reason, e.Markup, e.Guards, e.Trace, e.Split = "", "", "", 0, "", "", SplitMark{}
	if version >= codecRare {
		e.Usage.Tier, e.Corrects, e.Reason = d.text(""), d.text(""), d.text("")
	}
	if version >= codecMarkup {
		e.Markup = Nano(d.number())
	}
	if version >= codecGuards {
		e.Guards = d.text("")
	}
	if version >= codecTrace {
		e.Trace = d.text("")
	}
	if version >= codecSplit {
		e.Split = SplitMark{Since: d.number(), Cost: Nano(d.number()), Failed: d.number() != 0}
	}
	if version >= codecCalls {
		for i := range e.Attempts {
			e.Attempts[i].Call = d.text("")
		}
	}
}

// decoder reads fields one after the other; after the first fault all are zero.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) number() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// count reads how many elements follow, each of at least size bytes: no record
// can ask for more memory than it is long.
func (d *decoder) count(size int) int {
	n, used := binary.Uvarint(d.rest)
	if used <= 0 || n > uint64((len(d.rest)-used)/size) {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[used:]
	return int(n)
}

// text reads a text; like is what it may well be.
func (d *decoder) text(like string) string {
	n := d.count(1)
	b := d.rest[:n]
	d.rest = d.rest[n:]
	if string(b) == like {
		return like
	}
	return storable(string(b))
}

// storable is s with what no database takes as text replaced.
func storable(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}
