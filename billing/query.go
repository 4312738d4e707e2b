package billing

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ParseQuery reads what a report is asked for: from and to are dates of loc or
// RFC 3339 times, to being exclusive; without either it is this month, without
// to until now and ever after, without from since the beginning. by names
// Dimensions, separated by commas; an unknown one is an error that names them.
// Errors are BadQuery, and name the field: from, to or group_by.
func ParseQuery(from, to, by string, now time.Time, loc *time.Location) (Query, error) {
	if loc == nil {
		loc = time.UTC
	}
	q := Query{Location: loc}
	var err error
	if q.From, err = parseTime("from", from, loc); err != nil {
		return Query{}, err
	}
	if q.To, err = parseTime("to", to, loc); err != nil {
		return Query{}, err
	}
	if from == "" && to == "" {
		q.From, q.To = PeriodMonth.Window(now, loc)
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		return Query{}, badField("from", "from %s is not before to %s", from, to)
	}
	q.GroupBy, err = parseDimensions(by)
	return q, err
}

func badField(field, format string, args ...any) error {
	return BadQuery{Err: fmt.Errorf(format, args...), Field: field}
}

// LongestReport is the most rows that a report over HTTP has: more take long to
// make and to read, and much memory.
const LongestReport = 100_000

// Filters are the names that Select takes, beside from, to and team.
var Filters = []string{"key", "model", "provider", "target", "prompt", "user", "tag"}

// Select narrows the query to what get gives under the names of Filters; empty
// selects everything. A key is team/name, or its id.
func (q *Query) Select(get func(name string) string) {
	q.Only = Filter{Model: get("model"), Provider: get("provider"), Target: get("target"), Prompt: get("prompt"), User: get("user"), Tag: get("tag")}
	if key := get("key"); strings.Contains(key, "/") {
		q.Only.Key = key
	} else {
		q.KeyID = key
	}
}

func parseTime(field, s string, loc *time.Location) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, loc); err == nil {
		y, m, d := t.Date()
		return dayStart(y, m, d, loc), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, badField(field, "%s %q is neither a date such as 2026-11-01 nor a time such as 2026-11-01T08:00:00Z", field, s)
	}
	return t, nil
}

func parseDimensions(by string) ([]string, error) {
	var dims []string
	for name := range strings.SplitSeq(by, ",") {
		name = strings.TrimSpace(name)
		switch {
		case name == "" || slices.Contains(dims, name):
		case !slices.Contains(Dimensions, name):
			return nil, badField("group_by", "cannot group by %q: known are %s", name, strings.Join(Dimensions, ", "))
		default:
			dims = append(dims, name)
		}
	}
	return dims, nil
}
