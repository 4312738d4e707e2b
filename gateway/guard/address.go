package guard

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// inLocal are the bytes that may stand in the local part of an email. Of what RFC
// 5322 allows they leave out what rather separates an address from its
// surroundings.
var inLocal = func() (is [256]bool) {
	for c := range is {
		is[c] = isAlnum(byte(c)) || strings.IndexByte("._%+-'&~", byte(c)) >= 0
	}
	return is
}()

// latin tells whether a rune is a letter of Latin script beyond ASCII: addresses
// may have them (RFC 6531), and other scripts write words without spaces.
func latin(r rune) bool { return r >= 0xC0 && r < 0x250 && unicode.IsLetter(r) }

// email looks around an @ at i.
func email(text string, i, floor int, final bool) (Match, verdict) {
	from := i
	for from > floor && i-from < longestWord {
		if inLocal[text[from-1]] {
			from--
			continue
		}
		r, size := utf8.DecodeLastRuneInString(text[floor:from])
		if !latin(r) {
			break
		}
		from -= size
	}
	for from < i && text[from] < 0x80 && !isAlnum(text[from]) {
		from++
	}
	if from == i || text[i-1] == '.' {
		return Match{}, none
	}
	to, dot := i+1, 0
	for to < len(text) && to-i <= 255 { // RFC 5321, 4.5.3.1.2
		c := text[to]
		size := 1
		switch {
		case c == '.':
			if dot == to-1 {
				size = 0
			} else {
				dot = to
			}
		case isAlnum(c) || c == '-':
		default:
			r, n := utf8.DecodeRuneInString(text[to:])
			if size = n; !latin(r) {
				size = 0
			}
		}
		if size == 0 {
			break
		}
		to += size
	}
	if to >= len(text)-1 && !final && to-i <= 255 { // a dot may end a sentence, or not
		return Match{From: from}, open
	}
	if to = len(strings.TrimRight(text[:to], ".-")); to <= dot {
		dot = max(strings.LastIndexByte(text[i+1:max(to, i+1)], '.')+i+1, 0)
	}
	if dot <= i+1 || to-dot < 3 || isDigit(text[dot+1]) && isDigit(text[to-1]) {
		return Match{}, none
	}
	return Match{from, to, Email}, found
}

// longestIPv6 is an address with an IPv4 one within it.
const longestIPv6 = 45

// ipv6 looks around a colon at i.
func ipv6(text string, i, floor int, final bool) (Match, verdict) {
	from := i
	for from > floor && i-from < longestIPv6 && inIPv6(text[from-1]) {
		from--
	}
	to := i + 1
	for to < len(text) && to-from <= longestIPv6 && inIPv6(text[to]) {
		to++
	}
	if to == len(text) && !final && to-from <= longestIPv6 {
		return Match{From: from}, open
	}
	for to > i+1 && text[to-1] == '.' || to > i+1 && text[to-1] == ':' && text[to-2] != ':' {
		to-- // the end of a sentence
	}
	if !begins(text, from) || to < len(text) && isAlnum(text[to]) || to-from < 3 || !hasDigit(text[from:to]) {
		return Match{}, none
	}
	if addr, err := netip.ParseAddr(text[from:to]); err != nil || !addr.Is6() {
		return Match{}, none
	}
	return Match{from, to, IP}, found
}

func inIPv6(c byte) bool {
	return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' || c == ':' || c == '.'
}

func hasDigit(s string) bool {
	for i := range len(s) {
		if isDigit(s[i]) {
			return true
		}
	}
	return false
}

// ipv4 tells where an address that begins at i ends; 0: there is none.
func ipv4(text string, i int) int {
	if i > 0 && (text[i-1] == '.' || !begins(text, i)) {
		return 0
	}
	for octet := range 4 {
		if octet > 0 {
			if i >= len(text) || text[i] != '.' {
				return 0
			}
			i++
		}
		n, from := 0, i
		for i < len(text) && isDigit(text[i]) && i-from < 3 {
			n = n*10 + int(text[i]-'0')
			i++
		}
		if i == from || n > 255 || i-from > 1 && text[from] == '0' {
			return 0
		}
	}
	if i < len(text) && (isAlnum(text[i]) || text[i] == '.' && i+1 < len(text) && isDigit(text[i+1])) {
		return 0
	}
	return i
}
