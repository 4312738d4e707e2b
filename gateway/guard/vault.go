package guard

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"sluice/providers/wire"
)

// vault keeps what was masked reversibly in one call: the same value has the
// same placeholder all through it, and through the calls of a conversation that
// repeat what was said, for they are numbered as they come.
type vault struct {
	values map[string]string // by placeholder
	names  map[string]string // placeholder by value
	counts [16]int           // of placeholders, by the index of their label
	most   int               // bytes of the longest placeholder
}

// put is the placeholder of a value.
func (v *vault) put(kind Kinds, value string) string {
	if name, ok := v.names[value]; ok {
		return name
	}
	if v.values == nil {
		v.values, v.names = map[string]string{}, map[string]string{}
	}
	value = strings.Clone(value)
	i := kind.index()
	v.counts[i]++
	name := "[" + labels[i] + "_" + strconv.Itoa(v.counts[i]) + "]"
	v.values[name], v.names[value] = value, name
	v.most = max(v.most, len(name))
	return name
}

// longestName bounds what is taken for a placeholder that a caller wrote.
const longestName = 24

// avoid begins the numbers behind those of the placeholders that stand in a text
// already: they must not come to mean a value.
func (v *vault) avoid(text string) {
	for {
		i := strings.IndexByte(text, '[')
		if i < 0 {
			return
		}
		text = text[i:]
		if end := strings.IndexByte(text[:min(len(text), longestName)], ']'); end > 0 {
			label, number, _ := strings.Cut(text[1:end], "_")
			if n, err := strconv.Atoi(number); err == nil && n < math.MaxInt32 {
				if i := slices.Index(labels, label); i >= 0 {
					v.counts[i] = max(v.counts[i], n)
				}
			}
		}
		text = text[1:]
	}
}

// restorer gives a text its values back, piece by piece. There must be some.
type restorer struct {
	vault *vault
	json  bool
	held  string // the beginning of a placeholder, perhaps
}

func (r *restorer) write(s string, final bool) string {
	v := r.vault
	if r.held != "" {
		s, r.held = r.held+s, ""
	}
	i := strings.IndexByte(s, '[')
	if i < 0 {
		return s
	}
	var b strings.Builder
	for i >= 0 {
		b.WriteString(s[:i])
		s = s[i:]
		end := strings.IndexByte(s[:min(len(s), v.most)], ']')
		value, ok := v.values[s[:end+1]]
		switch {
		case ok && r.json:
			quoted := wire.AppendString(nil, value)
			b.Write(quoted[1 : len(quoted)-1])
			s = s[end+1:]
		case ok:
			b.WriteString(value)
			s = s[end+1:]
		case end < 0 && len(s) < v.most && !final && v.mayBecome(s):
			r.held = strings.Clone(s)
			return b.String()
		default:
			b.WriteByte('[')
			s = s[1:]
		}
		i = strings.IndexByte(s, '[')
	}
	b.WriteString(s)
	return b.String()
}

func (v *vault) mayBecome(s string) bool {
	for name := range v.values {
		if strings.HasPrefix(name, s) {
			return true
		}
	}
	return false
}
