package config

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/gateway/guard"
)

// Log is what is told of the gateway, on stderr, and of calls, on stdout and in
// sinks.
type Log struct {
	Level  string `json:"level" enum:"debug,info,warn,error"`
	Format string `json:"format" enum:"text,json"`
	// Bodies is the calls to models and prompts whose bodies are told with their
	// lines; Redact is what is taken out of them, as kinds of a guard.
	Bodies string    `json:"bodies" enum:"none,errors,all"`
	Redact []string  `json:"redact"`
	Sinks  []LogSink `json:"sinks"`
}

// LogSink is where lines of calls go beside stdout: one of File, OTLP, HTTP and
// NATS.
type LogSink struct {
	Name  string `json:"name"`  // in metrics; empty: what it is, numbered
	Queue Size   `json:"queue"` // what may wait for it

	File    string `json:"file"`
	MaxSize Size   `json:"max_size"` // of File, which is then put aside; 0: it grows for ever
	Keep    int64  `json:"keep"`     // of those that were put aside

	OTLP    string            `json:"otlp"` // a collector, without /v1/logs
	HTTP    string            `json:"http"`
	Headers map[string]Secret `json:"headers"` // of requests to OTLP and HTTP
	Batch   Size              `json:"batch"`   // of what HTTP and OTLP are sent at once
	Every   time.Duration     `json:"every"`   // the longest that a line waits for others

	NATS    string `json:"nats"` // URL of a server
	Subject string `json:"subject"`
}

func defaultLogSink() LogSink {
	return LogSink{Queue: 8 << 20, MaxSize: 100 << 20, Keep: 5, Batch: 512 << 10, Every: time.Second}
}

// Kind is the key that says where the sink is; empty: none does, or several do.
func (s *LogSink) Kind() string {
	kind := ""
	for _, k := range [...]struct{ key, value string }{{"file", s.File}, {"otlp", s.OTLP}, {"http", s.HTTP}, {"nats", s.NATS}} {
		switch {
		case k.value == "":
		case kind != "":
			return ""
		default:
			kind = k.key
		}
	}
	return kind
}

// Names are what the sinks are called, in order.
func (l *Log) Names() []string {
	var names []string
	count := map[string]int{}
	for i := range l.Sinks {
		s := &l.Sinks[i]
		name := s.Name
		if name == "" {
			name = s.Kind()
			if count[name]++; count[name] > 1 {
				name += "-" + strconv.Itoa(count[name])
			}
		}
		names = append(names, name)
	}
	return names
}

// Kinds is what Redact names.
func (l *Log) Kinds() (k guard.Kinds) {
	for _, word := range l.Redact {
		k |= guard.KindOf(word)
	}
	return k
}

// Telemetry is what others may observe.
type Telemetry struct {
	Metrics bool   `json:"metrics"` // /metrics on the admin listener
	OTLP    string `json:"otlp"`    // a collector of traces and metrics, without /v1/…; empty: none
	// Headers are of requests to it.
	Headers map[string]Secret `json:"headers"`
	// CaptureContent has spans tell what was asked and answered, redacted as
	// log.redact says.
	CaptureContent bool `json:"capture_content"`
}

// reservedSinks are names in the same metric that are not a sink's of the
// configuration.
var reservedSinks = map[string]bool{"access": true, "traces": true, "bodies": true}

func (k *checker) telemetry() {
	t := k.config.Telemetry
	at := []string{"telemetry", "otlp"}
	if t.OTLP != "" {
		k.webAddress(at, t.OTLP)
	} else if len(t.Headers) > 0 {
		k.fault([]string{"telemetry", "headers"}, "are of requests to telemetry.otlp, which is not given")
	} else if t.CaptureContent {
		k.fault([]string{"telemetry", "capture_content"}, "is of spans, and telemetry.otlp is not given")
	}
	k.headerNames([]string{"telemetry", "headers"}, t.Headers)
	l := &k.config.Log
	for i, word := range l.Redact {
		if guard.KindOf(word) == 0 || guard.KindOf(word) == guard.Injection {
			k.fault([]string{"log", "redact", strconv.Itoa(i)}, "want one of email, phone, card, iban, ip, secret%s", k.said([]string{"log", "redact"}, word))
		}
	}
	seen := map[string]bool{}
	for i, name := range l.Names() {
		path := []string{"log", "sinks", strconv.Itoa(i)}
		k.sink(path, &l.Sinks[i])
		switch {
		case reservedSinks[name]:
			k.fault(below(path, "name"), "is taken: it stands for what the gateway itself tells")
		case seen[name]:
			k.fault(below(path, "name"), "is that of another sink")
		}
		seen[name] = true
	}
}

func (k *checker) sink(path []string, s *LogSink) {
	kind := s.Kind()
	if kind == "" {
		k.fault(path, "want one of file, otlp, http or nats")
		return
	}
	if s.Queue == 0 {
		k.fault(below(path, "queue"), "want at least 1 byte")
	}
	if s.Batch == 0 {
		k.fault(below(path, "batch"), "want at least 1 byte")
	}
	if s.Every <= 0 {
		k.fault(below(path, "every"), "want more than 0s")
	}
	k.headerNames(below(path, "headers"), s.Headers)
	for _, f := range [...]struct {
		key, of string
		given   bool
	}{{"headers", "otlp http", len(s.Headers) > 0}, {"subject", "nats", s.Subject != ""}} {
		if f.given && !strings.Contains(f.of, kind) {
			k.fault(below(path, f.key), "is for %s", strings.ReplaceAll(f.of, " ", " and "))
		}
	}
	switch kind {
	case "otlp":
		k.webAddress(below(path, "otlp"), s.OTLP)
	case "http":
		k.webAddress(below(path, "http"), s.HTTP)
	case "nats":
		if s.Subject == "" || strings.ContainsAny(s.Subject, " \t\r\n*>") {
			k.fault(below(path, "subject"), "want a subject such as sluice.calls, without wildcards")
		}
		for one := range strings.SplitSeq(s.NATS, ",") {
			if u, err := url.Parse(strings.TrimSpace(one)); err != nil || u.Hostname() == "" || u.Scheme != "nats" && u.Scheme != "tls" {
				k.fault(below(path, "nats"), "want an address such as nats://host:4222")
				break
			}
		}
	}
}

func (k *checker) webAddress(path []string, address string) {
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		k.fault(path, "want an address such as http://127.0.0.1:4318")
	}
}

func (k *checker) headerNames(path []string, headers map[string]Secret) {
	for _, name := range sortedKeys(headers) {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) ||
			strings.ContainsAny(headers[name].Reveal(), "\r\n\x00") {
			k.fault(below(path, name), "is no header")
		}
	}
}
