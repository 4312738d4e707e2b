package validate

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/wire"
)

// decode reads a body as a plain value. A field that stands twice is refused:
// who reads it next might take the other one.
func decode(body []byte) (any, error) {
	if !wire.Valid(body) {
		return nil, ErrNotJSON
	}
	d := decoder{text: string(body)} // one copy, of which all texts are parts
	return d.value()
}

// decoder reads JSON that is known to be valid, and no deeper than wire.Valid
// lets it be, in one pass.
type decoder struct {
	text string
	at   int
}

// next is the byte at which something begins.
func (d *decoder) next() byte {
	for {
		switch c := d.text[d.at]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			d.at++
		default:
			return c
		}
	}
}

func (d *decoder) value() (any, error) {
	switch d.next() {
	case '{':
		return d.object()
	case '[':
		return d.array()
	case '"':
		return d.string(), nil
	case 't':
		d.at += len("true")
		return true, nil
	case 'f':
		d.at += len("false")
		return false, nil
	case 'n':
		d.at += len("null")
		return nil, nil
	}
	begin := d.at
	for d.at < len(d.text) && strings.IndexByte("+-.0123456789eE", d.text[d.at]) >= 0 {
		d.at++
	}
	return json.Number(d.text[begin:d.at]), nil
}

func (d *decoder) array() (any, error) {
	list := []any{}
	for d.at++; d.next() != ']'; {
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	d.at++
	return list, nil
}

func (d *decoder) object() (any, error) {
	m := map[string]any{}
	for d.at++; d.next() != '}'; {
		name := d.string()
		if _, twice := m[name]; twice {
			return nil, fmt.Errorf("%w: %q", ErrTwice, name)
		}
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		m[name] = v
	}
	d.at++
	return m, nil
}

// string reads the one that begins here.
func (d *decoder) string() string {
	begin := d.at
	for d.at++; ; {
		end := strings.IndexByte(d.text[d.at:], '"')
		within := strings.IndexByte(d.text[d.at:d.at+end], '\\')
		if within < 0 {
			d.at += end + 1
			break
		}
		d.at += within + 2 // and what is escaped
	}
	if raw := d.text[begin:d.at]; strings.IndexByte(raw, '\\') >= 0 {
		return gjson.Parse(raw).Str
	}
	return d.text[begin+1 : d.at-1]
}
