package guard

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"sluice/providers/wire"
)

const (
	// mostHeld bounds what is held back of a growing text; a private key of
	// 16,384 bits fits.
	mostHeld = 16 << 10
	// behind is how much of what was given away is kept, to tell where words
	// begin.
	behind = 16
)

// masker passes a text on, piece by piece, with what a Matcher finds in it
// replaced. The zero name leaves it as it is and only counts.
type masker struct {
	matcher *Matcher
	name    func(kind Kinds, value string) string // what a match is replaced by; nil: left as it is
	json    bool                                  // the text is JSON, in its written form

	// text is the end of what came. It grows within block, to which is only ever
	// added: what was given away stays as it is.
	text    string
	block   []byte
	from    int  // what stands before was given away
	seen    int  // what stands before was scanned
	held    int  // how much was held back when it was last scanned
	swallow bool // the rest of a match that was too long to be held
	quotes  quotes
	list    []Match
}

// write takes a piece in and gives what can be given of the text. hits counts
// what was found; kinds is what kinds it was of.
func (k *masker) write(s string, final bool) (out string, hits int, kinds Kinds) {
	if k.swallow {
		rest := strings.TrimLeftFunc(s, inBlock)
		if s = rest; s != "" {
			k.swallow = false
		}
	}
	k.grow(s, final)
	if !final && len(k.matcher.Patterns) == 0 && k.matcher.Kinds&Injection == 0 {
		if k.goesOn(s) {
			return "", 0, 0
		}
		if out, plain := k.plain(); plain {
			return out, 0, 0
		}
	}
	return k.find(final)
}

// goesOn tells whether a piece only makes longer what is held back for being
// what may be a token. That is scanned again once it is twice as long, or it
// would take its length squared.
func (k *masker) goesOn(s string) bool {
	held := len(k.text) - k.from
	if held <= longestWord || held >= 2*k.held || held > mostHeld {
		return false
	}
	for i := range len(s) {
		if !token(s[i]) {
			return false
		}
	}
	return true
}

// plain gives what can be given of a text in whose new part nothing begins, as in
// nearly all; false: something may.
func (k *masker) plain() (out string, plain bool) {
	m, text := k.matcher, k.text
	i, open := m.Kinds.skip(text, max(k.from, k.seen))
	k.seen = i
	if i < len(text) && !open {
		return "", false
	}
	safe := m.Kinds.before(text[:i], k.from)
	out = text[k.from:safe]
	if k.json {
		k.quotes.pass(out)
	}
	k.from, k.held = safe, 0
	if safe > 4*behind {
		k.trim()
	}
	return out, true
}

// find is write where something may begin in the new part of the text.
func (k *masker) find(final bool) (out string, hits int, kinds Kinds) {
	if k.list == nil {
		k.list = make([]Match, 0, 8)
	}
	list, safe, seen := k.matcher.find(k.text, k.from, max(k.from, k.seen), final, k.list[:0])
	if !final && len(k.text)-safe > mostHeld {
		if k.matcher.Kinds&Secret != 0 && strings.HasPrefix(k.text[seen:], "eyJ") { // a token whose first part is as long as that
			list, safe, seen = append(list, Match{seen, len(k.text), Secret}), len(k.text), len(k.text)
		} else {
			list, safe, seen = k.matcher.find(k.text, k.from, k.from, true, k.list[:0])
		}
		n := len(list)
		k.swallow = n > 0 && list[n-1].To == len(k.text) && list[n-1].Kind == Secret
	}
	if len(list) > 0 {
		k.list = list
	}
	for i := range list {
		kinds |= list[i].Kind
	}
	if len(list) == 0 || k.name == nil {
		out = k.text[k.from:safe]
		if k.json {
			k.quotes.pass(out)
		}
	} else {
		out = k.replaced(list, safe)
	}
	if k.from, k.seen, k.held = safe, seen, len(k.text)-safe; safe > behind {
		k.trim()
	}
	if final {
		k.text, k.block, k.from, k.seen, k.quotes = "", nil, 0, 0, quotes{}
	}
	return out, len(list), kinds
}

// trim forgets what was given away, but for its end.
func (k *masker) trim() {
	cut := k.from - behind
	for cut > 0 && !utf8.RuneStart(k.text[cut]) {
		cut--
	}
	k.text, k.from, k.seen = k.text[cut:], k.from-cut, k.seen-cut
}

// leastBlock is the room for text that grows piece by piece.
const leastBlock = 512

// grow adds a piece, which may be a view of what will be overwritten, to text.
func (k *masker) grow(s string, final bool) {
	if k.text == "" && final {
		k.text = s
		return
	}
	n := len(k.block)
	if cap(k.block)-n < len(s) {
		k.block = append(make([]byte, 0, max(leastBlock, 2*(len(k.text)+len(s)))), k.text...)
		n = len(k.block)
	}
	block := k.block[:n+len(s)]
	copy(block[n:], s)
	k.block, k.text = block, wire.View(block[n-len(k.text):])
}

// inBlock tells whether a rune may go on what was too long to be held: base64
// in lines, or a token.
func inBlock(r rune) bool {
	return r < utf8.RuneSelf && (base64(byte(r)) || strings.ContainsRune("-_.\n\r\\", r))
}

func (k *masker) replaced(list []Match, safe int) string {
	var b strings.Builder
	b.Grow(safe - k.from + 8*len(list))
	at := k.from
	for _, m := range list {
		plain := k.text[at:m.From]
		if k.json {
			k.quotes.pass(plain)
		}
		b.WriteString(plain)
		name := k.name(m.Kind, k.value(m))
		if k.json && !k.quotes.in { // a bare number
			name = `"` + name + `"`
		}
		b.WriteString(name)
		at = m.To
	}
	rest := k.text[at:safe]
	if k.json {
		k.quotes.pass(rest)
	}
	b.WriteString(rest)
	return b.String()
}

// value is what a match stands for.
func (k *masker) value(m Match) string {
	value := k.text[m.From:m.To]
	if k.json && strings.IndexByte(value, '\\') >= 0 {
		return unescaped(value)
	}
	return value
}

// unescaped is what a part of a string of JSON stands for.
func unescaped(value string) string {
	var plain string
	if json.Unmarshal([]byte(`"`+value+`"`), &plain) != nil {
		return value
	}
	return plain
}

// quotes follows whether a place in JSON is within a string.
type quotes struct{ in, escaped bool }

func (q *quotes) pass(s string) {
	for i := range len(s) {
		switch {
		case q.escaped:
			q.escaped = false
		case q.in && s[i] == '\\':
			q.escaped = true
		case s[i] == '"':
			q.in = !q.in
		}
	}
}
