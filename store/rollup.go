package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"sluice/billing"
)

// The figures of a group, in the order of the rollups' columns.
const (
	iCalls = iota
	iRefused
	iErrors
	iCached
	iInput
	iCachedInput
	iCacheWrite
	iOutput
	iReasoning
	iUSD
	iSaved
	iLatency // the first of the latency buckets
	nSums    = iLatency + nBuckets
)

// Two buckets share a column: the rollups' rows are read and written at half
// the price, and up to 2^31 calls of a group and bucket add up rightly.
const (
	nBuckets = 30
	nPacked  = iLatency + nBuckets/2
	packBits = 31
)

// bucketEnds are the upper ends, inclusive, of the latency buckets but the
// last, which has none. They never change: rollups are stored by them.
var bucketEnds = [nBuckets - 1]time.Duration{
	1e6, 2e6, 3e6, 5e6, 8e6, 12e6, 18e6, 27e6, 40e6, 60e6, 90e6, 135e6, 200e6, 300e6, 450e6,
	675e6, 1000e6, 1500e6, 2250e6, 3400e6, 5000e6, 7500e6, 11e9, 17e9, 25e9, 38e9, 60e9, 120e9, 300e9,
}

// sumColumns names the columns of figures, in their order.
var sumColumns = func() []string {
	names := []string{"calls", "refused", "errors", "cached", "input", "cached_input", "cache_write",
		"output", "reasoning", "usd", "saved"}
	for i := range nBuckets / 2 {
		names = append(names, fmt.Sprintf("l%d", i))
	}
	return names
}()

// sums are the figures of a group: counts, tokens, nanos of a dollar.
type sums [nSums]int64

func (s *sums) add(t *sums, sign int64) {
	for i, n := range t {
		s[i] += sign * n
	}
}

// packed are figures as a row of a rollup has them.
type packed [nPacked]int64

// pointers are where a row's figures are scanned to.
func (p *packed) pointers(to []any) []any {
	for i := range p {
		to = append(to, &p[i])
	}
	return to
}

func (p *packed) unpack() (s sums) {
	copy(s[:iLatency], p[:])
	for i, n := range p[iLatency:] {
		s[iLatency+2*i], s[iLatency+2*i+1] = n&(1<<packBits-1), n>>packBits
	}
	return s
}

func (s *sums) pack() (p packed) {
	copy(p[:], s[:iLatency])
	for i := range p[iLatency:] {
		p[iLatency+i] = s[iLatency+2*i] + s[iLatency+2*i+1]<<packBits
	}
	return p
}

// bucket is the latency bucket of an entry; -1 if it is no admitted call.
func bucket(e *billing.Entry) int {
	if e.Attempt != 0 || e.Refused {
		return -1
	}
	for i, end := range bucketEnds {
		if e.Latency <= end {
			return i
		}
	}
	return nBuckets - 1
}

// sumsOf is what one entry adds to its groups. The view entry_sums says the
// same in SQL.
func sumsOf(e *billing.Entry) (s sums) {
	if b := bucket(e); b >= 0 {
		s[iCalls] = 1
		s[iLatency+b] = 1
		if e.Status >= 400 {
			s[iErrors] = 1
		}
		if served(e) {
			s[iCached] = 1
		}
	}
	if e.Refused {
		s[iRefused] = 1
	}
	u := &e.Usage
	s[iInput], s[iCachedInput], s[iCacheWrite] = u.Input, u.CachedInput, u.CacheWrite
	s[iOutput], s[iReasoning] = u.Output, u.Reasoning
	s[iUSD], s[iSaved] = int64(e.Cost), int64(e.Saved)
	return s
}

// served tells whether a cache answered.
func served(e *billing.Entry) bool { return e.Cache == "hit" || e.Cache == "semantic" }

// report puts the figures in the words of billing.
func (s *sums) report() billing.Sums {
	return billing.Sums{
		Calls: s[iCalls], Refused: s[iRefused], Errors: s[iErrors], Cached: s[iCached],
		InputTokens: s[iInput], CachedInputTokens: s[iCachedInput], CacheWriteTokens: s[iCacheWrite],
		OutputTokens: s[iOutput], ReasoningTokens: s[iReasoning],
		USD: billing.Nano(s[iUSD]), SavedUSD: billing.Nano(s[iSaved]),
		LatencyP50MS: s.percentile(50), LatencyP95MS: s.percentile(95),
	}
}

// percentile reads a latency in milliseconds from the buckets, taking those
// of one bucket as evenly spread; 0 without calls.
func (s *sums) percentile(p int64) int64 {
	var total, before int64
	for _, n := range s[iLatency:] {
		total += n
	}
	rank := (total*p + 99) / 100
	from := time.Duration(0)
	for i, n := range s[iLatency:] {
		if n > 0 && before+n >= rank {
			if i == nBuckets-1 {
				return from.Milliseconds()
			}
			width := bucketEnds[i] - from
			at := from + time.Duration(float64(width)*float64(rank-before)/float64(n))
			return at.Round(time.Millisecond).Milliseconds()
		}
		before += n
		if i < nBuckets-1 {
			from = bucketEnds[i]
		}
	}
	return 0
}

// rollup is one of the tables of sums.
type rollup struct {
	name, period string
	size         int64 // of a period, in nanoseconds
	tags, user   bool  // kept by these too, and only of the entries that have them
}

const (
	hour = int64(time.Hour)
	day  = 24 * hour
)

// rollups are all of them. An entry with a user and tags is in each; usage_*
// hold every entry.
var rollups = []rollup{
	{"usage_hour", "hour", hour, false, false},
	{"usage_day", "day", day, false, false},
	{"tagged_hour", "hour", hour, true, false},
	{"tagged_day", "day", day, true, false},
	{"user_hour", "hour", hour, true, true},
	{"user_day", "day", day, true, true},
}

// keys are the columns that identify a row.
func (r rollup) keys() []string {
	keys := []string{r.period, "dim"}
	if r.tags {
		keys = append(keys, "tagset")
	}
	if r.user {
		keys = append(keys, "user")
	}
	return keys
}

// holds tells whether an entry belongs into the rollup.
func (r rollup) holds(user string, tagset int64) bool {
	if r.user {
		return user != ""
	}
	return !r.tags || tagset != 0
}

// upsert is the statement that adds figures to a row.
func (r rollup) upsert() string {
	columns := append(r.keys(), sumColumns...)
	var adds []string
	for _, c := range sumColumns {
		adds = append(adds, c+" = "+c+" + excluded."+c)
	}
	return "INSERT INTO " + r.name + " (" + strings.Join(columns, ", ") + ") VALUES (?" +
		strings.Repeat(", ?", len(columns)-1) + ") ON CONFLICT DO UPDATE SET " + strings.Join(adds, ", ")
}

// group identifies a row of a rollup; what the table has no column for is empty.
type group struct {
	period, dim, tagset int64
	user                string
}

// tally gathers what a batch adds to the rollups, so that each row is touched
// once.
type tally map[string]map[group]*sums

func (t tally) add(e *billing.Entry, dim, tagset int64) {
	s := sumsOf(e)
	for _, r := range rollups {
		if !r.holds(e.User, tagset) {
			continue
		}
		g := group{period: e.Time.UnixNano() / r.size, dim: dim}
		if r.tags {
			g.tagset = tagset
		}
		if r.user {
			g.user = e.User
		}
		rows := t[r.name]
		if rows == nil {
			rows = map[group]*sums{}
			t[r.name] = rows
		}
		if rows[g] == nil {
			rows[g] = new(sums)
		}
		rows[g].add(&s, 1)
	}
}

func (t tally) write(ctx context.Context, r rollup, stmt *sql.Stmt) error {
	args := make([]any, 0, nPacked+4)
	for g, s := range t[r.name] {
		args = append(args[:0], g.period, g.dim)
		if r.tags {
			args = append(args, g.tagset)
		}
		if r.user {
			args = append(args, g.user)
		}
		for _, n := range s.pack() {
			args = append(args, n)
		}
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return fmt.Errorf("cannot add to %s: %w", r.name, err)
		}
	}
	return nil
}
