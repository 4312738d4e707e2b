package guard

import (
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kinds is a set of the sorts of text that are known without a pattern.
type Kinds uint16

// The kinds.
const (
	Email     Kinds = 1 << iota
	Phone           // international with + or 00, national with a leading 0, or in groups of 3-3-4
	Card            // 13 to 19 digits that pass Luhn's check
	IBAN            // by its check digits
	IP              // version 4 and 6
	Secret          // keys and tokens whose makers give them a shape: see secrets
	Injection       // words that try to talk a model out of its instructions
)

// written is no kind: the text is JSON in its written form, with escapes.
const written Kinds = 1 << 15

var kindNames = []string{"email", "phone", "card", "iban", "ip", "secret", "injection"}

// KindNames are the words for kinds in a configuration.
func KindNames() []string { return slices.Clone(kindNames) }

// KindOf is the kind of a word in a configuration; 0: it is none.
func KindOf(word string) Kinds {
	if i := slices.Index(kindNames, word); i >= 0 {
		return 1 << i
	}
	return 0
}

// String is the name of a set's first kind.
func (k Kinds) String() string {
	if i := bits.TrailingZeros16(uint16(k)); i < len(kindNames) {
		return kindNames[i]
	}
	return "pattern"
}

// labels are the kinds in placeholders, and behind them that of patterns.
var labels = func() (list []string) {
	for _, name := range kindNames {
		list = append(list, strings.ToUpper(name))
	}
	return append(list, "MASKED")
}()

// index is that of the kind's label.
func (k Kinds) index() int { return min(bits.TrailingZeros16(uint16(k)), len(labels)-1) }

// label is the kind in a placeholder.
func (k Kinds) label() string { return labels[k.index()] }

// Match is a place in a text.
type Match struct {
	From, To int
	Kind     Kinds // 0: a pattern's
}

// verdict is what is known of a candidate.
type verdict uint8

const (
	none  verdict = iota
	found         // it is one
	open          // the text ends within it: more must come before it is decided
)

// anchors are the kinds that may begin at a byte, or, for addresses, that the
// byte stands in the middle of.
var anchors = func() (a [256]Kinds) {
	for c := '0'; c <= '9'; c++ {
		a[c] = Phone | Card | IP
	}
	for c := 'a'; c <= 'z'; c++ {
		a[c], a[c-'a'+'A'] = IBAN, IBAN
	}
	a['+'], a['('] = Phone, Phone
	a['@'], a[':'] = Email, IP
	for i := range secrets {
		a[secrets[i].prefix[0]] |= Secret
	}
	return a
}()

// scan finds the kinds in text, of which what stands before from is looked at
// only to tell where words begin, and what stands before seen was scanned. safe
// is the offset up to which the text is decided: len(text) if it is final. next
// is what seen will be when there is more of it.
func (k Kinds) scan(text string, from, seen int, final bool, out []Match) (matches []Match, safe, next int) {
	floor := from
	var dead deadRuns
	i, ends := k.skip(text, seen)
	for ; i < len(text); i, ends = k.skip(text, i) {
		if ends && !final {
			return out, k.before(text[:i], floor), i
		}
		m, v, skip := (anchors[text[i]]&k | k&written).at(text, i, floor, final, &dead)
		switch v {
		case found:
			out = append(out, m)
			i, floor = m.To, m.To
		case open:
			return out, k.before(text[:m.From], floor), i
		default:
			i += max(skip, 1)
		}
	}
	if final {
		return out, len(text), i
	}
	return out, k.before(text, floor), i
}

// skip is the first place from i on where one of the kinds may begin, as far as
// the next bytes tell; len(text) if there is none. It is open if what comes after
// the text decides. Nearly all text is passed over here.
func (k Kinds) skip(text string, i int) (at int, open bool) {
	for i < len(text) {
		c := text[i]
		switch {
		case letter[c]:
			if begins(text, i) && k.mayBegin(text[i:]) {
				rest := len(text) - i
				return i, rest == 1 || rest == 2 && letter[text[i+1]]
			}
			if i++; i > 1 && text[i-2] == '\\' { // c may be the end of an escape of JSON
				continue
			}
			for i < len(text) && letter[text[i]] { // the rest of the word
				i++
			}
			continue
		case c == '\\' && k&written != 0:
			n := escape(text[i:])
			if n == 0 {
				return i, true
			}
			i += n
			continue
		case anchors[c]&k == 0:
		case anchors[c]&Phone != 0:
			n, ends := numberAt(text, i)
			if n == 0 || ends {
				return i, ends
			}
			i += n
			continue
		case c == ':' && i+1 < len(text) && !inIPv6(text[i+1]) && (i == 0 || text[i-1] != ':'): // an earlier one has told
		default:
			return i, false
		}
		i++
	}
	return i, false
}

// mayBegin tells whether the word that text begins with may be a key or an
// account's number, as far as its first letters tell: most are not.
func (k Kinds) mayBegin(text string) bool {
	return k&Secret != 0 && mayBeSecret(text) || k&IBAN != 0 && mayBeIBAN(text[1:])
}

// before is where the word at the end of text begins, if it may belong to an
// address that goes on behind it.
func (k Kinds) before(text string, floor int) int {
	if k&(Email|IP) == 0 {
		return len(text)
	}
	return wordStart(text, floor)
}

// at looks at one candidate. skip is how far nothing else can begin.
func (k Kinds) at(text string, i, floor int, final bool, dead *deadRuns) (m Match, v verdict, skip int) {
	switch c := text[i]; {
	case c == '@':
		if m, v = email(text, i, floor, final); v == found && k&written != 0 && m.From > 0 && text[m.From-1] == '\\' {
			if m.From += max(escape(text[m.From-1:i])-1, 0); m.From == i { // all before the @ is an escape
				return Match{}, none, 1
			}
		}
		return m, v, 1
	case c == ':':
		m, v = ipv6(text, i, floor, final)
		return m, v, 1
	case isDigit(c) || c == '(' || c == '+':
		return k.number(text, i)
	}
	if k&Secret != 0 {
		if m, v = secret(text, i, final, dead); v != none {
			return m, v, 1
		}
	}
	if k&IBAN != 0 && mayBeIBAN(text[i+1:]) {
		m, v = iban(text, i, final)
	}
	return m, v, 1
}

// longestWord bounds the word at the end of a text that may be the beginning of
// an address: the local part of an email has 64 bytes at most (RFC 5321,
// 4.5.3.1.1).
const longestWord = 64

// wordStart is where the last word begins, at floor at least.
func wordStart(text string, floor int) int {
	i := len(text)
	for i > floor && len(text)-i < longestWord {
		c := text[i-1]
		if inLocal[c] || c == ':' {
			i--
			continue
		}
		if c < utf8.RuneSelf {
			break
		}
		r, size := utf8.DecodeLastRuneInString(text[floor:i])
		if !latin(r) {
			break
		}
		i -= size
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isAlnum(c byte) bool { return alnum[c] }

var alnum = func() (is [256]bool) {
	for c := range is {
		is[c] = isDigit(byte(c)) || isLetter(byte(c))
	}
	return is
}()

var letter = func() (is [256]bool) {
	for c := range is {
		is[c] = isLetter(byte(c))
	}
	return is
}()

// begins tells whether a word may begin at i: after no letter or digit, or after
// one that belongs to an escape of JSON.
func begins(text string, i int) bool {
	if i == 0 || !isAlnum(text[i-1]) {
		return true
	}
	return i > 1 && text[i-2] == '\\' && strings.IndexByte("nrtbf", text[i-1]) >= 0 ||
		i > 5 && text[i-6] == '\\' && escape(text[i-6:i]) == 6
}

// escape is how long the escape of JSON is that text begins with; 0: the text
// ends within it.
func escape(text string) int {
	if len(text) < 2 {
		return 0
	}
	if text[1] != 'u' {
		return 2
	}
	for i := 2; i < 6; i++ {
		if i == len(text) {
			return 0
		}
		if c := text[i]; !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return 2
		}
	}
	return 6
}
