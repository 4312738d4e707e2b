package config

import (
	"encoding"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // billing.time_zone must not depend on the machine

	"sluice/billing"
)

// Size is a number of bytes.
type Size int64

// UnmarshalText reads 512, 64KiB, 32MiB, 1GiB, or decimal kB, MB and GB.
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "BKMGTikmgt")
	unit, known := sizeUnits[string(text[len(digits):])]
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || !known || n < 0 || n > math.MaxInt64/unit {
		return errors.New("want a size such as 32MiB")
	}
	*s = Size(n * unit)
	return nil
}

var sizeUnits = map[string]int64{
	"": 1, "B": 1,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	"kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}

// Dollars is a price as it was written: an exact decimal, not negative; empty
// where none was given.
type Dollars string

// UnmarshalText checks that the text is an exact amount.
func (d *Dollars) UnmarshalText(text []byte) error {
	n, err := billing.ParseUSD(string(text))
	if err != nil || n < 0 {
		return errMoney
	}
	*d = Dollars(n.String())
	return nil
}

// Nano is the amount; 0 where none was given.
func (d Dollars) Nano() billing.Nano {
	n, _ := billing.ParseUSD(string(d)) // checked when it was read; empty is 0
	return n
}

// Percent is a percentage, exactly.
type Percent billing.PPM

// UnmarshalText reads such as 12.5%.
func (p *Percent) UnmarshalText(text []byte) error {
	n, err := billing.ParsePercent(string(text))
	*p = Percent(n)
	return err
}

// MarshalText writes it back.
func (p Percent) MarshalText() ([]byte, error) { return []byte(billing.PPM(p).String()), nil }

// HedgeAfter is how long an attempt may take before a second is made beside it:
// a time, or P95, the time that one in twenty of the target's answers exceeds.
type HedgeAfter time.Duration

// P95 is written p95.
const P95 HedgeAfter = -1

// UnmarshalText reads such as 2s, or p95.
func (h *HedgeAfter) UnmarshalText(text []byte) error {
	if string(text) == "p95" {
		*h = P95
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return errors.New("want a duration above 0 such as 2s, or p95")
	}
	*h = HedgeAfter(d)
	return nil
}

// MarshalText writes it back.
func (h HedgeAfter) MarshalText() ([]byte, error) {
	if h == P95 {
		return []byte("p95"), nil
	}
	return []byte(time.Duration(h).String()), nil
}

var errMoney = errors.New("want an amount of dollars such as 0.15")

// readers turn text into the types that no kind of Go's describes well enough.
var readers = map[reflect.Type]func(text string) (any, error){
	reflect.TypeFor[time.Duration](): func(text string) (any, error) {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return nil, errors.New("want a duration such as 30s")
		}
		return d, nil
	},
	reflect.TypeFor[billing.Nano](): func(text string) (any, error) {
		n, err := billing.ParseUSD(text)
		if err != nil || n < 0 {
			return nil, errMoney
		}
		return n, nil
	},
	reflect.TypeFor[netip.Prefix](): func(text string) (any, error) {
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
			return netip.PrefixFrom(a, a.BitLen()), nil
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, errors.New("want an address or a network such as 10.0.0.0/8")
		}
		return p.Masked(), nil
	},
	reflect.TypeFor[time.Time](): func(text string) (any, error) {
		for _, layout := range []string{time.DateOnly, time.RFC3339} {
			if t, err := time.Parse(layout, text); err == nil {
				return t, nil
			}
		}
		return nil, errors.New("want a date such as 2027-01-01, or an RFC 3339 time")
	},
	reflect.TypeFor[*time.Location](): func(text string) (any, error) {
		zone, err := time.LoadLocation(text)
		if err != nil || text == "" || text == "Local" {
			return nil, errors.New("want a time zone such as UTC or Europe/Berlin")
		}
		return zone, nil
	},
}

// scalar reads text into a value that takes one. It reports false where the
// value's type takes none.
func scalar(text string, into reflect.Value) (bool, error) {
	if read, ok := readers[into.Type()]; ok {
		v, err := read(text)
		if err == nil {
			into.Set(reflect.ValueOf(v))
		}
		return true, err
	}
	if u, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return true, u.UnmarshalText([]byte(text))
	}
	switch into.Kind() {
	case reflect.String:
		into.SetString(text)
	case reflect.Bool:
		switch text { // the words of YAML 1.2
		case "true", "True", "TRUE":
			into.SetBool(true)
		case "false", "False", "FALSE":
			into.SetBool(false)
		default:
			return true, errors.New("want true or false")
		}
	case reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return true, errors.New("want a whole number, 0 or more")
		}
		into.SetInt(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || !(f >= 0 && f < math.MaxFloat64) {
			return true, errors.New("want a number, 0 or more")
		}
		into.SetFloat(f)
	default:
		return false, nil
	}
	return true, nil
}
