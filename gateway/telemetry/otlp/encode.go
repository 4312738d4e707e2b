package otlp

import (
	"encoding/binary"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields is where a message has its attributes.
type Fields protowire.Number

// The messages that have attributes.
const (
	OfSpan     Fields = 9
	OfLog      Fields = 6
	OfResource Fields = 1
	ofBuckets  Fields = 9 // of a histogram
	ofNumber   Fields = 7 // of another metric
)

// String appends an attribute; one that is empty is left out.
func (f Fields) String(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	b, kv, v := f.begin(b, key)
	b = appendString(b, 1, value)
	return end(end(b, v), kv)
}

// Int appends an attribute.
func (f Fields) Int(b []byte, key string, value int64) []byte {
	b, kv, v := f.begin(b, key)
	b = protowire.AppendVarint(protowire.AppendTag(b, 3, protowire.VarintType), uint64(value))
	return end(end(b, v), kv)
}

// Count appends an attribute; 0 is left out.
func (f Fields) Count(b []byte, key string, value int64) []byte {
	if value == 0 {
		return b
	}
	return f.Int(b, key, value)
}

// Double appends an attribute.
func (f Fields) Double(b []byte, key string, value float64) []byte {
	b, kv, v := f.begin(b, key)
	b = appendDouble(b, 4, value)
	return end(end(b, v), kv)
}

// True appends an attribute; false is left out.
func (f Fields) True(b []byte, key string, value bool) []byte {
	if !value {
		return b
	}
	b, kv, v := f.begin(b, key)
	b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), 1)
	return end(end(b, v), kv)
}

// begin opens a KeyValue and its AnyValue.
func (f Fields) begin(b []byte, key string) (out []byte, kv, value int) {
	b, kv = begin(b, protowire.Number(f))
	b = appendString(b, 1, key)
	b, value = begin(b, 2)
	return b, kv, value
}

// begin opens a message within another: its length is not known yet.
func begin(b []byte, n protowire.Number) (out []byte, at int) {
	b = append(protowire.AppendTag(b, n, protowire.BytesType), 0)
	return b, len(b)
}

// end closes it: the length goes before what was written since, which moves to
// make room where one byte is too little.
func end(b []byte, at int) []byte {
	size := len(b) - at
	need := protowire.SizeVarint(uint64(size))
	if need > 1 {
		var room [binary.MaxVarintLen64]byte
		b = append(b, room[:need-1]...)
		copy(b[at+need-1:], b[at:at+size])
	}
	binary.PutUvarint(b[at-1:], uint64(size))
	return b
}

func appendString(b []byte, n protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func appendBytes(b []byte, n protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
}

func appendEnum(b []byte, n protowire.Number, v int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
}

func appendFixed64(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, n, protowire.Fixed64Type), v)
}

func appendDouble(b []byte, n protowire.Number, v float64) []byte {
	return appendFixed64(b, n, math.Float64bits(v))
}

func appendTime(b []byte, n protowire.Number, t time.Time) []byte {
	return appendFixed64(b, n, uint64(t.UnixNano()))
}

// Wrap makes what is sent of batches: the records stand within a scope of a
// resource.
type Wrap struct {
	resource []byte // ResourceSpans.resource and its like, whole
	scope    []byte // ScopeSpans.scope and its like, whole
}

// NewWrap tells who sends.
func NewWrap(r Resource) *Wrap {
	w := &Wrap{}
	b, at := begin(nil, 1)
	b = OfResource.String(b, "service.name", r.Service)
	b = OfResource.String(b, "service.version", r.Version)
	b = OfResource.String(b, "service.instance.id", r.Instance)
	w.resource = end(b, at)
	b, at = begin(nil, 1)
	b = appendString(b, 1, "sluice")
	if r.Version != "" {
		b = appendString(b, 2, r.Version)
	}
	w.scope = end(b, at)
	return w
}

// Resource is who sends.
type Resource struct{ Service, Version, Instance string }

// Append makes the body of a request of what each gives to its function.
// Requests for traces, metrics and logs have the same shape.
func (w *Wrap) Append(dst []byte, each func(yield func(record []byte) error) error) []byte {
	b, all := begin(dst, 1)
	b = append(b, w.resource...)
	b, scope := begin(b, 2)
	b = append(b, w.scope...)
	_ = each(func(record []byte) error { // yield has no error
		b = appendBytes(b, 2, record)
		return nil
	})
	return end(end(b, scope), all)
}

// Rejected reads the answer to a request: how many records were refused, and why.
func Rejected(body []byte) (n int64, why string) {
	partial := field(body, 1)
	for len(partial) > 0 {
		num, kind, size := protowire.ConsumeTag(partial)
		if size < 0 {
			return n, why
		}
		partial = partial[size:]
		switch {
		case num == 1 && kind == protowire.VarintType:
			v, used := protowire.ConsumeVarint(partial)
			if used < 0 {
				return n, why
			}
			n, partial = max(int64(v), 0), partial[used:]
		case num == 2 && kind == protowire.BytesType:
			v, used := protowire.ConsumeString(partial)
			if used < 0 {
				return n, why
			}
			why, partial = v, partial[used:]
		default:
			used := protowire.ConsumeFieldValue(num, kind, partial)
			if used < 0 {
				return n, why
			}
			partial = partial[used:]
		}
	}
	return n, why
}

// field is the message that a field holds; nil: there is none.
func field(b []byte, want protowire.Number) []byte {
	for len(b) > 0 {
		num, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return nil
		}
		b = b[size:]
		if num == want && kind == protowire.BytesType {
			v, used := protowire.ConsumeBytes(b)
			if used < 0 {
				return nil
			}
			return v
		}
		if size = protowire.ConsumeFieldValue(num, kind, b); size < 0 {
			return nil
		}
		b = b[size:]
	}
	return nil
}

// appendPacked appends an element of a packed list.
func appendPacked(b []byte, v float64) []byte { return protowire.AppendFixed64(b, math.Float64bits(v)) }
