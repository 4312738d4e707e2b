package store

import (
	"fmt"
	"time"

	"sluice/billing"
)

// The figures of a group, in the order of a pack's mask.
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

const nBuckets = 30

// bucketEnds are the upper ends, inclusive, of the latency buckets but the
// last, which has none. They never change: sums are stored by them.
var bucketEnds = [nBuckets - 1]time.Duration{
	1e6, 2e6, 3e6, 5e6, 8e6, 12e6, 18e6, 27e6, 40e6, 60e6, 90e6, 135e6, 200e6, 300e6, 450e6,
	675e6, 1000e6, 1500e6, 2250e6, 3400e6, 5000e6, 7500e6, 11e9, 17e9, 25e9, 38e9, 60e9, 120e9, 300e9,
}

// sumName is what a figure is called where sums are compared.
func sumName(i int) string {
	names := [...]string{"calls", "refused", "errors", "cached", "input", "cached_input", "cache_write",
		"output", "reasoning", "usd", "saved"}
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("latency %d", i-iLatency)
}

// sums are the figures of a group: counts, tokens, nanos of a dollar.
type sums [nSums]int64

func (s *sums) add(t *sums, sign int64) {
	for i, n := range t {
		s[i] += sign * n
	}
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

// sumsOf is what one entry adds to its groups.
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

const (
	hour = int64(time.Hour)
	day  = 24 * hour
)

// kind is what the rows of a pack tell apart. Every entry is in a pack of each
// kind.
type kind int

const (
	byDim       kind = iota // dims
	byTagset                // dims and tagsets
	byUser                  // dims, tagsets and users: all that there is
	byUserAlone             // users: many have few rows each then
	kinds
)

// of is the key of a row in a pack of this kind.
func (k kind) of(key packKey) packKey {
	switch k {
	case byDim:
		return packKey{dim: key.dim, hour: key.hour}
	case byTagset:
		return packKey{dim: key.dim, tagset: key.tagset, hour: key.hour}
	case byUserAlone:
		return packKey{user: key.user, hour: key.hour}
	}
	return key
}

// hasUsers tells whether packs of the kind tell users apart.
func (k kind) hasUsers() bool { return k == byUser || k == byUserAlone }

// sumsQuery reads what sums are made of; what follows selects the entries.
const sumsQuery = `SELECT time, dim, tagset, "user", bucket, flags, input, cached_input, cache_write, output, reasoning, cost, saved FROM entries `

// scanSums reads a row of sumsQuery: its time, its key with the hour of its
// day, and its sums. It says of a row what sumsOf says of an entry.
func scanSums(scan func(...any) error) (at int64, row packRow, err error) {
	var bucket, flags int64
	s := &row.sums
	err = scan(&at, &row.dim, &row.tagset, &row.user, &bucket, &flags, &s[iInput], &s[iCachedInput], &s[iCacheWrite], &s[iOutput],
		&s[iReasoning], &s[iUSD], &s[iSaved])
	row.hour = at % day / hour
	if bucket >= 0 {
		s[iCalls] = 1
		s[iErrors], s[iCached] = flags/flagError&1, flags/flagServed&1
		s[iLatency+min(bucket, nBuckets-1)] = 1
	}
	s[iRefused] = flags & flagRefused
	return at, row, err
}
