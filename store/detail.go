package store

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/billing"
	"sluice/providers/schema"
)

// detail is the column of that name: what of an entry is shown and neither
// selected nor summed by. Times are nanoseconds, money is 1e-9 dollars. What is
// zero, and a Delivered of -1, is left out.
type detail struct {
	Operation    string               `json:"operation,omitempty"`
	Source       schema.UsageSource   `json:"source,omitempty"`
	PriceVersion string               `json:"price_version,omitempty"`
	CacheWrite1h int64                `json:"cache_write_1h,omitempty"`
	AudioInput   int64                `json:"audio_input,omitempty"`
	AudioOutput  int64                `json:"audio_output,omitempty"`
	Images       int64                `json:"images,omitempty"`
	Tier         string               `json:"tier,omitempty"`
	Excess       int64                `json:"excess,omitempty"`
	Markup       int64                `json:"markup,omitempty"`
	Code         string               `json:"code,omitempty"`
	Origin       string               `json:"origin,omitempty"`
	Cache        string               `json:"cache,omitempty"`
	Delivered    *int64               `json:"delivered,omitempty"` // nil: all
	Latency      time.Duration        `json:"latency,omitempty"`
	TTFT         time.Duration        `json:"ttft,omitempty"`
	Attempts     []billing.AttemptLog `json:"attempts,omitempty"`
	Guards       string               `json:"guards,omitempty"` // JSON
	Split        int64                `json:"split,omitempty"`  // when it began; these three are its mark
	SplitFailed  bool                 `json:"split_failed,omitempty"`
	SplitCost    int64                `json:"split_cost,omitempty"`
	Trace        string               `json:"trace,omitempty"`
	Corrects     string               `json:"corrects,omitempty"`
	Reason       string               `json:"reason,omitempty"`
}

// readDetail sets the fields of an entry that the column holds.
func readDetail(text string, e *billing.Entry) error {
	var d detail
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return err
	}
	u := &e.Usage
	u.Source, u.CacheWrite1h = d.Source, d.CacheWrite1h
	u.AudioInput, u.AudioOutput, u.Images, u.Tier = d.AudioInput, d.AudioOutput, d.Images, d.Tier
	e.Corrects, e.Reason, e.Markup = d.Corrects, d.Reason, billing.Nano(d.Markup)
	e.Operation, e.PriceVersion, e.Excess = d.Operation, d.PriceVersion, billing.Nano(d.Excess)
	e.Code, e.Origin, e.Cache = d.Code, d.Origin, d.Cache
	e.Split = billing.SplitMark{Since: d.Split, Failed: d.SplitFailed, Cost: billing.Nano(d.SplitCost)}
	e.Guards, e.Trace = d.Guards, d.Trace
	e.Latency, e.TTFT, e.Attempts = d.Latency, d.TTFT, d.Attempts
	e.Delivered = -1
	if d.Delivered != nil {
		e.Delivered = *d.Delivered
	}
	return nil
}

// detailJSON writes the column: what json.Marshal would, at a fifth of the
// price where the texts need no escaping, as those of nearly every call.
func detailJSON(e *billing.Entry) (string, error) {
	u := &e.Usage
	for _, s := range [...]string{e.Operation, e.PriceVersion, u.Tier, e.Code, e.Origin, e.Cache, e.Corrects, e.Reason, e.Guards, e.Trace} {
		if !plain(s) {
			return marshalDetail(e)
		}
	}
	w := writer{make([]byte, 1, 320)}
	w.b[0] = '{'
	w.text("operation", e.Operation)
	w.number("source", int64(u.Source))
	w.text("price_version", e.PriceVersion)
	w.number("cache_write_1h", u.CacheWrite1h)
	w.number("audio_input", u.AudioInput)
	w.number("audio_output", u.AudioOutput)
	w.number("images", u.Images)
	w.text("tier", u.Tier)
	w.number("excess", int64(e.Excess))
	w.number("markup", int64(e.Markup))
	w.text("code", e.Code)
	w.text("origin", e.Origin)
	w.text("cache", e.Cache)
	if e.Delivered != -1 {
		w.key("delivered")
		w.b = strconv.AppendInt(w.b, e.Delivered, 10)
	}
	w.number("latency", int64(e.Latency))
	w.number("ttft", int64(e.TTFT))
	for i := range e.Attempts {
		a := &e.Attempts[i]
		if !plain(a.Call) || !plain(a.Target) || !plain(a.Key) || !plain(a.Code) {
			return marshalDetail(e)
		}
		if i == 0 {
			w.key("attempts")
			w.b = append(w.b, '[')
		} else {
			w.b = append(w.b, ',')
		}
		w.attempt(a)
	}
	if len(e.Attempts) > 0 {
		w.b = append(w.b, ']')
	}
	w.text("guards", e.Guards)
	w.number("split", e.Split.Since)
	if e.Split.Failed {
		w.key("split_failed")
		w.b = append(w.b, "true"...)
	}
	w.number("split_cost", int64(e.Split.Cost))
	w.text("trace", e.Trace)
	w.text("corrects", e.Corrects)
	w.text("reason", e.Reason)
	return string(append(w.b, '}')), nil
}

func marshalDetail(e *billing.Entry) (string, error) {
	u := &e.Usage
	d := detail{Operation: e.Operation, Source: u.Source, PriceVersion: e.PriceVersion, CacheWrite1h: u.CacheWrite1h,
		AudioInput: u.AudioInput, AudioOutput: u.AudioOutput, Images: u.Images, Tier: u.Tier, Excess: int64(e.Excess), Markup: int64(e.Markup),
		Code: e.Code, Origin: e.Origin, Cache: e.Cache, Latency: e.Latency, TTFT: e.TTFT, Attempts: e.Attempts,
		Guards: e.Guards, Split: e.Split.Since, SplitFailed: e.Split.Failed, SplitCost: int64(e.Split.Cost), Trace: e.Trace, Corrects: e.Corrects, Reason: e.Reason}
	if e.Delivered != -1 {
		d.Delivered = &e.Delivered
	}
	text, err := json.Marshal(&d)
	return string(text), err
}

// writer appends the members of an object.
type writer struct{ b []byte }

func (w *writer) key(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), name...), `":`...)
}

func (w *writer) number(name string, n int64) {
	if n != 0 {
		w.key(name)
		w.b = strconv.AppendInt(w.b, n, 10)
	}
}

func (w *writer) text(name, s string) {
	if s != "" {
		w.key(name)
		w.b = append(append(append(w.b, '"'), s...), '"')
	}
}

func (w *writer) attempt(a *billing.AttemptLog) {
	w.b = append(w.b, '{')
	w.text("call", a.Call)
	w.key("target")
	w.b = append(append(append(w.b, '"'), a.Target...), '"')
	w.text("key", a.Key)
	w.key("status")
	w.b = strconv.AppendInt(w.b, int64(a.Status), 10)
	w.text("code", a.Code)
	w.key("latency_ms")
	w.b = strconv.AppendInt(w.b, a.LatencyMS, 10)
	w.b = a.USD.AppendTo(append(w.b, `,"usd":"`...))
	w.b = append(w.b, `"}`...)
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
