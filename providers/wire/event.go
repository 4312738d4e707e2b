package wire

import "bytes"

var dataField, eventField = []byte("data:"), []byte("event:")

// Event is the name and the data of one frame of a text/event-stream that has
// a single data line, as all the dialects write them; data is part of frame.
// ok is false where the frame has no data line, or several: see JoinData.
func Event(frame []byte) (name string, data []byte, ok bool) {
	for line := range eventLines(frame) {
		if value, is := fieldValue(line, dataField); is {
			if ok {
				return "", nil, false
			}
			data, ok = value, true
		} else if value, is := fieldValue(line, eventField); is {
			name = string(value)
		}
	}
	return name, data, ok
}

// JoinData appends the data lines of one frame to dst, joined by LF as the
// standard says; some is false where there are none.
func JoinData(dst, frame []byte) (data []byte, some bool) {
	for line := range eventLines(frame) {
		value, is := fieldValue(line, dataField)
		if !is {
			continue
		}
		if some {
			dst = append(dst, '\n')
		}
		dst, some = append(dst, value...), true
	}
	return dst, some
}

// fieldValue is the value of a line if its field is this one; a line may lack
// the colon.
func fieldValue(line, field []byte) ([]byte, bool) {
	value, ok := bytes.CutPrefix(line, field)
	if !ok {
		return nil, len(line) == len(field)-1 && bytes.HasPrefix(field, line)
	}
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return value, true
}

// eventLines gives the lines of a frame without their ends: LF, CR or CRLF.
func eventLines(frame []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(frame) > 0 {
			i := LineEnd(frame)
			if i < 0 {
				yield(frame)
				return
			}
			if i > 0 && !yield(frame[:i]) {
				return
			}
			frame = frame[i+1:]
		}
	}
}

// LineEnd is the index of the first CR or LF in b, or -1.
func LineEnd(b []byte) int {
	n := bytes.IndexByte(b, '\n')
	if n < 0 {
		return bytes.IndexByte(b, '\r')
	}
	if r := bytes.IndexByte(b[:n], '\r'); r >= 0 {
		return r
	}
	return n
}

// Torn is what is wrong with an event's data that no parser takes: it begins as
// an object and does not end as one, or is a page. It looks at the ends alone,
// for most data passes by unread; nil: nothing is seen to be wrong.
func Torn(data []byte) error {
	data = bytes.TrimSpace(data)
	if n := len(data); n > 0 && (data[0] == '{' && data[n-1] != '}' || data[0] == '<') {
		return NotAnswer("the provider's stream holds an event that is not valid JSON")
	}
	return nil
}
