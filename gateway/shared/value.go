package shared

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
)

// MaxValue bounds a value, in bytes.
const MaxValue = 2 << 20

// Pack makes a value: the version of its form, a head as JSON with the length of
// that before it, and a body.
func Pack(version byte, head any, body []byte) ([]byte, error) {
	text, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 1+binary.MaxVarintLen32+len(text)+len(body))
	b = append(b, version)
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(append(b, text...), body...), nil
}

// Unpack reads what Pack has made; false: it is something else, or of another
// version. The body is a part of b.
func Unpack(b []byte, version byte, head any) (body []byte, ok bool) {
	if len(b) == 0 || len(b) > MaxValue || b[0] != version {
		return nil, false
	}
	size, n := binary.Uvarint(b[1:])
	if n <= 0 || size > uint64(len(b)-1-n) {
		return nil, false
	}
	text := b[1+n:][:size]
	return b[1+n+int(size):], json.Unmarshal(text, head) == nil
}

// Key is the name of what these parts together stand for, of a kind: a cache, or
// a part of it.
func Key(kind string, parts ...string) string {
	h := sha256.New()
	var length [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(p)))
		h.Write(length[:])
		h.Write([]byte(p))
	}
	return "sluice:" + kind + ":" + hex.EncodeToString(h.Sum(nil)[:20])
}
