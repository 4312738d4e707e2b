package billing

import (
	"fmt"
	"math/big"
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
	r, ok := new(big.Rat).SetString(strings.TrimSpace(s))
	if !ok || strings.ContainsAny(s, "/xXpP_") {
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

// String is the amount as a plain decimal number of dollars with no trailing
// zeros: "0.00015", "12", "-3.5".
func (n Nano) String() string { return string(n.AppendTo(nil)) }

// AppendTo appends String to dst.
func (n Nano) AppendTo(dst []byte) []byte {
	u := uint64(n)
	if n < 0 {
		dst = append(dst, '-')
		u = -u
	}
	dst = fmt.Appendf(dst, "%d", u/uint64(Dollar))
	frac := u % uint64(Dollar)
	if frac == 0 {
		return dst
	}
	var digits [9]byte
	for i := 8; i >= 0; i-- {
		digits[i] = byte('0' + frac%10)
		frac /= 10
	}
	return append(append(dst, '.'), strings.TrimRight(string(digits[:]), "0")...)
}

// MarshalJSON writes the amount as a JSON string, so that no reader makes a
// float of it.
func (n Nano) MarshalJSON() ([]byte, error) {
	return append(n.AppendTo([]byte{'"'}), '"'), nil
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
