package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/billing"
	"sluice/providers/schema"
)

// Columns of a row of entries: those that nearly every entry fills, and those
// that are zero or empty in most. A row without the second kind is bound by
// itself: binding is most of what an insert costs.
const (
	usualColumns = "call, attempt, time, dim, operation, input, output, source, price_version, cost, flags, " +
		"delivered, latency, ttft, bucket, attempts"
	rareColumns = "tagset, user, cached_input, cache_write, cache_write_1h, reasoning, audio_input, audio_output, images, " +
		"excess, saved, code, origin, cache, request_id"
)

// usualArgs are the values of usualColumns.
func usualArgs(e *billing.Entry, dim int64) ([]any, error) {
	attempts, err := attemptsJSON(e.Attempts)
	if err != nil {
		return nil, err
	}
	u := &e.Usage
	return []any{e.Call, e.Attempt, e.Time.UnixNano(), dim, e.Operation, u.Input, u.Output, int64(u.Source),
		e.PriceVersion, int64(e.Cost), flags(e), e.Delivered, int64(e.Latency), int64(e.TTFT), bucket(e), attempts}, nil
}

// rareArgs are the values of rareColumns; nil: all are zero or empty.
func rareArgs(e *billing.Entry, tagset int64) []any {
	u := &e.Usage
	own := e.RequestID
	if own == e.Call {
		own = "" // as most are; the index holds the others
	}
	if u.CachedInput|u.CacheWrite|u.CacheWrite1h|u.Reasoning|u.AudioInput|u.AudioOutput|u.Images == 0 && tagset == 0 &&
		e.Excess == 0 && e.Saved == 0 && e.User == "" && e.Code == "" && e.Origin == "" && e.Cache == "" && own == "" {
		return nil
	}
	return []any{tagset, e.User, u.CachedInput, u.CacheWrite, u.CacheWrite1h, u.Reasoning, u.AudioInput, u.AudioOutput,
		u.Images, int64(e.Excess), int64(e.Saved), e.Code, e.Origin, e.Cache, own}
}

// attemptsJSON is the column attempts: null without any.
func attemptsJSON(list []billing.AttemptLog) (any, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(list) == 1 && plain(list[0].Target) && plain(list[0].Key) && plain(list[0].Code) {
		return oneAttempt(&list[0]), nil
	}
	text, err := json.Marshal(list)
	return string(text), err
}

// oneAttempt writes what json.Marshal would, for the case of nearly every call
// and at a fifth of the price.
func oneAttempt(l *billing.AttemptLog) string {
	b := make([]byte, 0, 160)
	b = append(append(append(b, `[{"target":"`...), l.Target...), '"')
	if l.Key != "" {
		b = append(append(append(b, `,"key":"`...), l.Key...), '"')
	}
	b = strconv.AppendInt(append(b, `,"status":`...), int64(l.Status), 10)
	if l.Code != "" {
		b = append(append(append(b, `,"code":"`...), l.Code...), '"')
	}
	b = strconv.AppendInt(append(b, `,"latency_ms":`...), l.LatencyMS, 10)
	b = l.USD.AppendTo(append(b, `,"usd":"`...))
	return string(append(b, `"}]`...))
}

// plain tells whether JSON writes a text as it is.
func plain(s string) bool {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return ascii || utf8.ValidString(s) && !strings.ContainsAny(s, "\u2028\u2029")
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
const entrySelect = `SELECT e.id, e.call, e.attempt, e.time, d.team, d.key_id, d.key, e.user, coalesce(t.tags, ''), e.operation,
	d.model, d.provider, d.target, d.prompt, d.version, d.status,
	e.input, e.cached_input, e.cache_write, e.cache_write_1h, e.output, e.reasoning, e.audio_input, e.audio_output, e.images, e.source,
	e.price_version, e.cost, e.excess, e.saved, e.code, e.origin, e.flags, e.cache, e.delivered, e.latency, e.ttft,
	e.request_id, coalesce(e.attempts, '')
	FROM entries e JOIN dims d ON d.id = e.dim LEFT JOIN tagsets t ON t.id = e.tagset `

// scanEntry reads a row of entrySelect, and the row's id.
func scanEntry(scan func(...any) error) (e billing.Entry, id int64, err error) {
	var at, flags, latency, ttft int64
	var source uint8
	var tags, attempts string
	u := &e.Usage
	err = scan(&id, &e.Call, &e.Attempt, &at, &e.Team, &e.KeyID, &e.Key, &e.User, &tags, &e.Operation,
		&e.Model, &e.Provider, &e.Target, &e.Prompt, &e.Version, &e.Status,
		&u.Input, &u.CachedInput, &u.CacheWrite, &u.CacheWrite1h, &u.Output, &u.Reasoning, &u.AudioInput, &u.AudioOutput,
		&u.Images, &source,
		&e.PriceVersion, &e.Cost, &e.Excess, &e.Saved, &e.Code, &e.Origin, &flags, &e.Cache, &e.Delivered, &latency, &ttft,
		&e.RequestID, &attempts)
	if err != nil {
		return e, 0, err
	}
	if e.RequestID == "" {
		e.RequestID = e.Call
	}
	e.Time = time.Unix(0, at).UTC()
	u.Source = schema.UsageSource(source)
	e.Latency, e.TTFT = time.Duration(latency), time.Duration(ttft)
	e.Refused, e.Stream, e.Disconnect = flags&flagRefused != 0, flags&flagStream != 0, flags&flagDisconnect != 0
	if err := errors.Join(readJSON(tags, &e.Tags), readJSON(attempts, &e.Attempts)); err != nil {
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
