package guard

// Bounds of a run of digits and what stands between them.
const (
	longestRun = 48
	mostDigits = 20
)

// run is a number as people write it: digits in groups.
type run struct {
	digits [mostDigits]byte
	at     int
	ends   [mostDigits]uint8 // where each digit ends, from at on
	n      int
	groups [mostDigits]uint8 // how many digits each group has
	last   int               // the last group
	odd    int               // how many digits came before a separator that no card has
}

// fewest is how many digits a phone's number has at least; a card's has more.
const fewest = 8

// numberAt looks at a sign at i that a number may begin with. skip is how far
// nothing begins; 0: here something may. ends: the text ends within the number.
func numberAt(text string, i int) (skip int, ends bool) {
	if i > 0 && isDigit(text[i-1]) && !begins(text, i) || !isDigit(text[i]) && (i+1 < len(text) && !isDigit(text[i+1]) && text[i+1] != '(' || !begins(text, i)) {
		return 1, false
	}
	digits, dots, gap, j := 0, 0, 0, i
	for skip = 1; j < len(text) && j-i < longestRun && digits < mostDigits; j++ {
		switch c := text[j]; {
		case isDigit(c):
			if digits == j-i {
				skip = digits + 1
			}
			digits++
			gap = 0
			continue
		case c == '.':
			dots++
		case c == ' ' || c == '-' || c == '/' || c == '(' || c == ')' || c == '+' && j == i:
		case c == 0xC2 && j+1 < len(text) && text[j+1] == 0xA0:
			j++
		default:
			gap = 2
		}
		if gap++; gap > 2 {
			break
		}
	}
	ends = gap <= 2 && j == len(text)
	if digits >= fewest || dots >= 3 {
		skip = 0
	}
	return skip, ends
}

// read takes the run that begins at i.
func (r *run) read(text string, i int) {
	j, gap := i, 0
	r.at, r.odd = i, mostDigits+1
	for ; j < len(text) && j-i < longestRun && r.n < mostDigits; j++ {
		c := text[j]
		switch {
		case isDigit(c):
			if gap > 0 && r.n > 0 {
				r.last++
			}
			r.digits[r.n], r.ends[r.n] = c-'0', uint8(j+1-i)
			r.groups[r.last]++
			r.n++
			gap = 0
			continue
		case c == ' ' || c == '-':
			if gap > 0 {
				r.odd = min(r.odd, r.n)
			}
		case c == '.' || c == '/' || c == '(' || c == ')' || c == '+' && j == i:
			r.odd = min(r.odd, r.n)
		case c == 0xC2 && j+1 < len(text) && text[j+1] == 0xA0: // a space that does not break
			j++
		default:
			return
		}
		if gap++; gap > 2 {
			return
		}
	}
}

// end is where the first n digits end in the text.
func (r *run) end(n int) int { return r.at + int(r.ends[n-1]) }

// ended tells whether the first n digits end where a group does, and a word.
func (r *run) ended(text string, n int) bool {
	if n == 0 || n > r.n {
		return false
	}
	end := r.end(n)
	return end == len(text) || !isAlnum(text[end]) && text[end] != '@' && text[end] != '_'
}

// number looks at what begins with a digit, a + or a bracket, as numberAt says.
func (k Kinds) number(text string, i int) (m Match, v verdict, skip int) {
	var r run
	r.read(text, i)
	skip = 1
	if isDigit(text[i]) {
		skip = int(r.groups[0])
	}
	if k&IP != 0 && isDigit(text[i]) {
		if to := ipv4(text, i); to > 0 {
			return Match{i, to, IP}, found, 0
		}
	}
	if k&Card != 0 && isDigit(text[i]) {
		if to := r.card(text); to > 0 {
			return Match{i, to, Card}, found, 0
		}
	}
	if k&Phone != 0 && (begins(text, i) || text[i] == '+') {
		if to := r.phone(text, i); to > 0 {
			return Match{i, to, Phone}, found, 0
		}
	}
	return m, none, skip
}

// card is where a card's number ends; 0: it is none. ISO/IEC 7812 gives it up to
// 19 digits, and cards that pay begin with 2 to 6.
func (r *run) card(text string) int {
	if r.n < 13 || r.digits[0] < 2 || r.digits[0] > 6 {
		return 0
	}
	for n := min(r.n, 19, r.odd); n >= 13; n-- {
		if r.ended(text, n) && luhn(r.digits[:n]) {
			return r.end(n)
		}
	}
	return 0
}

// luhn checks the last digit by ISO/IEC 7812-1, annex B.
func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i])
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// phone is where a phone's number ends; 0: it is none.
func (r *run) phone(text string, i int) int {
	switch {
	case text[i] == '+': // E.164: 15 digits at most
		return r.longest(text, 8, 15)
	case r.n > 2 && r.digits[0] == 0 && r.digits[1] == 0 && r.digits[2] != 0:
		return r.longest(text, 10, 17)
	case r.n > 1 && r.digits[0] == 0 && r.digits[1] != 0 && !r.date():
		return r.longest(text, 9, 12)
	}
	g := r.groups[:r.last+1]
	first := 0
	if len(g) > 3 && g[0] == 1 && r.digits[0] == 1 {
		g, first = g[1:], 1
	}
	if len(g) < 3 || g[0] != 3 || g[1] != 3 || g[2] != 4 || r.digits[first] < 2 || r.digits[first+3] < 2 || !r.ended(text, first+10) {
		return 0
	}
	return r.end(first + 10)
}

// longest is the end of the longest number of so many digits.
func (r *run) longest(text string, least, most int) int {
	for n := min(r.n, most); n >= least; n-- {
		if r.ended(text, n) {
			return r.end(n)
		}
	}
	return 0
}

// date tells whether the number begins as 01.02.2024 or 01/02/24 does.
func (r *run) date() bool {
	g := r.groups
	return r.last >= 2 && g[0] == 2 && g[1] == 2 && (g[2] == 4 || g[2] == 2 && r.odd < mostDigits && r.n <= 8)
}
