package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sluice/billing"
)

// Columns of a row of entries: those that nearly every entry fills, and those
// that are zero or empty in most. What is selected or summed by has a column;
// the rest is only shown, and is in detail: binding is most of what an insert
// costs.
const (
	usualColumns = "call, time, dim, input, output, cost, flags, bucket, detail"
	rareColumns  = "attempt, tagset, \"user\", cached_input, cache_write, reasoning, saved, request_id"
)

// usualArgs appends the values of usualColumns.
func usualArgs(args []any, e *billing.Entry, dim int64, detail string) []any {
	return append(args, e.Call, e.Time.UnixNano(), dim, e.Usage.Input, e.Usage.Output, int64(e.Cost), flags(e), int64(bucket(e)), detail)
}

// hasRare tells whether not all of rareColumns are zero or empty.
func hasRare(e *billing.Entry, tagset int64) bool {
	u := &e.Usage
	return int64(e.Attempt)|tagset|u.CachedInput|u.CacheWrite|u.Reasoning|int64(e.Saved) != 0 || e.User != "" || ownRequestID(e) != ""
}

// rareArgs appends the values of rareColumns.
func rareArgs(args []any, e *billing.Entry, tagset int64) []any {
	u := &e.Usage
	return append(args, int64(e.Attempt), tagset, e.User, u.CachedInput, u.CacheWrite, u.Reasoning, int64(e.Saved), ownRequestID(e))
}

// ownRequestID is empty for a call that has its own for a request id, as most
// have: the index holds the others.
func ownRequestID(e *billing.Entry) string {
	if e.RequestID == e.Call {
		return ""
	}
	return e.RequestID
}

func flags(e *billing.Entry) (f int64) {
	set := func(on bool, flag int64) {
		if on {
			f |= flag
		}
	}
	set(e.Refused, flagRefused)
	set(e.Stream, flagStream)
	set(e.Disconnect, flagDisconnect)
	set(e.Status >= 400, flagError)
	set(served(e), flagServed)
	return f
}

// entrySelect reads whole entries; what follows names the rows of e.
const entrySelect = `SELECT e.id, e.call, e.attempt, e.time, d.team, d.key_id, d.key, e.user, coalesce(t.tags, ''),
	d.model, d.provider, d.target, d.prompt, d.version, d.status,
	e.input, e.cached_input, e.cache_write, e.output, e.reasoning, e.cost, e.saved, e.flags, e.request_id, e.detail
	FROM entries e JOIN dims d ON d.id = e.dim LEFT JOIN tagsets t ON t.id = e.tagset `

// scanEntry reads a row of entrySelect, and the row's id.
func scanEntry(scan func(...any) error) (e billing.Entry, id int64, err error) {
	var at, flags int64
	var tags, text string
	u := &e.Usage
	err = scan(&id, &e.Call, &e.Attempt, &at, &e.Team, &e.KeyID, &e.Key, &e.User, &tags,
		&e.Model, &e.Provider, &e.Target, &e.Prompt, &e.Version, &e.Status,
		&u.Input, &u.CachedInput, &u.CacheWrite, &u.Output, &u.Reasoning, &e.Cost, &e.Saved, &flags, &e.RequestID, &text)
	if err != nil {
		return e, 0, err
	}
	if e.RequestID == "" {
		e.RequestID = e.Call
	}
	e.Time = time.Unix(0, at).UTC()
	e.Refused, e.Stream, e.Disconnect = flags&flagRefused != 0, flags&flagStream != 0, flags&flagDisconnect != 0
	if err := errors.Join(readJSON(tags, &e.Tags), readDetail(text, &e)); err != nil {
		return e, 0, fmt.Errorf("cannot read entry %q: %w", e.Call, err)
	}
	return e, id, nil
}

// readJSON reads a column that holds JSON; an empty one leaves to as it is.
func readJSON(text string, to any) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), to)
}
