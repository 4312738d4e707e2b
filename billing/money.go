package billing

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Nano is an amount of money in 1e-9 US dollars. No float ever holds money.
type Nano int64

// Dollar is one US dollar.
const Dollar Nano = 1_000_000_000

// ParseUSD reads a decimal number of dollars, such as "0.15" or "500", exactly.
// More than nine decimals, an exponent that leaves such, or an amount beyond
// ±9.2 billion dollars is an error.
func ParseUSD(s string) (Nano, error) {
	s = strings.TrimSpace(s)
	// Beyond 40 characters, or with a long exponent, no amount fits; big.Rat
	// would spend memory on finding that out.
	if len(s) > 40 || longExponent(s) {
		return 0, fmt.Errorf("%.40q is not an amount of dollars", s)
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || strings.ContainsAny(s, "/xXpPbBoO_") {
		return 0, fmt.Errorf("%q is not a decimal amount of dollars", s)
	}
	r.Mul(r, new(big.Rat).SetInt64(int64(Dollar)))
	if !r.IsInt() {
		return 0, fmt.Errorf("%q has more than nine decimals", s)
	}
	if !r.Num().IsInt64() {
		return 0, fmt.Errorf("%q is too large an amount", s)
	}
	return Nano(r.Num().Int64()), nil
}

// longExponent tells whether s has an exponent of more than two digits.
func longExponent(s string) bool {
	i := strings.IndexAny(s, "eE")
	return i >= 0 && len(strings.TrimLeft(s[i+1:], "+-0")) > 2
}

// String is the amount as a plain decimal number of dollars with no trailing
// zeros: "0.00015", "12", "-3.5".
func (n Nano) String() string { return string(n.AppendTo(make([]byte, 0, 24))) }

// AppendTo appends String to dst; it allocates only where dst is too short.
func (n Nano) AppendTo(dst []byte) []byte {
	u := uint64(n)
	if n < 0 {
		dst = append(dst, '-')
		u = -u
	}
	dst = strconv.AppendUint(dst, u/uint64(Dollar), 10)
	frac := u % uint64(Dollar)
	if frac == 0 {
		return dst
	}
	digits := 9
	for frac%10 == 0 {
		frac /= 10
		digits--
	}
	dst = append(dst, ".000000000"[:1+digits]...)
	for i := len(dst) - 1; frac > 0; i-- {
		dst[i] = byte('0' + frac%10)
		frac /= 10
	}
	return dst
}

// MarshalJSON writes the amount as a JSON string, so that no reader makes a
// float of it.
func (n Nano) MarshalJSON() ([]byte, error) {
	return append(n.AppendTo(append(make([]byte, 0, 24), '"')), '"'), nil
}

// UnmarshalJSON reads a JSON string or number of dollars.
func (n *Nano) UnmarshalJSON(b []byte) error {
	v, err := ParseUSD(strings.Trim(string(b), `"`))
	if err != nil {
		return err
	}
	*n = v
	return nil
}
