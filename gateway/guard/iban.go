package guard

// iban looks at a letter at i: two letters, two check digits, and up to 30
// letters and digits, in groups or not (ISO 13616-1).
func iban(text string, i int, final bool) (Match, verdict) {
	if !begins(text, i) {
		return Match{}, none
	}
	var chars [34]byte
	var ends [34]int
	n, j := 0, i
	for gap := false; j < len(text) && n < len(chars); j++ {
		c := text[j]
		if (c == ' ' || c == '-') && n >= 4 && !gap {
			gap = true
			continue
		}
		if !isAlnum(c) {
			break
		}
		chars[n], ends[n], gap = c, j+1, false
		n++
	}
	if j == len(text) && !final {
		return Match{From: i}, open
	}
	for ; n >= 15; n-- {
		end := ends[n-1]
		if (end == len(text) || !isAlnum(text[end])) && mod97(chars[:n]) {
			return Match{i, end, IBAN}, found
		}
	}
	return Match{}, none
}

// mayBeIBAN tells whether what comes behind a letter may be the rest of an IBAN's
// first four: of most words it is not.
func mayBeIBAN(rest string) bool {
	return (len(rest) < 1 || letter[rest[0]]) && (len(rest) < 2 || isDigit(rest[1])) && (len(rest) < 3 || isDigit(rest[2]))
}

// mod97 checks the digits by ISO 7064, with the first four at the end.
func mod97(chars []byte) bool {
	sum := 0
	for i := range chars {
		c := chars[(i+4)%len(chars)]
		if isDigit(c) {
			sum = (sum*10 + int(c-'0')) % 97
		} else {
			sum = (sum*100 + int(c|0x20-'a') + 10) % 97
		}
	}
	return sum == 1
}
