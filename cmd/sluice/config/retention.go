package config

import (
	"errors"
	"strconv"
	"strings"
)

// Days is how long something is kept, such as 400d; Forever; 0: it was not said.
type Days int64

// Forever is without end.
const Forever Days = -1

// mostDays is a hundred years.
const mostDays = 36_500

// MarshalText writes what UnmarshalText reads.
func (d Days) MarshalText() ([]byte, error) {
	switch d {
	case 0:
		return []byte("0"), nil
	case Forever:
		return []byte("forever"), nil
	}
	return []byte(strconv.FormatInt(int64(d), 10) + "d"), nil
}

// UnmarshalText reads 400d, forever, or 0 for what is not said.
func (d *Days) UnmarshalText(text []byte) error {
	switch string(text) {
	case "0":
		*d = 0
		return nil
	case "forever":
		*d = Forever
		return nil
	}
	digits, ok := strings.CutSuffix(string(text), "d")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 1 || n > mostDays {
		return errors.New("want a number of days such as 400d, or forever")
	}
	*d = Days(n)
	return nil
}

// Retains tells whether anything is not kept for ever.
func (c *Config) Retains() bool {
	if c.Billing.Retention > 0 {
		return true
	}
	for _, t := range c.Teams {
		if t.Retention > 0 {
			return true
		}
	}
	return false
}

// RetentionOf is how long a team's entries are kept: its own word, or that of
// the nearest team above it that has one, or billing's. parents are all teams'.
func (c *Config) RetentionOf(team string, parents map[string]string) Days {
	for range len(parents) + 1 {
		if d := c.Teams[team].Retention; d != 0 {
			return d
		}
		if team = parents[team]; team == "" {
			break
		}
	}
	return c.Billing.Retention
}
