package console

import (
	"fmt"
	"strconv"
	"time"

	"sluice/billing"
)

// usd is an amount for people: "$1,234.50", with more decimals where it is
// below a dollar.
func usd(n billing.Nano) string {
	sign := ""
	if n < 0 {
		sign, n = "−", -n
	}
	decimals, unit := 2, billing.Dollar/100
	switch {
	case n == 0:
		return "$0"
	case n < billing.Dollar/1000:
		decimals, unit = 6, billing.Dollar/1_000_000
	case n < billing.Dollar:
		decimals, unit = 4, billing.Dollar/10_000
	}
	units := (n + unit/2) / unit
	if units == 0 {
		return sign + "<$0.000001"
	}
	per := billing.Dollar / unit
	return fmt.Sprintf("%s$%s.%0*d", sign, count(int64(units/per)), decimals, int64(units%per))
}

// count is a whole number with its thousands apart.
func count(n int64) string {
	text := strconv.FormatInt(n, 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(text) - 3; i > start; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// plural is so many of a thing whose plural ends in s.
func plural(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return count(n) + " " + thing
}

// short is a whole number in at most four digits: 12.3k, 4.56M.
func short(n int64) string {
	unit := ""
	whole, part := n, int64(0)
	for _, u := range []string{"k", "M", "G", "T", "P"} {
		if whole < 1000 {
			break
		}
		whole, part, unit = whole/1000, whole%1000, u
	}
	switch {
	case unit == "" || whole >= 100:
		return strconv.FormatInt(whole, 10) + unit
	case whole >= 10:
		return fmt.Sprintf("%d.%d%s", whole, part/100, unit)
	}
	return fmt.Sprintf("%d.%02d%s", whole, part/10, unit)
}

// size is a number of bytes.
func size(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	text := short(n)
	return text[:len(text)-1] + " " + text[len(text)-1:] + "B"
}

// ago is how long it is since, or until, a time in the roughest fitting unit.
func ago(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " days"
}
